#include "predict/methods/match_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace rung::predict {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<QualitySamples> kPublished{{{-3.2, -2.8, -3.5}, {-3.0, -2.9, -3.4}},
                                             {{-4.0, -3.8, -3.9}, {-2.5, -2.6, -2.4}},
                                             {{-2.0, -2.2, -2.1}, {-1.9, -2.3, -2.0}},
                                             {{-5.0, -4.6, -4.8}, {-3.6, -3.9, -3.5}}};

QualitySamples random_samples(Rng& rng) {
  QualitySamples q;
  q.small.resize(1 + rng.below(6));
  q.large.resize(1 + rng.below(6));
  for (double& s : q.small) s = rng.normal();
  for (double& l : q.large) l = 0.5 + rng.normal();
  return q;
}

TEST(MatchLabels, AreThePublishedProbabilities) {
  const auto& [small, large] = kPublished[0];
  EXPECT_NEAR(*match_probability(small, large, 0.05), 0.444444444, 5e-10);
  EXPECT_NEAR(*match_probability(small, large, 0.15), 0.555555556, 5e-10);
  EXPECT_NEAR(*match_probability(small, large, 0.45), 0.777777778, 5e-10);
  EXPECT_EQ(*match_probability(small, large, 0.65), 1);
}

TEST(MatchLabels, OfTheFirstSampleAreThePublishedOnes) {
  const auto& [small, large] = kPublished[0];
  EXPECT_EQ(match_label(small, large, 0), 0);
  EXPECT_EQ(match_label(small, large, 0.25), 1);
}

TEST(MatchLabels, SpreadMostAtThePublishedRelaxation) {
  const std::vector<double> grid{0.05, 0.15, 0.25, 0.45, 0.65, 0.85, 1.05, 1.25, 1.45};
  const std::vector<double> expected{0.222222222, 0.319444444, 0.416666667, 0.472222222, 0.5,
                                     0.486111111, 0.458333333, 0.375,       0.138888889};
  const auto best = find_relaxation(kPublished, grid);
  ASSERT_TRUE(best);
  for (std::size_t i = 0; i < grid.size(); ++i)
    EXPECT_NEAR(best->spreads[i], expected[i], 5e-10) << "t = " << grid[i];
  EXPECT_EQ(best->t, 0.65);
  EXPECT_NEAR(best->spread, 0.5, 5e-10);
  EXPECT_EQ(best->labels, (std::vector<double>{1, 0, 1, 0}));
}

TEST(MatchLabels, RiseWithTheRelaxationFromNoneToAll) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const auto q = random_samples(rng);
    EXPECT_EQ(*match_probability(q.small, q.large, -kInf), 0);
    EXPECT_EQ(*match_probability(q.small, q.large, kInf), 1);
    double before = 0;
    for (double t = -5; t <= 5; t += 0.25) {
      const double y = *match_probability(q.small, q.large, t);
      EXPECT_GE(y, before);
      EXPECT_LE(y, 1);
      before = y;
    }
  }
}

TEST(MatchLabels, DoNotSeeACommonConstant) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const auto q = random_samples(rng);
    const double t = 0.3 * rng.normal(), shift = 10 * rng.normal();
    auto moved = q;
    for (double& s : moved.small) s += shift;
    for (double& l : moved.large) l += shift;
    EXPECT_EQ(match_probability(q.small, q.large, t),
              match_probability(moved.small, moved.large, t));
    EXPECT_EQ(match_label(q.small, q.large, t), match_label(moved.small, moved.large, t));
  }
}

TEST(MatchLabels, SpreadAsTheSlowSumAndAsTwoPQ) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    std::vector<double> labels(1 + rng.below(20));
    for (double& y : labels) y = rng.uniform();
    const auto n = static_cast<double>(labels.size());
    double slow = 0;
    for (const double a : labels)
      for (const double b : labels) slow += std::abs(a - b) / (n * n);
    EXPECT_NEAR(label_spread(labels), slow, 1e-12);
    double ones = 0;
    for (double& y : labels) ones += y = y > 0.5 ? 1 : 0;
    EXPECT_NEAR(label_spread(labels), 2 * (ones / n) * (1 - ones / n), 1e-12);
  }
}

TEST(MatchLabels, SendFewerQueriesToTheSmallModelAsTheThresholdRises) {
  Rng rng(2);
  std::vector<double> r(100);
  for (double& p : r) p = rng.uniform();
  std::ptrdiff_t before = 100;
  for (int step = 0; step <= 20; ++step) {
    const auto small =
        std::ranges::count_if(r, [&](double p) { return picks_small(p, step / 20.0); });
    EXPECT_LE(small, before);
    before = small;
  }
  EXPECT_EQ(before, 0);
  EXPECT_EQ(threshold_of_margin(0), 0.5);  // p0 >= p1
  EXPECT_EQ(threshold_of_margin(0.5), 0.75);
}

TEST(MatchLabels, OfAnOutcomesTableKeepMissingMissing) {
  Matrix score(4, 2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  score << 0.5f, 0.5f, 0.2f, 0.9f, nan, 0.1f, 0.3f, nan;
  const VectorD y = match_targets(score, 0, 1);
  EXPECT_EQ(y(0), 1);
  EXPECT_EQ(y(1), 0);
  EXPECT_TRUE(std::isnan(y(2)) && std::isnan(y(3)));
  EXPECT_EQ(match_targets(score, 0, 1, 0.8)(1), 1);
}

TEST(MatchLabels, LeaveMissingSamplesOut) {
  EXPECT_EQ(match_probability(std::vector<double>{kNan, 1}, std::vector<double>{0, kNan}), 1);
  EXPECT_EQ(match_probability(std::vector<double>{kNan}, std::vector<double>{0}), std::nullopt);
  EXPECT_EQ(match_probability({}, std::vector<double>{0}), std::nullopt);
  EXPECT_EQ(match_label(std::vector<double>{kNan, 1}, std::vector<double>{0}), std::nullopt);
}

TEST(Relaxation, OfAGridReachesFromNoneToAllMatches) {
  const auto grid = relaxation_grid(kPublished, 40);
  ASSERT_EQ(grid.size(), 40u);
  EXPECT_EQ(grid.front(), 0);
  for (const auto& q : kPublished) EXPECT_EQ(match_probability(q.small, q.large, grid.back()), 1);
  const auto best = find_relaxation(kPublished, grid);
  ASSERT_TRUE(best);
  EXPECT_NEAR(best->spread, 0.5, 1e-12);
  const std::vector<QualitySamples> never_worse{{{2}, {1}}};
  EXPECT_EQ(relaxation_grid(never_worse, 5), std::vector<double>{0});
}

TEST(Relaxation, TakesTheFirstOfEqualSpreadsAndRefusesNothing) {
  const std::vector<QualitySamples> constant{{{1, 1}, {1}}, {{1}, {1, 1}}};
  const std::vector<double> grid{0, 0.5, 1};
  const auto first = find_relaxation(constant, grid);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->t, 0);
  EXPECT_EQ(first->spread, 0);
  const std::vector<QualitySamples> empty{{{}, {1}}};
  EXPECT_EQ(find_relaxation(empty, grid).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(find_relaxation({}, grid).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(find_relaxation(constant, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(find_relaxation(constant, std::vector<double>{kNan}).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rung::predict
