#include "state/limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/random.h"
#include "state/testing.h"

namespace rung::state {
namespace {

using std::chrono::seconds;
using testing::kNoon;

constexpr std::int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;

NanoUsd usd(double amount) { return *nano_usd(Usd{amount}); }

/// Reserves; true if it was granted.
bool granted(Account& account, const Ask& ask, std::int64_t at, Hold& hold) {
  return !account.reserve(ask, at, hold).has_value();
}

/// One whole request.
bool use(Account& account, NanoUsd most, NanoUsd cost, std::int64_t at) {
  Hold hold;
  if (!granted(account, {.cost = most}, at, hold)) return false;
  account.settle(hold, cost, 0, at);
  return true;
}

TEST(Account, HoldsTheMostOfARequestAndThenItsCost) {
  Account account({.usd_total = usd(1)}, {}, kNoon);
  Hold first, second;
  EXPECT_TRUE(granted(account, {.cost = usd(0.6)}, kNoon, first));
  const auto refused = account.reserve({.cost = usd(0.6)}, kNoon, second);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, LimitKind::kTotal);
  EXPECT_TRUE(refused->only_held);
  EXPECT_EQ(refused->retry_after, seconds(1));
  account.settle(first, usd(0.2), 0, kNoon);
  EXPECT_TRUE(granted(account, {.cost = usd(0.6)}, kNoon, second));
  EXPECT_EQ(account.state(kNoon).spent.total, usd(0.2));
  EXPECT_EQ(account.state(kNoon).held, usd(0.6));
  EXPECT_EQ(account.state(kNoon).running, 1);
}

TEST(Account, ATotalThatIsSpentNeverComesBack) {
  Account account({.usd_total = usd(1)}, {.total = usd(0.5)}, kNoon);
  EXPECT_TRUE(use(account, usd(0.5), usd(0.5), kNoon));
  Hold hold;
  const auto refused = account.reserve({.cost = NanoUsd{1}}, kNoon + 400 * kDay, hold);
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->only_held);
  EXPECT_FALSE(refused->retry_after);
  EXPECT_FALSE(hold.is_set);
}

TEST(Account, DaysAndMonthsBeginAnewInUtc) {
  // kNoon is 2025-10-09 08:53:20 UTC.
  Account account({.usd_per_day = usd(1), .usd_per_month = usd(3)}, {}, kNoon);
  for (int day = 0; day < 3; ++day) {
    EXPECT_TRUE(use(account, usd(1), usd(1), kNoon + day * kDay));
    Hold hold;
    const auto refused = account.reserve({.cost = usd(0.1)}, kNoon + day * kDay, hold);
    ASSERT_TRUE(refused);
    if (day == 2) {
      EXPECT_EQ(refused->kind, LimitKind::kMonth);
      const std::int64_t wait = refused->retry_after->count();
      EXPECT_EQ(month_of(kNoon + 2 * kDay + wait * kSecond), month_of(kNoon) + 1);
      EXPECT_EQ(month_of(kNoon + 2 * kDay + (wait - 1) * kSecond), month_of(kNoon));
      EXPECT_TRUE(use(account, usd(1), usd(1), kNoon + 2 * kDay + wait * kSecond));
    } else {
      EXPECT_EQ(refused->kind, LimitKind::kDay);
      EXPECT_EQ(refused->retry_after, seconds(86'400 - (8 * 3600 + 53 * 60 + 20)));
    }
  }
}

TEST(Account, ACostCountsForTheDayOnWhichTheRequestCame) {
  Account account({.usd_per_day = usd(1)}, {}, kNoon);
  Hold late;
  EXPECT_TRUE(granted(account, {.cost = usd(1)}, kNoon, late));
  account.settle(late, usd(1), 0, kNoon + kDay);
  EXPECT_EQ(account.state(kNoon + kDay).spent.day, NanoUsd{0});
  EXPECT_EQ(account.state(kNoon + kDay).spent.month, usd(1));
  EXPECT_EQ(account.state(kNoon + kDay).spent.total, usd(1));
}

TEST(Account, WhatIsReleasedWasNever) {
  Account account({.requests_per_minute = 1, .tokens_per_minute = 100, .usd_total = usd(1)}, {},
                  kNoon);
  Hold hold;
  EXPECT_TRUE(granted(account, {.tokens = 100, .cost = usd(1)}, kNoon, hold));
  account.release(hold);
  EXPECT_TRUE(granted(account, {.tokens = 100, .cost = usd(1)}, kNoon, hold));
}

TEST(Account, ARequestThatMakesMoreCallsHoldsMore) {
  Account account({.usd_total = usd(1)}, {}, kNoon);
  Hold hold;
  EXPECT_TRUE(granted(account, {.cost = usd(0.4)}, kNoon, hold));
  EXPECT_FALSE(account.extend(hold, usd(0.3), kNoon)) << "it holds that much already";
  EXPECT_FALSE(account.extend(hold, usd(0.9), kNoon));
  const auto refused = account.extend(hold, usd(1.1), kNoon);
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->only_held) << "nobody else is in the way";
  EXPECT_EQ(account.state(kNoon).held, usd(0.9));
  account.settle(hold, usd(0.7), 0, kNoon);
  EXPECT_EQ(account.state(kNoon).held, NanoUsd{0});
}

TEST(Account, NoMinuteSeesMoreRequestsThanTheLimit) {
  Account account({.requests_per_minute = 20}, {}, kNoon);
  Rng rng(3);
  std::vector<std::int64_t> times;
  std::int64_t now = kNoon;
  for (int i = 0; i < 3000; ++i) {
    now += static_cast<std::int64_t>(rng.below(2'500'000));
    Hold hold;
    const auto refused = account.reserve({}, now, hold);
    if (!refused) {
      times.push_back(now);
      account.settle(hold, {}, 0, now);
    } else {
      ASSERT_TRUE(refused->retry_after);
      Hold later;
      const std::int64_t then = now + refused->retry_after->count() * kSecond;
      EXPECT_TRUE(granted(account, {}, then, later)) << "waiting as long as it says helps";
      account.settle(later, {}, 0, then);
      times.push_back(then);
      now = then;
    }
  }
  for (std::size_t i = 0; i + 20 < times.size(); ++i)
    ASSERT_GE(times[i + 20] - times[i], 60 * kSecond) << "21 requests within a minute, from " << i;
}

TEST(Account, TokensAreCountedAsTheyWereUsedAndNotAsTheyWereFeared) {
  Account account({.tokens_per_minute = 1000}, {}, kNoon);
  Hold hold;
  EXPECT_TRUE(granted(account, {.tokens = 900}, kNoon, hold));
  Hold other;
  const auto refused = account.reserve({.tokens = 200}, kNoon, other);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, LimitKind::kTokens);
  account.settle(hold, {}, 300, kNoon + kSecond);
  EXPECT_TRUE(granted(account, {.tokens = 700}, kNoon + kSecond, other));
  Hold huge;
  const auto never = account.reserve({.tokens = 1001}, kNoon + 600 * kSecond, huge);
  ASSERT_TRUE(never);
  EXPECT_FALSE(never->retry_after) << "no waiting makes it small enough";
}

TEST(Account, SoManyAtTheSameTimeAndNoMore) {
  Account account({.concurrent = 2}, {}, kNoon);
  Hold a, b, c;
  EXPECT_TRUE(granted(account, {}, kNoon, a));
  EXPECT_TRUE(granted(account, {}, kNoon, b));
  EXPECT_FALSE(granted(account, {}, kNoon, c));
  account.settle(a, {}, 0, kNoon);
  EXPECT_TRUE(granted(account, {}, kNoon, c));
}

TEST(Account, AClockThatStepsBackStandsStill) {
  Account account({.requests_per_minute = 2, .usd_per_day = usd(1)}, {}, kNoon);
  Hold hold;
  EXPECT_TRUE(granted(account, {.cost = usd(1)}, kNoon, hold));
  account.settle(hold, usd(1), 0, kNoon);
  EXPECT_FALSE(granted(account, {.cost = usd(1)}, kNoon - 2 * kDay, hold));
  EXPECT_EQ(account.state(kNoon - 5 * kDay).minute_requests, 1);
}

TEST(Account, ManyThreadsTogetherNeverSpendMoreThanTheBudget) {
  constexpr int kThreads = 8;
  const NanoUsd budget = usd(1);
  Account account({.concurrent = 6, .usd_total = budget}, {}, kNoon);
  std::atomic<std::int64_t> spent{0}, running{0}, most_running{0}, over{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      Rng rng(static_cast<std::uint64_t>(t) + 1);
      for (int i = 0; i < 20'000; ++i) {
        const NanoUsd most{1 + static_cast<std::int64_t>(rng.below(200'000))};
        Hold hold;
        if (account.reserve({.cost = most}, kNoon, hold)) continue;
        const std::int64_t now_running = ++running;
        for (auto seen = most_running.load(); seen < now_running;)
          if (most_running.compare_exchange_weak(seen, now_running)) break;
        NanoUsd cost{
            static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most.count) + 1))};
        const AccountState state = account.state(kNoon);
        if (state.spent.total + state.held > budget) ++over;
        --running;
        if (rng.below(10) == 0) {
          account.release(hold);
        } else {
          spent += cost.count;
          account.settle(hold, cost, 0, kNoon);
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(over, 0);
  EXPECT_LE(spent, budget.count);
  EXPECT_EQ(account.state(kNoon).spent.total.count, spent);
  EXPECT_EQ(account.state(kNoon).held.count, 0);
  EXPECT_EQ(account.state(kNoon).running, 0);
  EXPECT_LE(most_running, 6);
  EXPECT_GT(spent, budget.count * 9 / 10) << "the test never came near the budget";
}

}  // namespace
}  // namespace rung::state
