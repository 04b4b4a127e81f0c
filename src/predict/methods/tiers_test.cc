#include "predict/methods/tiers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/random.h"

namespace rung::predict {
namespace {

TEST(Tiers, SplitAsPublished) {
  const auto three = split_into_tiers(std::vector<double>{1300, 1280, 1200, 1190, 1000}, 3);
  ASSERT_TRUE(three);
  EXPECT_EQ(three->sizes, (std::vector<std::uint32_t>{2, 2, 1}));
  EXPECT_NEAR(three->objective, 125.0, 1e-9);
  EXPECT_EQ(three->tier, (std::vector<std::uint32_t>{0, 0, 1, 1, 2}));
  const auto four =
      split_into_tiers(std::vector<double>{1250, 1240, 1235, 1150, 1120, 1000, 990}, 4);
  ASSERT_TRUE(four);
  EXPECT_EQ(four->sizes, (std::vector<std::uint32_t>{3, 1, 1, 2}));
  EXPECT_NEAR(four->objective, 63.888889, 5e-7);
}

TEST(Tiers, DoNotDependOnTheOrderOfRatings) {
  const auto shuffled = split_into_tiers(std::vector<double>{1000, 1280, 1190, 1300, 1200}, 3);
  ASSERT_TRUE(shuffled);
  EXPECT_EQ(shuffled->tier, (std::vector<std::uint32_t>{2, 0, 1, 0, 1}));
}

/// The least sum over every way to cut, the slow way.
double least(const std::vector<double>& sorted, std::size_t begin, std::size_t tiers) {
  const std::size_t n = sorted.size();
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t end = begin + 1; end <= n; ++end) {
    if ((tiers == 1) != (end == n)) continue;
    double mean = 0, variance = 0;
    const double count = static_cast<double>(end - begin);
    for (std::size_t i = begin; i < end; ++i) mean += sorted[i] / count;
    for (std::size_t i = begin; i < end; ++i)
      variance += (sorted[i] - mean) * (sorted[i] - mean) / count;
    best = std::min(best, variance + (tiers == 1 ? 0 : least(sorted, end, tiers - 1)));
  }
  return best;
}

TEST(Tiers, AreTheBestOfAllSplits) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    std::vector<double> ratings(1 + rng.below(9));
    for (double& r : ratings) r = 1000 + 200 * rng.normal();
    const std::size_t tiers = 1 + rng.below(ratings.size());
    const auto split = split_into_tiers(ratings, tiers);
    ASSERT_TRUE(split);
    std::ranges::sort(ratings, std::greater<>());
    EXPECT_NEAR(split->objective, least(ratings, 0, tiers), 1e-6) << "seed " << seed;
  }
}

TEST(Tiers, OfEqualSumsTakeTheFirstSplit) {
  const auto split = split_into_tiers(std::vector<double>{5, 5, 5, 5}, 2);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->sizes, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(split->objective, 0);
}

TEST(Tiers, AreNeverMoreThanRatings) {
  const auto split = split_into_tiers(std::vector<double>{3, 9}, 10);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->tier, (std::vector<std::uint32_t>{1, 0}));
  EXPECT_EQ(split_into_tiers({}, 3).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(split_into_tiers(std::vector<double>{1}, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(split_into_tiers(std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()}, 1)
                .error()
                .message,
            "rating 1 is nan; ratings must be finite");
}

TEST(Elo, FollowsTheShareOfWinsWithHalfATie) {
  // 0 beat 1 twice, lost once, tied once: 2.5 of 4.
  const std::vector<Battle> battles{
      {0, 1, Winner::kA, 0}, {1, 0, Winner::kB, 0}, {0, 1, Winner::kB, 0}, {1, 0, Winner::kTie, 0}};
  const auto fit = fit_elo(battles, 3);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->rating[0] - fit->rating[1], 400 * std::log10(2.5 / 1.5), 1e-8);
  EXPECT_EQ(fit->rated, (std::vector<bool>{true, true, false}));
  EXPECT_TRUE(fit->comparable);
  EXPECT_FALSE(fit->regularised);
}

TEST(Elo, SaysWhenRatingsDoNotCompareOrNeededARidge) {
  const std::vector<Battle> apart{{0, 1, Winner::kTie, 0}, {2, 3, Winner::kA, 0}};
  const auto fit = fit_elo(apart, 4);
  ASSERT_TRUE(fit);
  EXPECT_FALSE(fit->comparable);
  EXPECT_TRUE(fit->regularised);
  EXPECT_NEAR(fit->rating[0], 1000, 1e-9);
  EXPECT_GT(fit->rating[2], fit->rating[3]);
}

TEST(Elo, NeedsABattleBetweenTwoModels) {
  const std::vector<Battle> self{{1, 1, Winner::kA, 0}};
  EXPECT_EQ(fit_elo(self, 2).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(fit_elo({}, 1).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(fit_elo(std::vector<Battle>{{0, 5, Winner::kA, 0}}, 2).error().code,
            ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace rung::predict
