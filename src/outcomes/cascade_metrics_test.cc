#include "outcomes/cascade_metrics.h"

#include <gtest/gtest.h>

#include <array>

namespace rung::outcomes {
namespace {

// Six queries answered by the small model (cost 1), verified (1), and retried with the large one
// (50) where the verifier's confidence is at most t.
struct Cascade {
  double quality, cost;
};

Cascade cascade(double t) {
  constexpr std::array small{.2, .8, .5, .9, .1, .6}, large{.7, .85, .9, .9, .3, .8};
  constexpr std::array sure{.125, .875, .5, 1., .25, .625};
  Cascade out{0, 0};
  for (std::size_t i = 0; i < 6; ++i) {
    const bool retry = sure[i] <= t;
    out.quality += (retry ? large[i] : small[i]) / 6;
    out.cost += (2 + (retry ? 50 : 0)) / 6.0;
  }
  return out;
}

TEST(Ibc, GoldenLiftOfAThresholdCascade) {
  const double small = 3.1 / 6, large = 4.45 / 6;
  const auto base = ibc(large, 50, small, 1);
  EXPECT_NEAR(*base, 0.00459183673, 5e-12);
  struct Case {
    double t, quality, cost, lift;
  };
  for (const Case& c : std::initializer_list<Case>{{.25, 0.633333333, 18.6666667, 0.438155136},
                                                   {.5, 0.7, 27, 0.535612536},
                                                   {.625, 0.733333333, 35.3333333, 0.374325782}}) {
    const Cascade got = cascade(c.t);
    EXPECT_NEAR(got.quality, c.quality, 5e-10);
    EXPECT_NEAR(got.cost, c.cost, 5e-8);
    EXPECT_NEAR(*ibc_lift(ibc(got.quality, got.cost, small, 1), base), c.lift, 5e-10);
  }
}

TEST(Ibc, OfMixingAtRandomIsBelowZeroOnceTheSmallModelIsPaidToo) {
  // Retried at random with probability e: every query pays small, and e pay large on top.
  const double small = 0.4, large = 0.8, small_cost = 1, large_cost = 50;
  const auto base = ibc(large, large_cost, small, small_cost);
  for (const double e : {0.1, 0.5, 0.9}) {
    const auto mixed =
        ibc(small + e * (large - small), small_cost + e * large_cost, small, small_cost);
    EXPECT_NEAR(*ibc_lift(mixed, base), -small_cost / large_cost, 1e-12);
  }
}

TEST(Ibc, IsNothingWhereNothingWasSpentOrGained) {
  EXPECT_FALSE(ibc(0.7, 1, 0.4, 1));
  EXPECT_FALSE(ibc_lift(0.1, 0.0));
  EXPECT_FALSE(ibc_lift(std::nullopt, 0.1));
  EXPECT_FALSE(ibc_lift(0.1, std::nullopt));
}

TEST(QualityDrop, IsInPercentOfTheSizeOfTheLargeModelsScore) {
  EXPECT_NEAR(*quality_drop_percent(-2.5875, -2.5625), 0.975609756, 5e-10);
  EXPECT_NEAR(*quality_drop_percent(0.6, 0.8), 25, 1e-12);
  EXPECT_LT(*quality_drop_percent(0.9, 0.8), 0);
  EXPECT_FALSE(quality_drop_percent(0.9, 0));
}

}  // namespace
}  // namespace rung::outcomes
