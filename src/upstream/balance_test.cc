#include "upstream/balance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace rung::upstream {
namespace {

std::vector<HostView> hosts(std::size_t count) {
  std::vector<HostView> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i].id = 100 + i;
  return all;
}

TEST(ChooseHost, NeverTakesOneThatIsClosedOrTriedAndTakesABetterStandingFirst) {
  Rng rng(5);
  for (int i = 0; i < 20'000; ++i) {
    auto all = hosts(1 + rng.below(5));
    for (HostView& host : all) {
      host.standing = static_cast<Standing>(rng.below(4));
      host.load = static_cast<std::uint32_t>(rng.below(10));
      host.tried = rng.below(3) == 0;
    }
    const auto open = [](const HostView& h) { return !h.tried && h.standing != Standing::kClosed; };
    const auto balance = rng.below(2) == 0 ? Balance::kPrefix : Balance::kLeastLoad;
    const auto chosen = choose_host(all, balance, rng.next(), rng.next());
    ASSERT_EQ(chosen.has_value(), std::any_of(all.begin(), all.end(), open));
    if (!chosen) continue;
    ASSERT_TRUE(open(all[*chosen]));
    for (const HostView& host : all)
      ASSERT_TRUE(!open(host) || all[*chosen].standing <= host.standing);
  }
}

TEST(ChooseHost, SpreadsEvenlyAndTwoChoicesKeepTheWorstLoadLow) {
  Rng rng(6);
  auto all = hosts(10);
  for (int i = 0; i < 10'000; ++i)
    ++all[*choose_host(all, Balance::kLeastLoad, 0, rng.next())].load;
  for (const HostView& host : all) EXPECT_NEAR(host.load, 1'000, 5);
}

TEST(ChooseHost, KeepsAConversationOnItsHostWhenAnotherOneLeaves) {
  auto all = hosts(5);
  Rng rng(7);
  int moved = 0;
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    const auto before = *choose_host(all, Balance::kPrefix, key, rng.next());
    EXPECT_EQ(before, *choose_host(all, Balance::kPrefix, key, rng.next()));
    auto fewer = all;
    fewer[3].standing = Standing::kClosed;
    const auto after = *choose_host(fewer, Balance::kPrefix, key, rng.next());
    EXPECT_TRUE(before == 3 || after == before);
    moved += before == 3;
  }
  EXPECT_NEAR(moved, 200, 60) << "each host has its fifth of the conversations";
}

TEST(ChooseHost, LetsAFullHomeGoBeforeItDrownsInOneLongPrefix) {
  auto all = hosts(4);
  Rng rng(8);
  for (int i = 0; i < 4'000; ++i) ++all[*choose_host(all, Balance::kPrefix, 42, rng.next())].load;
  for (const HostView& host : all) EXPECT_LE(host.load, 1'000 * 5 / 4 + 2);
}

}  // namespace
}  // namespace rung::upstream
