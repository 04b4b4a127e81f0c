#include "upstream/breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace rung::upstream {
namespace {

using namespace std::chrono_literals;
const TimePoint kStart = TimePoint{} + 1h;
const BreakerConfig kConfig{.failures = 3, .cool_down = 1000ms, .max_cool_down = 3000ms};

TEST(Breaker, OpensAfterARowOfFailuresOnly) {
  Breaker breaker(kConfig);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(breaker.failure(kStart, false));
    EXPECT_FALSE(breaker.failure(kStart, false));
    breaker.success();
  }
  EXPECT_TRUE(breaker.allows(kStart));
  breaker.failure(kStart, false), breaker.failure(kStart, false);
  EXPECT_TRUE(breaker.failure(kStart, false));
  EXPECT_FALSE(breaker.allows(kStart + 999ms));
  EXPECT_EQ(breaker.state(kStart + 999ms), BreakerState::kOpen);
}

TEST(Breaker, LetsOneRequestTryAfterThePause) {
  Breaker breaker(kConfig);
  for (int i = 0; i < 3; ++i) breaker.failure(kStart, false);
  const TimePoint later = kStart + 1s;
  EXPECT_TRUE(breaker.allows(later));
  EXPECT_TRUE(breaker.begin(later));
  EXPECT_FALSE(breaker.allows(later)) << "the second one waits for what the first finds";
  breaker.abandoned(true);
  EXPECT_TRUE(breaker.begin(later));
  breaker.success();
  EXPECT_EQ(breaker.state(later), BreakerState::kClosed);
}

TEST(Breaker, PausesLongerEachTimeTheTrialFailsUpToItsLimit) {
  Breaker breaker(kConfig);
  for (int i = 0; i < 3; ++i) breaker.failure(kStart, false);
  TimePoint now = kStart;
  for (const auto pause : {1000ms, 2000ms, 3000ms, 3000ms}) {
    EXPECT_FALSE(breaker.allows(now + pause - 1ms));
    now += pause;
    ASSERT_TRUE(breaker.begin(now));
    EXPECT_TRUE(breaker.failure(now, true));
  }
  now += 3s;
  ASSERT_TRUE(breaker.begin(now));
  breaker.success();
  for (int i = 0; i < 3; ++i) breaker.failure(now, false);
  EXPECT_TRUE(breaker.allows(now + 1s)) << "a success forgets the long pauses";
}

TEST(Breaker, NeverOpensWhereItIsOff) {
  Breaker breaker({.failures = 0});
  for (int i = 0; i < 1000; ++i) breaker.failure(kStart, false);
  EXPECT_TRUE(breaker.allows(kStart));
}

// Whatever happens in whatever order: at most one trial runs, an open breaker lets nobody through
// before its pause ends, and it always lets somebody through in the end.
TEST(Breaker, HoldsForAnyOrderOfCalls) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    Breaker breaker(kConfig);
    TimePoint now = kStart;
    std::vector<bool> running;  // whether each is the trial
    for (int i = 0; i < 400; ++i) {
      now += std::chrono::milliseconds(rng.below(400));
      if (rng.below(2) == 0 && breaker.allows(now)) {
        EXPECT_NE(breaker.state(now), BreakerState::kOpen);
        running.push_back(breaker.begin(now));
        ASSERT_LE(std::count(running.begin(), running.end(), true), 1);
      } else if (!running.empty()) {
        const std::size_t at = rng.below(running.size());
        const bool trial = running[at];
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
        switch (rng.below(3)) {
          case 0:
            breaker.success();
            std::fill(running.begin(), running.end(), false);
            break;
          case 1:
            breaker.failure(now, trial);
            break;
          default:
            breaker.abandoned(trial);
        }
      }
    }
    for (const bool trial : running) breaker.abandoned(trial);
    EXPECT_TRUE(breaker.allows(now + 3s));
  }
}

}  // namespace
}  // namespace rung::upstream
