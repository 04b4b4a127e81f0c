#pragma once
// What a key or a route may use, and the account that holds it to that: reserve before a call,
// settle after it.
//
//   Hold hold;
//   if (auto refusal = account.reserve({.tokens = 900, .cost = most}, clock.wall_us(), hold)) ...
//   ... the call ...
//   account.settle(hold, charged, tokens, clock.wall_us());    // or release(hold)
//
// A reservation holds the most that a call may cost, so that running calls together never exceed a
// budget: at every moment spent + held <= limit. All limits of an account are checked together
// under one short lock (no input or output inside, about 50 ns): two counters that must agree are
// not two atomics. Time comes as wall time, microseconds since 1970; one that steps back counts as
// standing still.

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "state/record.h"

namespace rung::state {

/// Each empty: no limit.
struct Limits {
  std::optional<std::int64_t> requests_per_minute = {};  // in any 60 seconds
  std::optional<std::int64_t> tokens_per_minute = {};    // in and out, in any 60 seconds
  std::optional<std::int64_t> concurrent = {};           // requests at the same time
  std::optional<NanoUsd> usd_per_day = {};               // days and months are UTC
  std::optional<NanoUsd> usd_per_month = {};
  std::optional<NanoUsd> usd_total = {};

  bool has_usd() const { return usd_per_day || usd_per_month || usd_total; }
  bool any() const { return requests_per_minute || tokens_per_minute || concurrent || has_usd(); }
  bool operator==(const Limits&) const = default;
};

enum class LimitKind : std::uint8_t { kConcurrent, kRequests, kTokens, kDay, kMonth, kTotal };
/// "concurrent requests", "requests per minute", "tokens per minute", "USD per day", ...
std::string_view name(LimitKind kind);
constexpr bool is_usd(LimitKind kind) { return kind >= LimitKind::kDay; }

/// Why a reservation was refused: the first limit that it would break.
struct Refusal {
  LimitKind kind = LimitKind::kConcurrent;
  // Requests, tokens, or nano-dollars, as the kind says.
  std::int64_t limit = 0, used = 0, held = 0, wanted = 0;
  /// When the same request may pass; empty: never by waiting (it alone is over the limit, or a
  /// total is spent).
  std::optional<std::chrono::seconds> retry_after = {};
  /// Only what running requests hold is in the way, not what was used.
  bool only_held = false;
};

/// What one request wants to use.
struct Ask {
  std::int64_t tokens = 0;
  NanoUsd cost = {};  // at most
};

/// What one request holds of an account. Plain; belongs to the request.
struct Hold {
  bool is_set = false;
  NanoUsd cost = {};
  std::int64_t tokens = 0, second = 0, day = 0;
};

/// What was spent before this process began.
struct Spent {
  NanoUsd total = {}, month = {}, day = {};
};

/// An account at one moment.
struct AccountState {
  Limits limits = {};
  Spent spent = {};
  NanoUsd held = {};
  std::int64_t running = 0, minute_requests = 0, minute_tokens = 0;
  std::chrono::seconds requests_reset{0}, tokens_reset{0};  // until nothing of them counts any more
};

/// Days since 1970, UTC; months as 12 * year + month.
std::int64_t day_of(std::int64_t wall_us);
std::int64_t month_of(std::int64_t wall_us);
/// The wall time at which the day's first month day begins.
std::int64_t first_day_of_month(std::int64_t day);

/// Sums of the last 61 seconds by the second: no 60 seconds ever hold more than the sum says.
class MinuteWindow {
 public:
  void advance(std::int64_t second);
  void add(std::int64_t second, std::int64_t count);  // within the window, else forgotten
  std::int64_t sum() const { return sum_; }
  /// Seconds until the sum has sunk by `count`; 61 if it never holds so much.
  std::int64_t until_freed(std::int64_t count) const;
  std::int64_t until_empty() const;

 private:
  static constexpr std::int64_t kSeconds = 61;
  std::array<std::int64_t, kSeconds> slots_{};
  std::int64_t now_ = 0, sum_ = 0;
};

/// Thread-safe.
class Account {
 public:
  explicit Account(Limits limits = {}, Spent before = {}, std::int64_t wall_us = 0);
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  /// All or nothing. `hold` must be unset, and is set if nothing is returned.
  std::optional<Refusal> reserve(const Ask& ask, std::int64_t wall_us, Hold& hold);
  /// Holds up to `cost` in all: for one more call of the same request. Refused, nothing changes.
  std::optional<Refusal> extend(Hold& hold, NanoUsd cost, std::int64_t wall_us);
  /// What was really used; ends the hold. A cost counts for the day on which the request came.
  void settle(Hold& hold, NanoUsd charged, std::int64_t tokens, std::int64_t wall_us);
  /// As if the request had never been.
  void release(Hold& hold);

  void set_limits(const Limits& limits);
  Limits limits() const;
  AccountState state(std::int64_t wall_us);

 private:
  void advance(std::int64_t wall_us);
  /// `others`: what other requests hold.
  std::optional<Refusal> check_usd(NanoUsd wanted, NanoUsd others, std::int64_t wall_us) const;

  mutable std::mutex mutex_;
  Limits limits_;
  Spent spent_;
  NanoUsd held_;
  std::int64_t running_ = 0, second_ = 0, day_ = 0, month_ = 0;
  MinuteWindow requests_, tokens_;
};

}  // namespace rung::state
