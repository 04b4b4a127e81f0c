#include "outcomes/pair_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace rung::outcomes {
namespace {

constexpr double kWeak = 8.3, kStrong = 9.2;
const std::vector<SharePoint> kCurve{{0, 8.3},    {0.2, 8.62}, {0.4, 8.85},
                                     {0.6, 9.02}, {0.8, 9.12}, {1, 9.2}};

TEST(PairMetrics, GoldenPgrOfEachPoint) {
  const std::vector<double> wanted{0, 0.355555556, 0.611111111, 0.8, 0.911111111, 1};
  for (std::size_t i = 0; i < kCurve.size(); ++i)
    EXPECT_NEAR(*pgr(kCurve[i].quality, kWeak, kStrong), wanted[i], 5e-10);
}

TEST(PairMetrics, PgrGoesPastItsEndsAndIsNothingWithoutAGap) {
  EXPECT_GT(*pgr(9.5, kWeak, kStrong), 1);
  EXPECT_LT(*pgr(8.0, kWeak, kStrong), 0);
  EXPECT_FALSE(pgr(8.5, 9, 9));
}

TEST(PairMetrics, GoldenAreaAndApgr) {
  EXPECT_NEAR(*area_under(kCurve), 8.872000, 5e-10);
  auto got = apgr(kCurve, kWeak, kStrong);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_NEAR(*got, 0.635555556, 5e-10);
  const std::vector<SharePoint> straight{{0, 8.3}, {1, 9.2}};
  EXPECT_NEAR(*apgr(straight, kWeak, kStrong), 0.5, 1e-12);
}

TEST(PairMetrics, ApgrRefusesACutCurveButTheReferencesNumberIsThere) {
  const std::span cut = std::span(kCurve).subspan(1, 4);
  EXPECT_NEAR(*apgr_of_span(cut, kWeak, kStrong), 0.681481481, 5e-10);
  const auto refused = apgr(cut, kWeak, kStrong);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("from 0.2 to 0.8"), std::string::npos);
  EXPECT_FALSE(apgr(std::span(kCurve).first(5), kWeak, kStrong)) << "one end is not enough";
  EXPECT_FALSE(apgr({}, kWeak, kStrong));
  EXPECT_FALSE(apgr_at_levels(cut, kWeak, kStrong));
}

TEST(PairMetrics, ApgrWithoutAGapIsAnErrorNotANumber) {
  EXPECT_EQ(apgr(kCurve, 9, 9).error().code, ErrorCode::kInfeasible);
  EXPECT_FALSE(apgr_of_span(kCurve, 9, 9));
  EXPECT_FALSE(apgr_of_span(std::span(kCurve).first(1), kWeak, kStrong));
}

TEST(PairMetrics, TheDiscreteFormIsTheMeanPgrAtTenLevels) {
  // On the straight line PGR is the share itself: the mean of 0.1, ..., 1.
  const std::vector<SharePoint> straight{{0, 8.3}, {1, 9.2}};
  EXPECT_NEAR(*apgr_at_levels(straight, kWeak, kStrong), 0.55, 1e-12);
  EXPECT_NEAR(*apgr_at_levels(kCurve, kWeak, kStrong, 5),
              (0.355555556 + 0.611111111 + 0.8 + 0.911111111 + 1) / 5, 1e-9);
}

TEST(PairMetrics, GoldenCpt) {
  EXPECT_NEAR(100 * *cpt(kCurve, kWeak, kStrong, 0.2), 11.25, 5e-8);
  EXPECT_NEAR(100 * *cpt(kCurve, kWeak, kStrong, 0.5), 31.3043478, 5e-8);
  EXPECT_NEAR(100 * *cpt(kCurve, kWeak, kStrong, 0.8), 60, 5e-8);
}

TEST(PairMetrics, CptIsTheFirstCrossingOfACurveThatFallsBetween) {
  std::vector<SharePoint> curve{{0, 60}, {0.25, 66}, {0.5, 64}, {0.75, 70}, {1, 72}};
  EXPECT_NEAR(100 * *cpt(curve, 60, 72, 5.0 / 12), 20.8333333, 5e-8);
  EXPECT_NEAR(*pgr(65, 60, 72), 0.416666667, 5e-10);
  std::reverse(curve.begin(), curve.end());
  EXPECT_NEAR(100 * *cpt(curve, 60, 72, 5.0 / 12), 20.8333333, 5e-8) << "in any order";
}

TEST(PairMetrics, CptIsNothingWhereTheCurveNeverGetsThere) {
  EXPECT_FALSE(cpt(std::span(kCurve).first(3), kWeak, kStrong, 0.8));
  EXPECT_FALSE(cpt({}, kWeak, kStrong, 0.5));
  EXPECT_FALSE(cpt(kCurve, 9, 9, 0.5)) << "no gap";
  EXPECT_FALSE(cpt(kCurve, 9.2, 8.3, 0.5)) << "the strong arm is the worse one";
  const std::vector<SharePoint> late{{0.3, 9.1}, {1, 9.2}};
  EXPECT_DOUBLE_EQ(*cpt(late, kWeak, kStrong, 0.5), 0.3) << "reached at its first point";
}

// n rows whose score tells a planted difference with some noise.
struct Pair {
  std::vector<double> score, weak, strong;
  PairScores rows() const { return {score, weak, strong}; }
};

Pair pair(std::size_t n, double signal, std::uint64_t seed) {
  Pair p;
  Rng rng(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double hard = rng.uniform();
    p.weak.push_back(rng.uniform() > hard ? 1 : 0);
    p.strong.push_back(rng.uniform() > 0.4 * hard ? 1 : 0);
    p.score.push_back(signal * hard + (1 - signal) * rng.uniform());
  }
  return p;
}

TEST(ThresholdSweep, RunsFromAllStrongToAllWeak) {
  const Pair p = pair(500, 1, 3);
  auto sweep = threshold_sweep(p.rows());
  ASSERT_TRUE(sweep) << sweep.error().message;
  ASSERT_EQ(sweep->size(), 11u);
  EXPECT_DOUBLE_EQ(sweep->front().point.share, 1);
  EXPECT_DOUBLE_EQ(sweep->back().point.share, 0);
  EXPECT_FALSE(sweep->back().inclusive);
  double weak = 0, strong = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    weak += p.weak[i] / 500;
    strong += p.strong[i] / 500;
  }
  EXPECT_NEAR(sweep->front().point.quality, strong, 1e-12);
  EXPECT_NEAR(sweep->back().point.quality, weak, 1e-12);
  for (std::size_t i = 1; i < sweep->size(); ++i) {
    EXPECT_LE((*sweep)[i].point.share, (*sweep)[i - 1].point.share);
    // The definition, word by word.
    double sum = 0;
    for (std::size_t r = 0; r < 500; ++r) {
      const bool goes = (*sweep)[i].inclusive ? p.score[r] >= (*sweep)[i].threshold
                                              : p.score[r] > (*sweep)[i].threshold;
      sum += goes ? p.strong[r] : p.weak[r];
    }
    EXPECT_NEAR((*sweep)[i].point.quality, sum / 500, 1e-12);
  }
  EXPECT_TRUE(apgr(curve_of(*sweep), weak, strong));
}

TEST(ThresholdSweep, MergesEqualQuantiles) {
  Pair p = pair(300, 1, 5);
  for (double& s : p.score) s = s < 0.5 ? 0.2 : 0.9;
  auto sweep = threshold_sweep(p.rows());
  ASSERT_TRUE(sweep);
  std::vector<std::pair<double, bool>> seen;
  for (const SweepThreshold& at : *sweep) seen.emplace_back(at.threshold, at.inclusive);
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  EXPECT_LT(sweep->size(), 5u);
  for (double& s : p.score) s = 0.4;
  sweep = threshold_sweep(p.rows());
  ASSERT_TRUE(sweep);
  ASSERT_EQ(sweep->size(), 2u) << "a constant score still has both ends";
  EXPECT_DOUBLE_EQ(sweep->front().point.share, 1);
  EXPECT_DOUBLE_EQ(sweep->back().point.share, 0);
}

TEST(ThresholdSweep, OfACoinHasAnApgrOfOneHalf) {
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Pair p = pair(400, 0, seed);
    const auto curve = curve_of(*threshold_sweep(p.rows()));
    sum += *apgr(curve, curve.back().quality, curve.front().quality) / 200;
  }
  EXPECT_NEAR(sum, 0.5, 0.02);
}

TEST(ThresholdSweep, RefusesRowsThatDoNotHoldTogether) {
  Pair p = pair(10, 1, 7);
  EXPECT_EQ(threshold_sweep(p.rows(), 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(threshold_sweep({}).error().code, ErrorCode::kInvalidArgument);
  p.weak[4] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(threshold_sweep(p.rows()).error().message.find("row 4"), std::string::npos);
  p.weak.pop_back();
  EXPECT_EQ(threshold_sweep(p.rows()).error().code, ErrorCode::kInvalidArgument);
}

TEST(OracleCurve, IsWeakCorrectPlusWhatOnlyTheStrongGetsRight) {
  const std::vector<double> weak{1, 0, 0, 1, 0}, strong{1, 1, 1, 0, 0};
  const auto curve = oracle_curve(weak, strong);
  const std::vector<double> wanted{0.4, 0.6, 0.8, 0.8, 0.8, 0.8};
  ASSERT_EQ(curve.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_DOUBLE_EQ(curve[i].share, static_cast<double>(i) / 5);
    EXPECT_NEAR(curve[i].quality, wanted[i], 1e-12);
  }
  EXPECT_TRUE(oracle_curve({}, {}).empty());
}

TEST(OracleCurve, IsNeverBelowAnyRouter) {
  const Pair p = pair(200, 1, 11);
  const auto oracle = oracle_curve(p.weak, p.strong);
  const auto sweep = threshold_sweep(p.rows(), 50);
  ASSERT_TRUE(sweep);
  for (const SweepThreshold& at : *sweep) {
    const auto calls = static_cast<std::size_t>(at.point.share * 200 + 0.5);
    EXPECT_GE(oracle[calls].quality, at.point.quality - 1e-12);
  }
}

}  // namespace
}  // namespace rung::outcomes
