#include "predict/methods/matrix_factorisation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/random.h"

namespace rung::predict {
namespace {

MatrixFactorisation published() {
  MatrixFactorisation mf;
  mf.models = MatrixD(2, 2);
  mf.models << 3, 4, 1, 0;
  mf.projection = MatrixD(2, 2);
  mf.projection << 1, 2, 0.5, -1;
  mf.head = VectorD(2);
  mf.head << 0.5, -2;
  mf.seen = {true, true};
  return mf;
}

MatrixFactorisation random_factors(Rng& rng, Index m, Index r, Index d) {
  MatrixFactorisation mf{MatrixD(m, r), MatrixD(r, d), VectorD(r),
                         std::vector<bool>(static_cast<std::size_t>(m), true)};
  for (Index i = 0; i < mf.models.size(); ++i) mf.models(i) = rng.normal();
  for (Index i = 0; i < mf.projection.size(); ++i) mf.projection(i) = rng.normal();
  for (Index i = 0; i < r; ++i) mf.head(i) = rng.normal();
  return mf;
}

VectorD random_query(Rng& rng, Index d) {
  VectorD q(d);
  for (Index i = 0; i < d; ++i) q(i) = rng.normal();
  return q;
}

TEST(MatrixFactorisation, ScoresAsPublished) {
  const auto mf = published();
  VectorD e(2);
  e << 0.3, 0.4;
  EXPECT_NEAR(mf.delta(0, e), 0.73, 1e-12);
  EXPECT_NEAR(mf.delta(1, e), 0.55, 1e-12);
  EXPECT_NEAR(*mf.strong_probability(e, 0, 1), 0.544878892, 5e-10);
  const std::vector<Preference> pair{{0, 1, 0}};
  EXPECT_NEAR(preference_loss(mf, pair, e.transpose()), 0.607191725, 5e-10);
}

TEST(MatrixFactorisation, OfAPairIsOneDotProduct) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto mf = random_factors(rng, 3, 5, 8);
    const VectorD q = random_query(rng, 8);
    const double s = *mf.strong_probability(q, 0, 2);
    EXPECT_NEAR(s, 1 / (1 + std::exp(mf.delta(2, q) - mf.delta(0, q))), 1e-12);
    const Vector u = mf.pair_direction(0, 2)->cast<float>(), e = q.cast<float>();
    EXPECT_NEAR(pair_probability({u.data(), 8}, {e.data(), 8}), s, 1e-5);
  }
}

TEST(MatrixFactorisation, SwappingThePairGivesTheRest) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto mf = random_factors(rng, 4, 3, 6);
    const VectorD q = random_query(rng, 6);
    EXPECT_NEAR(*mf.strong_probability(q, 1, 3) + *mf.strong_probability(q, 3, 1), 1, 1e-12);
    EXPECT_EQ(*mf.strong_probability(q, 2, 2), 0.5);
  }
}

TEST(MatrixFactorisation, DoesNotSeeTheLengthOfAModelsRow) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    auto mf = random_factors(rng, 2, 4, 6);
    const VectorD q = random_query(rng, 6);
    const double before = *mf.strong_probability(q, 0, 1);
    mf.models.row(0) *= std::exp(3 * rng.normal());
    EXPECT_NEAR(*mf.strong_probability(q, 0, 1), before, 1e-12) << "seed " << seed;
  }
}

TEST(MatrixFactorisation, SendsFewerQueriesToTheStrongModelAsTheThresholdRises) {
  Rng rng(1);
  const auto mf = random_factors(rng, 2, 4, 6);
  std::vector<double> s;
  for (int i = 0; i < 200; ++i) s.push_back(*mf.strong_probability(random_query(rng, 6), 0, 1));
  std::ptrdiff_t before = 200;
  for (int step = 0; step <= 20; ++step) {
    const auto strong = std::ranges::count_if(s, [&](double p) { return p >= step / 20.0; });
    EXPECT_TRUE(step > 0 || strong == 200);  // at 0 always the strong one
    EXPECT_LE(strong, before);
    before = strong;
  }
  EXPECT_LT(before, 100);
}

TEST(MatrixFactorisation, HasTheGradientOfItsLoss) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Rng rng(seed);
    auto mf = random_factors(rng, 3, 4, 5);
    const std::vector<Preference> pairs{{0, 1, 0}, {2, 0, 0}, {1, 2, 0}, {0, 1, 0}};
    MatrixD prompts(4, 5);
    for (Index i = 0; i < prompts.size(); ++i) prompts(i) = rng.normal();
    MfGradient gradient;
    preference_loss(mf, pairs, prompts, &gradient);
    const auto expect_slope = [&](double& value, double slope) {
      const double keep = value, h = 1e-6;
      value = keep + h;
      const double up = preference_loss(mf, pairs, prompts);
      value = keep - h;
      const double down = preference_loss(mf, pairs, prompts);
      value = keep;
      EXPECT_NEAR(slope, (up - down) / (2 * h), 1e-7);
    };
    for (Index i = 0; i < mf.models.size(); ++i) expect_slope(mf.models(i), gradient.models(i));
    for (Index i = 0; i < mf.projection.size(); ++i)
      expect_slope(mf.projection(i), gradient.projection(i));
    for (Index i = 0; i < mf.head.size(); ++i) expect_slope(mf.head(i), gradient.head(i));
  }
}

/// Model 0 wins where the first component is positive, else model 1; now and then a tie.
struct World {
  Matrix embeddings{300, 4};
  std::vector<Battle> battles;
  World() {
    Rng rng(11);
    for (std::uint32_t i = 0; i < 300; ++i) {
      for (Index c = 0; c < 4; ++c) embeddings(i, c) = static_cast<float>(rng.normal());
      embeddings.row(i).normalize();
      const Winner winner = rng.below(10) == 0        ? Winner::kTie
                            : embeddings(i, 0) > 0.0f ? Winner::kA
                                                      : Winner::kB;
      battles.push_back({0, 1, winner, i});
    }
  }
};

constexpr MfOptions kQuick{.rank = 8, .learning_rate = 0.01, .epochs = 30, .held_out = 0.2};

TEST(MatrixFactorisation, LearnsWhoWinsWhere) {
  const World world;
  const auto fit = fit_matrix_factorisation(world.battles, world.embeddings, 3, kQuick);
  ASSERT_TRUE(fit) << fit.error().message;
  EXPECT_LT(fit->held_out_loss.back(), 0.3);
  EXPECT_LT(fit->loss.back(), fit->loss.front());
  EXPECT_LT(fit->pairs, 260u);  // a fifth is held out, ties are left out
  EXPECT_GT(*fit->model.strong_probability(VectorD::Unit(4, 0), 0, 1), 0.9);
  EXPECT_LT(*fit->model.strong_probability(-VectorD::Unit(4, 0), 0, 1), 0.1);
}

TEST(MatrixFactorisation, IsTheSameForASeedOnAnyNumberOfThreads) {
  const World world;
  const auto many = fit_matrix_factorisation(world.battles, world.embeddings, 2, kQuick);
  ::setenv("RUNG_THREADS", "1", 1);
  const auto one = fit_matrix_factorisation(world.battles, world.embeddings, 2, kQuick);
  ::unsetenv("RUNG_THREADS");
  MfOptions other = kQuick;
  other.seed = 43;
  const auto changed = fit_matrix_factorisation(world.battles, world.embeddings, 2, other);
  ASSERT_TRUE(many && one && changed);
  EXPECT_EQ(many->model.projection, one->model.projection);
  EXPECT_EQ(many->model.models, one->model.models);
  EXPECT_NE(many->model.models, changed->model.models);
}

TEST(MatrixFactorisation, StaysFiniteOnOneClassAndOnOnePair) {
  const std::vector<Battle> one{{0, 1, Winner::kA, 0}};
  const auto fit = fit_matrix_factorisation(one, Matrix::Ones(1, 2), 2, {.rank = 4, .epochs = 400});
  ASSERT_TRUE(fit);
  EXPECT_TRUE(fit->model.projection.allFinite() && fit->model.models.allFinite());
  EXPECT_GT(*fit->model.strong_probability(VectorD::Ones(2), 0, 1), 0.5);
}

TEST(MatrixFactorisation, RefusesWhatItDoesNotKnow) {
  const World world;
  const auto fit = fit_matrix_factorisation(world.battles, world.embeddings, 3, kQuick);
  ASSERT_TRUE(fit);
  const auto unknown = fit->model.strong_probability(VectorD::Ones(4), 0, 2);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(unknown.error().message, "model 2 was in no pair that the factors were trained on");
  const auto code = [&](std::span<const Battle> battles, std::size_t models, MfOptions options) {
    const auto bad = fit_matrix_factorisation(battles, world.embeddings, models, options);
    return bad ? ErrorCode::kInternal : bad.error().code;
  };
  const std::vector<Battle> ties{{0, 1, Winner::kTie, 0}, {1, 1, Winner::kA, 0}};
  EXPECT_EQ(code(ties, 2, kQuick), ErrorCode::kInvalidData);
  EXPECT_EQ(code({}, 1, kQuick), ErrorCode::kInvalidData);
  EXPECT_EQ(code(world.battles, 1, kQuick), ErrorCode::kInvalidData);
  EXPECT_EQ(code(world.battles, 2, {.batch = 0}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(world.battles, 2, {.held_out = 1}), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rung::predict
