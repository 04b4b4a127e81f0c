#include "outcomes/margin.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace rung::outcomes {
namespace {

// Two arms: the second is dearer and, by its means, the default at lambda 10 (0.8 - 0.1 over 0.5).
const std::vector<float> kScore{1, 0, 0, 1}, kCost{0.001f, 0.01f, 0.001f, 0.01f};
const std::vector<float> kQuality{0.80f, 0.85f, 0.2f, 0.9f};
const std::vector<float> kMeanQuality{0.5f, 0.8f}, kMeanCost{0.001f, 0.01f};
const Estimated kData{2, 2, kScore, kCost, kQuality, kCost};
const Priors kPriors{kMeanQuality, kMeanCost};

TEST(Margin, KeepsTheDefaultArmForASmallAdvantageOnly) {
  // Row 0: the first is ahead by 0.79 - 0.75 = 0.04.
  using Picks = std::vector<std::size_t>;
  EXPECT_EQ(picks_with_margin(kData, kPriors, 10, 0), (Picks{0, 1}));
  EXPECT_EQ(picks_with_margin(kData, kPriors, 10, 0.03), (Picks{0, 1}));
  EXPECT_EQ(picks_with_margin(kData, kPriors, 10, 0.05), (Picks{1, 1}));
  EXPECT_EQ(picks_with_margin(kData, kPriors, std::numeric_limits<double>::infinity(), 0.05),
            (Picks{0, 0}));
}

TEST(Margin, OfZeroHasThePlainGainAndAGreatOneThatOfTheStaticHull) {
  Rng rng(3);
  constexpr std::size_t kRows = 200;
  std::vector<float> score, cost, quality;
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < 2; ++j) {
      score.push_back(rng.uniform() < (j == 0 ? 0.5 : 0.8) ? 1.0f : 0.0f);
      cost.push_back(kMeanCost[j]);
      quality.push_back(0.7f * score.back() + 0.3f * static_cast<float>(rng.uniform()));
    }
  const Estimated data{kRows, 2, score, cost, quality, cost};
  const auto plain = hull_gain(data, {.lambdas = 0, .bootstrap = 0});
  ASSERT_TRUE(plain);
  EXPECT_GT(plain->gain, 0.02);
  EXPECT_NEAR(hull_gain_with_margin(data, kPriors, *plain, 0), plain->gain, 1e-5);
  EXPECT_NEAR(hull_gain_with_margin(data, kPriors, *plain, 10), 0, 1e-5);
}

}  // namespace
}  // namespace rung::outcomes
