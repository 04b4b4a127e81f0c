#include "outcomes/thresholds.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace rung::outcomes {
namespace {

TEST(ShareThreshold, GoldenQuantiles) {
  const std::vector<double> s{.05, .11, .12, .2, .22, .3, .41, .55, .6, .9};
  struct Case {
    double p, tau;
    int strong;
  };
  for (const Case& c : std::initializer_list<Case>{{.5, .26, 5}, {.2, .56, 2}, {.1, .63, 1}}) {
    auto tau = threshold_for_share(s, c.p);
    ASSERT_TRUE(tau) << tau.error().message;
    EXPECT_NEAR(*tau, c.tau, 1e-12);
    EXPECT_EQ(std::count_if(s.begin(), s.end(), [&](double x) { return x >= *tau; }), c.strong);
  }
}

TEST(ShareThreshold, WithTiesAtLeastTheWishedShareGoesStrong) {
  Rng rng(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> s(10 + rng.below(50));
    for (double& x : s) x = static_cast<double>(rng.below(6)) / 5;
    const double p = static_cast<double>(rng.below(11)) / 10;
    const double tau = *threshold_for_share(s, p);
    const auto strong = std::count_if(s.begin(), s.end(), [&](double x) { return x >= tau; });
    EXPECT_GE(static_cast<double>(strong) + 1, p * static_cast<double>(s.size()));
  }
  const std::vector<double> same(20, 0.4);
  EXPECT_DOUBLE_EQ(*threshold_for_share(same, 0.3), 0.4) << "then all of them do";
}

TEST(ShareThreshold, RefusesSharesAndScoresOutsideTheirRange) {
  const std::vector<double> s{.5}, over{1.5};
  EXPECT_EQ(threshold_for_share(s, 1.2).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(threshold_for_share({}, 0.5).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(threshold_for_share(over, 0.5).error().code, ErrorCode::kInvalidData);
}

TEST(ShortestBetween, PartsTwoNumbersWithFewDigits) {
  EXPECT_DOUBLE_EQ(shortest_between(0.3141, 0.3189), 0.317);
  EXPECT_DOUBLE_EQ(shortest_between(0.2, 0.9), 0.6);
  EXPECT_DOUBLE_EQ(shortest_between(0.4, 1), 1);
  const double next = std::nextafter(0.5, 1.0);
  EXPECT_EQ(shortest_between(0.5, next), next) << "where nothing lies between";
  Rng rng(5);
  for (int i = 0; i < 1000; ++i) {
    const double low = rng.uniform(), high = low + 1e-6 * rng.uniform() + 1e-15;
    const double got = shortest_between(low, high);
    EXPECT_TRUE(got > low && got <= high) << low << " " << high;
  }
}

// Hybrid-LLM's golden rows: r is the chance that the small model does as well, so s = 1 - r.
struct Hybrid {
  std::vector<double> r{.92, .85, .71, .66, .52, .40, .31, .15}, score;
  std::vector<double> small{-2.0, -2.5, -2.2, -3.1, -3.0, -3.6, -4.0, -4.4};
  std::vector<double> large{-2.1, -2.4, -2.0, -2.6, -2.9, -2.7, -2.8, -3.0};
  std::vector<double> cheap = std::vector<double>(8, 1.0), dear = std::vector<double>(8, 10.0);
  Hybrid() {
    for (const double x : r) score.push_back(1 - x);
  }
  PairRows rows() const { return {score, small, large, cheap, dear}; }
};

TEST(QualityThreshold, GoldenCostAdvantageUnderACapOfOnePercent) {
  const Hybrid h;
  auto point = calibrate_quality(h.rows(), 1);
  ASSERT_TRUE(point) << point.error().message;
  EXPECT_NEAR(1 - *point->highest_weak, 0.71, 1e-12) << "the threshold on r";
  EXPECT_NEAR(point->cost_advantage(), 0.375, 1e-12);
  EXPECT_NEAR(point->quality, -2.5875, 1e-12);
  EXPECT_NEAR(*point->drop_percent, 0.975609756, 5e-10);
  // A served threshold that parts the same rows.
  EXPECT_TRUE(point->tau > 1 - 0.71 && point->tau <= 1 - 0.66);
}

TEST(QualityThreshold, GoldenPointsBesideIt) {
  const Hybrid h;
  EXPECT_NEAR(at_threshold(h.rows(), 0)->quality, -2.5625, 1e-12);
  const auto more = at_threshold(h.rows(), 1 - 0.52);
  EXPECT_NEAR(more->cost_advantage(), 0.5, 1e-12);
  EXPECT_NEAR(*more->drop_percent, 3.41463415, 5e-9);
  const auto less = at_threshold(h.rows(), 1 - 0.85);
  EXPECT_NEAR(less->cost_advantage(), 0.125, 1e-12);
  EXPECT_NEAR(*less->drop_percent, -0.487804878, 5e-10);
}

TEST(QualityThreshold, SaysWhatIsTheSmallestDropWhereTheCapCannotBeMet) {
  const Hybrid h;
  const auto refused = calibrate_quality(h.rows(), -5);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(refused.error().message.find("-0.487805 %"), std::string::npos);
  Hybrid zero;
  zero.large.assign(8, 0.0);
  EXPECT_EQ(calibrate_quality(zero.rows(), 1).error().code, ErrorCode::kInfeasible);
}

TEST(BudgetThreshold, BuysAsManyStrongCallsAsTheBudgetAllows) {
  const Hybrid h;
  auto point = calibrate_budget(h.rows(), 5.5);
  ASSERT_TRUE(point) << point.error().message;
  EXPECT_NEAR(point->strong_share, 0.5, 1e-12);
  EXPECT_NEAR(point->cost, 5.5, 1e-12);
  EXPECT_NEAR(calibrate_budget(h.rows(), 5.4)->strong_share, 0.375, 1e-12);
  EXPECT_NEAR(calibrate_budget(h.rows(), 100)->strong_share, 1, 1e-12);
  EXPECT_NEAR(calibrate_budget(h.rows(), 1)->strong_share, 0, 1e-12);
  const auto refused = calibrate_budget(h.rows(), 0.5);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInfeasible);
  EXPECT_NE(refused.error().message.find("is 1"), std::string::npos);
}

TEST(OperatingPoints, EveryTauDoesWhatItsPointSays) {
  Rng rng(7);
  std::vector<double> score, weak, strong, cheap, dear;
  for (int i = 0; i < 200; ++i) {
    score.push_back(static_cast<double>(rng.below(40)) / 40);
    weak.push_back(rng.uniform());
    strong.push_back(rng.uniform());
    cheap.push_back(rng.uniform());
    dear.push_back(5 * rng.uniform());
  }
  const PairRows rows{score, weak, strong, cheap, dear};
  const auto points = operating_points(rows);
  ASSERT_TRUE(points);
  EXPECT_DOUBLE_EQ(points->front().strong_share, 1);
  EXPECT_DOUBLE_EQ(points->back().strong_share, 0);
  for (std::size_t i = 0; i < points->size(); ++i) {
    const OperatingPoint& want = (*points)[i];
    const OperatingPoint got = *at_threshold(rows, want.tau);
    EXPECT_DOUBLE_EQ(got.strong_share, want.strong_share);
    EXPECT_NEAR(got.quality, want.quality, 1e-12);
    EXPECT_NEAR(got.cost, want.cost, 1e-12);
    EXPECT_NEAR(want.strong_share_se, std::sqrt(want.strong_share * (1 - want.strong_share) / 200),
                1e-12);
    if (i > 0) {
      EXPECT_LT(want.strong_share, (*points)[i - 1].strong_share) << "falls as tau rises";
      EXPECT_GT(want.tau, (*points)[i - 1].tau);
    }
  }
  // A score of 1 always goes strong: all weak is out of reach.
  score[0] = 1;
  EXPECT_GT(operating_points({score, weak, strong, cheap, dear})->back().strong_share, 0);
  EXPECT_NE(calibrate_budget({score, weak, strong, cheap, dear}, 0).error().message.find("of 1"),
            std::string::npos);
}

TEST(OperatingPoints, RefuseRowsThatDoNotHoldTogether) {
  Hybrid h;
  h.small[3] = std::nan("");
  EXPECT_NE(operating_points(h.rows()).error().message.find("row 3"), std::string::npos);
  h.small.pop_back();
  EXPECT_EQ(operating_points(h.rows()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(operating_points({}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rung::outcomes
