#include "upstream/host.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "upstream/health.h"

namespace rung::upstream {
namespace {

using namespace std::chrono_literals;
const TimePoint kStart = TimePoint{} + 1h;

void ask(Host& host, Fault fault, TimePoint now = kStart) {
  HostLease lease(host, now);
  lease.settle(fault, now);
}

TEST(Host, IsClosedWhileItsBreakerIsOpenAndComesBackByOneGoodTrial) {
  auto watch = std::make_shared<HostWatch>();
  Host host({.breaker = {.failures = 2, .cool_down = 1000ms}}, watch);
  ask(host, Fault::kUnreachable);
  EXPECT_EQ(host.standing(kStart), Standing::kGood);
  ask(host, Fault::kServerError);
  EXPECT_EQ(host.standing(kStart), Standing::kClosed);
  EXPECT_TRUE(watch->breaker_open);
  EXPECT_EQ(watch->opened, 1u);
  {
    HostLease trial(host, kStart + 1s);
    EXPECT_EQ(host.standing(kStart + 1s), Standing::kClosed);
  }  // the client left: the next one may try
  EXPECT_EQ(host.standing(kStart + 1s), Standing::kGood);
  ask(host, Fault::kNone, kStart + 1s);
  EXPECT_FALSE(watch->breaker_open);
}

TEST(Host, IsNotBlamedForRateLimitsAndRefusals) {
  Host host({.breaker = {.failures = 2}});
  for (int i = 0; i < 100; ++i) ask(host, i % 2 == 0 ? Fault::kRateLimited : Fault::kRefused);
  EXPECT_EQ(host.standing(kStart), Standing::kGood);
  host.rest_until(kStart + 5s);
  host.rest_until(kStart + 1s);
  EXPECT_EQ(host.standing(kStart + 4s), Standing::kResting);
  EXPECT_EQ(host.standing(kStart + 5s), Standing::kGood);
}

TEST(Host, TakesNoMoreThanItsLimit) {
  Host host({.most_in_flight = 2});
  HostLease one(host, kStart), two(host, kStart);
  EXPECT_EQ(host.standing(kStart), Standing::kClosed);
  two = HostLease();
  EXPECT_EQ(host.standing(kStart), Standing::kGood);
  const HostLease moved = std::move(one);
  EXPECT_EQ(host.in_flight(), 1u);
}

TEST(Host, IsDoubtfulWhileEjectedOrDown) {
  const auto down = std::make_shared<std::atomic<bool>>(false);
  Host host({.ejection = {.pause = 10s}}, {}, down);
  *down = true;
  EXPECT_EQ(host.standing(kStart), Standing::kDoubtful);
  *down = false;
  host.eject(kStart);
  EXPECT_EQ(host.standing(kStart + 9s), Standing::kDoubtful);
  EXPECT_EQ(host.standing(kStart + 10s), Standing::kGood);
  host.eject(kStart + 10s);
  EXPECT_EQ(host.standing(kStart + 29s), Standing::kDoubtful) << "the second time is longer";
}

TEST(Host, CountsItsLoadRightWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    Host host({.breaker = {.failures = 3, .cool_down = 500ms}});
    std::vector<HostLease> leases;
    TimePoint now = kStart;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(rng.below(300));
      if (rng.below(2) == 0 && host.standing(now) != Standing::kClosed) {
        leases.emplace_back(host, now);
      } else if (!leases.empty()) {
        const auto at = leases.begin() + static_cast<std::ptrdiff_t>(rng.below(leases.size()));
        if (rng.below(3) != 0) at->settle(kFaults[rng.below(std::size(kFaults))], now);
        leases.erase(at);
      }
      ASSERT_EQ(host.in_flight(), leases.size());
    }
    leases.clear();
    EXPECT_NE(host.standing(now + 60s), Standing::kClosed) << "nothing stays stuck";
  }
}

TEST(Outlier, IsTheOneThatFailsMoreThanTwiceAsOftenAsItsPeers) {
  const EjectionConfig config;
  const Tally good[] = {{100, 1}, {80, 0}}, bad[] = {{100, 60}, {80, 50}}, idle[] = {{0, 0}};
  EXPECT_TRUE(is_outlier(config, {20, 12}, good));
  EXPECT_FALSE(is_outlier(config, {20, 12}, bad)) << "all of them fail: it is not the host";
  EXPECT_FALSE(is_outlier(config, {20, 9}, good)) << "below the share";
  EXPECT_FALSE(is_outlier(config, {9, 9}, good)) << "too few";
  EXPECT_FALSE(is_outlier(config, {20, 20}, idle));
  EXPECT_FALSE(is_outlier(config, {20, 20}, {}));
  EXPECT_FALSE(is_outlier({.failure_share = 0}, {20, 20}, good));
}

TEST(Outlier, WindowsForgetWhatIsOld) {
  TallyWindow window;
  for (int i = 0; i < 10; ++i) window.add(true, kStart, 10s);
  EXPECT_EQ(window.total(kStart + 9s, 10s).failures, 10u);
  window.add(false, kStart + 12s, 10s);
  EXPECT_EQ(window.total(kStart + 12s, 10s).requests, 11u);
  EXPECT_EQ(window.total(kStart + 23s, 10s).requests, 1u);
  EXPECT_EQ(window.total(kStart + 33s, 10s).requests, 0u);
  window.add(true, kStart + 90s, 10s);
  EXPECT_EQ(window.total(kStart + 90s, 10s).requests, 1u);
}

TEST(Health, ChangesAfterARowOfChecksOnly) {
  const HealthConfig config{.fall = 3, .rise = 2};
  Health health;
  EXPECT_FALSE(health.report(config, false));
  EXPECT_FALSE(health.report(config, false));
  EXPECT_FALSE(health.report(config, true));
  EXPECT_FALSE(health.report(config, false));
  EXPECT_FALSE(health.report(config, false));
  EXPECT_TRUE(health.report(config, false));
  EXPECT_FALSE(health.is_up());
  EXPECT_FALSE(health.report(config, true));
  EXPECT_TRUE(health.report(config, true));
  EXPECT_TRUE(health.is_up());
}

}  // namespace
}  // namespace rung::upstream
