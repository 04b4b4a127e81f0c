#include "upstream/allowance.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "upstream/backoff.h"

namespace rung::upstream {
namespace {

using namespace std::chrono_literals;
const TimePoint kStart = TimePoint{} + 1h;

TEST(Allowance, GivesAShareOfTrafficAndNoMore) {
  Allowance allowance({.share = 0.2, .per_second = 0, .at_first = 10, .most = 100});
  int spent = 0;
  for (int i = 0; i < 10'000; ++i) {
    allowance.earn(kStart);
    spent += allowance.spend(kStart);
  }
  EXPECT_GE(spent, 2'000);
  EXPECT_LE(spent, 2'010);
}

TEST(Allowance, TricklesBackWithTimeButNotBeyondItsBeginning) {
  Allowance allowance({.share = 0, .per_second = 1, .at_first = 3, .most = 100});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(allowance.spend(kStart));
  EXPECT_FALSE(allowance.spend(kStart));
  EXPECT_FALSE(allowance.spend(kStart + 900ms));
  EXPECT_TRUE(allowance.spend(kStart + 1900ms));
  int after_a_day = 0;
  while (allowance.spend(kStart + 24h)) ++after_a_day;
  EXPECT_EQ(after_a_day, 3);
}

TEST(Allowance, HoldsForAnyOrderOfCalls) {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const AllowanceConfig config{.share = rng.uniform(),
                                 .per_second = rng.uniform() * 5,
                                 .at_first = static_cast<double>(rng.below(20)),
                                 .most = 50};
    Allowance allowance(config);
    TimePoint now = kStart;
    int earned = 0, spent = 0;
    for (int i = 0; i < 500; ++i) {
      now += std::chrono::milliseconds(rng.below(50));
      if (rng.below(2) == 0) {
        allowance.earn(now);
        ++earned;
      } else {
        spent += allowance.spend(now);
      }
      ASSERT_GE(allowance.tokens(), 0);
      ASSERT_LE(allowance.tokens(), std::max(config.most, config.at_first));
    }
    const double seconds = std::chrono::duration<double>(now - kStart).count();
    EXPECT_LE(spent, config.at_first + earned * config.share + seconds * config.per_second + 1e-6);
  }
}

TEST(Backoff, GrowsUpToItsLimitAndIsSpreadEvenly) {
  const BackoffConfig config{.first = 100ms, .most = 1000ms};
  Rng rng(1);
  for (unsigned retry = 1; retry < 70; ++retry) {
    double sum = 0;
    for (int i = 0; i < 2'000; ++i) {
      const auto wait = backoff(config, retry, rng.next());
      ASSERT_GE(wait, 0ms);
      ASSERT_LE(wait, 1000ms);
      sum += std::chrono::duration<double, std::milli>(wait).count();
    }
    const double ceiling = retry < 5 ? 100.0 * (1 << (retry - 1)) : 1000.0;
    EXPECT_NEAR(sum / 2'000, ceiling / 2, ceiling * 0.05) << retry;
  }
}

}  // namespace
}  // namespace rung::upstream
