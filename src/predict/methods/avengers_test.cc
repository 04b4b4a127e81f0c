#include "predict/methods/avengers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/random.h"

namespace rung::predict {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// Prompts around four directions; arm j is best at direction j % 4; arm 0 is the cheapest.
struct World {
  Matrix embeddings{200, 6}, score{200, 3}, cost{200, 3};
  explicit World(std::uint64_t seed = 1) {
    Rng rng(seed);
    for (Index i = 0; i < 200; ++i) {
      const Index kind = i % 4;
      for (Index d = 0; d < 6; ++d)
        embeddings(i, d) = static_cast<float>(0.15 * rng.normal() + (d == kind ? 1 : 0));
      for (Index j = 0; j < 3; ++j) {
        score(i, j) = rng.uniform() < (j == kind ? 0.9 : 0.4) ? 1.0f : 0.0f;
        cost(i, j) =
            static_cast<float>((0.001 + 0.002 * static_cast<double>(j)) * (0.5 + rng.uniform()));
      }
    }
  }
};

AvengersOptions small(AvengersOptions options) {
  options.clusters = 4;
  options.near = 2;
  options.restarts = 3;
  return options;
}

std::vector<double> scores(const Avengers& router, const std::vector<float>& query,
                           const ScoreWeights& weights = {},
                           const std::vector<std::uint8_t>& capable = {}) {
  std::vector<double> out(router.router().arms());
  router.router().scores(query, capable, weights, out);
  return out;
}

std::vector<float> direction(std::size_t d) {
  std::vector<float> q(6);
  q[d] = 3;
  return q;
}

std::vector<float> random_query(Rng& rng) {
  std::vector<float> q(6);
  for (float& x : q) x = static_cast<float>(rng.normal());
  return q;
}

TEST(Avengers, SendsEachKindOfPromptToItsBestArm) {
  const World w;
  for (auto options :
       {AvengersOptions::paper(), AvengersOptions::rank_softmax(), AvengersOptions::avengers()}) {
    options = small(options);
    options.near = 1;
    const auto router = Avengers::fit(w.embeddings, w.score, w.cost, options);
    ASSERT_TRUE(router) << router.error().message;
    for (std::size_t d = 0; d < 3; ++d)
      EXPECT_EQ(best_arm(scores(*router, direction(d), ScoreWeights::alpha(1))), d);
  }
}

TEST(Avengers, PicksTheBestAtAlphaOneAndTheCheapestAtZeroInEveryCluster) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const World w(seed);
    for (auto options : {AvengersOptions::paper(), AvengersOptions::rank_softmax()}) {
      options = small(options);
      options.near = 1;
      const auto router = Avengers::fit(w.embeddings, w.score, w.cost, options);
      ASSERT_TRUE(router);
      for (Index c = 0; c < static_cast<Index>(router->router().clusters()); ++c) {
        const Vector centroid = router->router().centroids.row(c).transpose().cast<float>();
        const std::vector<float> q(centroid.data(), centroid.data() + centroid.size());
        Index best = 0, cheapest = 0;
        router->router().quality.row(c).maxCoeff(&best);
        router->router().cost.row(c).minCoeff(&cheapest);
        EXPECT_EQ(best_arm(scores(*router, q, ScoreWeights::alpha(1))), best);
        EXPECT_EQ(best_arm(scores(*router, q, ScoreWeights::alpha(0))), cheapest);
      }
    }
  }
}

TEST(Avengers, OfOneClusterIsAConstantRouter) {
  const World w;
  for (auto options :
       {AvengersOptions::paper(), AvengersOptions::rank_softmax(), AvengersOptions::avengers()}) {
    options.clusters = 1;
    const auto router = Avengers::fit(w.embeddings, w.score, w.cost, options);
    ASSERT_TRUE(router);
    Rng rng(2);
    const auto first = scores(*router, random_query(rng));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(scores(*router, random_query(rng)), first);
  }
}

TEST(Avengers, DoesNotSeeUnitsOfScoreAndCost) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const World w(seed);
    const Matrix score = 2.0f * w.score.array() + 3.0f;
    const Matrix scaled = 4.0f * w.cost, shifted = 4.0f * w.cost.array() + 0.5f;
    const auto same = [&](const AvengersOptions& options, const Matrix& cost) {
      const auto one = Avengers::fit(w.embeddings, w.score, w.cost, options);
      const auto two = Avengers::fit(w.embeddings, score, cost, options);
      Rng rng(seed);
      for (int i = 0; i < 20; ++i) {
        const auto q = random_query(rng);
        const auto a = scores(*one, q), b = scores(*two, q);
        for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(a[j], b[j], 1e-3) << "seed " << seed;
      }
    };
    same(small(AvengersOptions::paper()), shifted);  // float sums near 0.5 keep four digits
    same(small(AvengersOptions::rank_softmax()), scaled);
  }
}

TEST(Avengers, AddsAndRetiresArmsAsIfTheyHadAlwaysOrNeverBeenThere) {
  const World w;
  for (const auto& options :
       {small(AvengersOptions::paper()), small(AvengersOptions::rank_softmax())}) {
    const auto whole = Avengers::fit(w.embeddings, w.score, w.cost, options);
    const auto first =
        Avengers::fit(w.embeddings, w.score.leftCols(2), w.cost.leftCols(2), options);
    ASSERT_TRUE(whole && first);
    auto grown = *first;
    const Vector score = w.score.col(2), cost = w.cost.col(2);
    const auto index = grown.add_arm({score.data(), 200}, {cost.data(), 200});
    ASSERT_TRUE(index);
    EXPECT_EQ(*index, 2u);
    auto shrunk = *whole;
    ASSERT_TRUE(shrunk.retire_arm(2));
    auto middle = *whole;
    ASSERT_TRUE(middle.retire_arm(0));
    EXPECT_EQ(middle.router().quality, whole->router().quality.rightCols(2));
    Rng rng(4);
    for (int i = 0; i < 30; ++i) {
      const auto q = random_query(rng);
      EXPECT_EQ(scores(grown, q), scores(*whole, q));
      EXPECT_EQ(scores(shrunk, q), scores(*first, q));
    }
  }
}

TEST(Avengers, ShrinksSparseClustersTowardsTheArmsMean) {
  World w;
  for (Index i = 0; i < 200; ++i)
    if (i % 4 == 0 && i != 0) w.score(i, 1) = kMissing;  // one score is left in that cluster
  w.score(0, 1) = 0;
  AvengersOptions options = small(AvengersOptions::paper());
  const auto published = Avengers::fit(w.embeddings, w.score, w.cost, options);
  options.pseudo_counts = 10;
  const auto shrunk = Avengers::fit(w.embeddings, w.score, w.cost, options);
  ASSERT_TRUE(published && shrunk);
  Index c = 0;
  published->router().quality.col(1).minCoeff(&c);
  EXPECT_EQ(published->router().quality(c, 1), 0);
  double mean = 0, n = 0;
  for (Index i = 0; i < 200; ++i)
    if (!std::isnan(w.score(i, 1))) mean += static_cast<double>(w.score(i, 1)), n += 1;
  EXPECT_NEAR(shrunk->router().quality(c, 1), 10 * (mean / n) / 11, 1e-9);
}

TEST(Avengers, ScoresAnArmThatAClusterNeverSawByTheOthers) {
  World w;
  for (Index i = 0; i < 200; ++i)
    if (i % 4 == 0) w.score(i, 1) = w.cost(i, 1) = kMissing;
  AvengersOptions options = small(AvengersOptions::paper());
  options.near = 1;
  const auto router = Avengers::fit(w.embeddings, w.score, w.cost, options);
  ASSERT_TRUE(router);
  EXPECT_EQ(scores(*router, direction(0))[1], kNotScored);
  EXPECT_NE(scores(*router, direction(1))[1], kNotScored);
  options.near = 4;
  const auto wide = Avengers::fit(w.embeddings, w.score, w.cost, options);
  ASSERT_TRUE(wide);
  EXPECT_NE(scores(*wide, direction(0))[1], kNotScored);
}

TEST(Avengers, NeverTakesAnUnknownCostForFree) {
  World w;
  w.cost.col(0).setConstant(kMissing);
  for (const auto& options :
       {small(AvengersOptions::paper()), small(AvengersOptions::rank_softmax())}) {
    const auto router = Avengers::fit(w.embeddings, w.score, w.cost, options);
    ASSERT_TRUE(router);
    EXPECT_TRUE(router->arm_is_known(0, false));
    EXPECT_FALSE(router->arm_is_known(0, true));
    Rng rng(1);
    for (int i = 0; i < 20; ++i) {
      const auto q = random_query(rng);
      EXPECT_EQ(scores(*router, q, ScoreWeights::alpha(0.01))[0], kNotScored);
      EXPECT_NE(scores(*router, q, ScoreWeights::alpha(1))[0], kNotScored);
    }
  }
}

TEST(Avengers, NeverChoosesAnArmThatIsNotCapable) {
  const World w;
  const auto router = Avengers::fit(w.embeddings, w.score, w.cost, small(AvengersOptions::paper()));
  ASSERT_TRUE(router);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const auto q = random_query(rng);
    const auto out = scores(*router, q, ScoreWeights::alpha(0), {0, 1, 1});
    EXPECT_EQ(out[0], kNotScored);  // though it is the cheapest everywhere
    EXPECT_EQ(best_arm(out), 1u);
    EXPECT_EQ(best_arm(scores(*router, q, {}, {0, 0, 0})), std::nullopt);
  }
}

TEST(Avengers, IsTheSameOnAnyNumberOfThreads) {
  const World w;
  const auto options = small(AvengersOptions::paper());
  const auto many = Avengers::fit(w.embeddings, w.score, w.cost, options);
  ::setenv("RUNG_THREADS", "1", 1);
  const auto one = Avengers::fit(w.embeddings, w.score, w.cost, options);
  ::unsetenv("RUNG_THREADS");
  ASSERT_TRUE(many && one);
  EXPECT_EQ(many->router().centroids, one->router().centroids);
  EXPECT_EQ(many->router().quality, one->router().quality);
}

TEST(Avengers, StandsOneRowOneArmAndConstantScores) {
  const auto tiny = Avengers::fit(Matrix::Zero(1, 6), Matrix::Ones(1, 1), Matrix::Ones(1, 1));
  ASSERT_TRUE(tiny);
  EXPECT_EQ(tiny->router().clusters(), 1u);
  EXPECT_EQ(best_arm(scores(*tiny, direction(1))), 0u);
  const World w;
  const auto constant = Avengers::fit(w.embeddings, Matrix::Constant(200, 3, 0.5f), w.cost,
                                      small(AvengersOptions::paper()));
  ASSERT_TRUE(constant);
  EXPECT_EQ(best_arm(scores(*constant, direction(2), ScoreWeights::alpha(0.9))), 0u);  // cheapest
}

TEST(Avengers, RefusesWhatItCannotUse) {
  const World w;
  const auto code = [](const auto& result) {
    return result ? ErrorCode::kInternal : result.error().code;
  };
  const auto data = ErrorCode::kInvalidData, argument = ErrorCode::kInvalidArgument;
  EXPECT_EQ(code(Avengers::fit(Matrix(0, 6), Matrix(0, 3), Matrix(0, 3))), data);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, Matrix(200, 0), Matrix(200, 0))), data);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, w.score, w.cost.leftCols(2))), data);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, w.score, -w.cost)), data);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, Matrix::Constant(200, 3, kMissing), w.cost)), data);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, w.score, w.cost, {.clusters = 0})), argument);
  EXPECT_EQ(code(Avengers::fit(w.embeddings, w.score, w.cost, {.beta = -1})), argument);
  auto router = Avengers::fit(w.embeddings, w.score, w.cost, small(AvengersOptions::paper()));
  ASSERT_TRUE(router);
  const std::vector<float> missing(200, kMissing), one(1, 1.0f), ok(200, 1.0f);
  const auto unscored = router->add_arm(missing, ok);
  ASSERT_FALSE(unscored);
  EXPECT_EQ(unscored.error().message, "a new arm without a score in 200 rows; it needs some");
  EXPECT_EQ(code(router->add_arm(one, one)), data);
  EXPECT_EQ(code(router->retire_arm(3)), ErrorCode::kNotFound);
  EXPECT_TRUE(router->retire_arm(0) && router->retire_arm(0));
  EXPECT_EQ(code(router->retire_arm(0)), argument);
}

}  // namespace
}  // namespace rung::predict
