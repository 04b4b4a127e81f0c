#include "outcomes/live_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

TEST(P2Quantile, GoldenExampleOfThePaper) {
  // Jain and Chlamtac 1985, table I: the median after twenty observations.
  const std::vector<double> seen{0.02,  0.15,  0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92,
                                 34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27,  0.42,  0.09,  11.37};
  P2Quantile median(0.5);
  for (const double x : seen) median.add(x);
  EXPECT_NEAR(*median.value(), 4.44, 0.005);
}

TEST(P2Quantile, IsExactForAFewNumbersAndEmptyForNone) {
  P2Quantile q(0.25);
  EXPECT_FALSE(q.value());
  q.add(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(q.value()) << "what is no number is not counted";
  std::vector<double> sorted;
  for (const double x : {7.0, 1.0, 4.0, 9.0, 2.0}) {
    q.add(x);
    sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), x), x);
    EXPECT_DOUBLE_EQ(*q.value(), quantile_of_sorted(sorted, 0.25));
  }
}

TEST(P2Quantile, FollowsManyDistributions) {
  Rng rng(3);
  for (const double p : {0.1, 0.5, 0.9}) {
    for (int kind = 0; kind < 3; ++kind) {
      P2Quantile q(p);
      std::vector<double> all;
      for (int i = 0; i < 20000; ++i) {
        const double u = rng.uniform();
        const double x = kind == 0 ? u : kind == 1 ? u * u * u : 0.5 + 0.1 * rng.normal();
        q.add(x);
        all.push_back(x);
      }
      std::sort(all.begin(), all.end());
      // Judged by rank: the share of numbers below the estimate.
      const auto below = std::lower_bound(all.begin(), all.end(), *q.value()) - all.begin();
      EXPECT_NEAR(static_cast<double>(below) / 20000, p, 0.01) << p << " of kind " << kind;
    }
  }
}

TEST(LiveShare, KeepsQuietWhileTheShareIsAsCalibrated) {
  Rng rng(5);
  LiveShare live({.expected = 0.3, .window = 1000});
  int alarms = 0;
  for (int i = 0; i < 200000; ++i) {
    live.add(rng.uniform() < 0.3);
    if (i % 1000 == 999) alarms += live.alarm() ? 1 : 0;
  }
  EXPECT_LE(alarms, 2) << "0.27 % of 200 windows";
  EXPECT_NEAR(live.last()->se, std::sqrt(0.3 * 0.7 / 1000), 1e-12);
}

TEST(LiveShare, RaisesTheAlarmWhenTheShareDriftsAndEndsItWhenItComesBack) {
  Rng rng(7);
  LiveShare live({.expected = 0.3, .window = 1000});
  EXPECT_FALSE(live.last());
  for (int i = 0; i < 1000; ++i) live.add(rng.uniform() < 0.4);
  EXPECT_TRUE(live.alarm());
  for (int i = 0; i < 999; ++i) live.add(rng.uniform() < 0.3);
  EXPECT_TRUE(live.alarm()) << "judged a window at a time";
  live.add(false);
  EXPECT_FALSE(live.alarm());
}

TEST(LiveShare, OfAllOrNothingDriftsWithTheFirstException) {
  LiveShare live({.expected = 0, .window = 10});
  for (int i = 0; i < 10; ++i) live.add(false);
  EXPECT_FALSE(live.alarm());
  for (int i = 0; i < 10; ++i) live.add(i == 3);
  EXPECT_TRUE(live.alarm()) << "no standard error forgives what cannot happen";
}

TEST(LiveShare, ManyAtOnceCountAsOneByOneAndMayMakeALargerWindow) {
  LiveShare live({.expected = 0.5, .window = 100});
  live.add(20, 99);
  EXPECT_FALSE(live.last());
  live.add(5, 101);
  EXPECT_DOUBLE_EQ(live.last()->share, 0.125);
  EXPECT_EQ(live.last()->requests, 200u);
  EXPECT_NEAR(live.last()->se, std::sqrt(0.25 / 200), 1e-12);
  live.add(0, 0);
  live.add(50, 100);
  EXPECT_FALSE(live.alarm());
}

TEST(LiveShare, DoubtAboutTheCalibratedShareWidensItsBand) {
  LiveShare sure({.expected = 0.3, .window = 1000}),
      unsure({.expected = 0.3, .expected_se = 0.03, .window = 1000});
  sure.add(370, 1000);
  unsure.add(370, 1000);
  EXPECT_TRUE(sure.alarm());
  EXPECT_FALSE(unsure.alarm());
}

// `n` scores of a window around `centre`.
void feed(LiveThreshold& live, double centre, Rng& rng, int n = 1000) {
  for (int i = 0; i < n; ++i) live.add(centre + 0.1 * (rng.uniform() - 0.5));
}

TEST(LiveThreshold, StandsUntilItHasSeenAWindow) {
  Rng rng(9);
  ManualClock clock;
  LiveThreshold live({.share = 0.2, .tau = 0.5}, clock.now());
  feed(live, 0.3, rng, 999);
  clock.advance(hours(5));
  EXPECT_DOUBLE_EQ(live.update(clock.now()), 0.5);
  EXPECT_FALSE(live.target());
  feed(live, 0.3, rng, 1);
  EXPECT_NEAR(*live.target(), 0.33, 0.01) << "80 % of the scores are below";
}

TEST(LiveThreshold, MovesNoFasterThanAllowedAndArrives) {
  Rng rng(11);
  ManualClock clock;
  LiveThreshold live({.share = 0.5, .tau = 0.5, .most_change_per_hour = 0.02}, clock.now());
  feed(live, 0.45, rng);
  clock.advance(minutes(30));
  EXPECT_NEAR(live.update(clock.now()), 0.49, 1e-12);
  EXPECT_NEAR(live.update(clock.now()), 0.49, 1e-12) << "no time, no change";
  clock.advance(hours(24));
  EXPECT_NEAR(live.update(clock.now()), 0.47, 1e-12) << "a quiet day is not saved up";
  for (int i = 0; i < 5; ++i) {
    clock.advance(hours(1));
    live.update(clock.now());
  }
  EXPECT_NEAR(live.tau(), *live.target(), 1e-12);
  EXPECT_NEAR(live.tau(), 0.45, 0.01);
}

TEST(LiveThreshold, HoldsTheShareWhileTheScoresDrift) {
  Rng rng(13);
  ManualClock clock;
  LiveThreshold live({.share = 0.3, .tau = 0.52, .most_change_per_hour = 0.05}, clock.now());
  double fixed = 0, followed = 0, count = 0;
  for (int hour = 0; hour < 48; ++hour) {
    const double centre = 0.5 + 0.004 * hour;
    for (int i = 0; i < 1000; ++i) {
      const double score = centre + 0.1 * (rng.uniform() - 0.5);
      live.add(score);
      if (hour < 24) continue;
      count += 1;
      fixed += score >= 0.52 ? 1 : 0;
      followed += score >= live.tau() ? 1 : 0;
    }
    clock.advance(hours(1));
    live.update(clock.now());
  }
  EXPECT_NEAR(followed / count, 0.3, 0.06);
  EXPECT_GT(fixed / count, 0.9);
}

TEST(LiveThreshold, ForgetsOldTraffic) {
  Rng rng(17);
  ManualClock clock;
  LiveThreshold live({.share = 0.5}, clock.now());
  feed(live, 0.8, rng, 10000);
  feed(live, 0.2, rng, 1000);
  EXPECT_NEAR(*live.target(), 0.2, 0.01);
}

}  // namespace
}  // namespace rung::outcomes
