// What a key costs a request: its digest, and reserving and settling with every kind of limit.

#include <benchmark/benchmark.h>

#include "state/key_hash.h"
#include "state/limits.h"

namespace rung::state {
namespace {

constexpr std::int64_t kNow = 1'760'000'000'000'000;

void digest(benchmark::State& state) {
  const std::string key = make_key();
  for (auto _ : state) benchmark::DoNotOptimize(digest_of(key));
}
BENCHMARK(digest);

Account& shared_account() {
  static Account account({.requests_per_minute = 1'000'000'000'000,
                          .tokens_per_minute = 1'000'000'000'000,
                          .concurrent = 1'000,
                          .usd_per_day = NanoUsd{1'000'000'000'000'000},
                          .usd_per_month = NanoUsd{1'000'000'000'000'000},
                          .usd_total = NanoUsd{1'000'000'000'000'000}},
                         {}, kNow);
  return account;
}

void reserve_and_settle(benchmark::State& state) {
  Account& account = shared_account();
  std::int64_t now = kNow;
  for (auto _ : state) {
    Hold hold;
    benchmark::DoNotOptimize(account.reserve({.tokens = 10, .cost = NanoUsd{10}}, ++now, hold));
    account.settle(hold, NanoUsd{5}, 5, now);
  }
}
BENCHMARK(reserve_and_settle)->ThreadRange(1, 8)->UseRealTime();

}  // namespace
}  // namespace rung::state
