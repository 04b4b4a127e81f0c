#include "state/limits.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace rung::state {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000, kDaySeconds = 86'400;

std::chrono::year_month_day date_of(std::int64_t day) {
  return std::chrono::sys_days(std::chrono::days(day));
}

std::int64_t days_since_1970(std::chrono::year_month_day date) {
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

std::string_view name(LimitKind kind) {
  switch (kind) {
    case LimitKind::kConcurrent:
      return "concurrent requests";
    case LimitKind::kRequests:
      return "requests per minute";
    case LimitKind::kTokens:
      return "tokens per minute";
    case LimitKind::kDay:
      return "USD per day";
    case LimitKind::kMonth:
      return "USD per month";
    case LimitKind::kTotal:
      return "USD in all";
  }
  return "";
}

std::int64_t day_of(std::int64_t wall_us) { return wall_us / kSecondUs / kDaySeconds; }

std::int64_t month_of(std::int64_t wall_us) {
  const auto date = date_of(day_of(wall_us));
  return 12LL * static_cast<int>(date.year()) + static_cast<unsigned>(date.month()) - 1;
}

std::int64_t first_day_of_month(std::int64_t day) {
  const auto date = date_of(day);
  return days_since_1970(date.year() / date.month() / 1);
}

// --- MinuteWindow

void MinuteWindow::advance(std::int64_t second) {
  if (second <= now_) return;
  if (second - now_ >= kSeconds) {
    slots_.fill(0);
    sum_ = 0;
  } else {
    for (std::int64_t s = now_ + 1; s <= second; ++s)
      sum_ -= std::exchange(slots_[static_cast<std::size_t>(s % kSeconds)], 0);
  }
  now_ = second;
}

void MinuteWindow::add(std::int64_t second, std::int64_t count) {
  if (second > now_ || second <= now_ - kSeconds) return;
  slots_[static_cast<std::size_t>(second % kSeconds)] += count;
  sum_ += count;
}

std::int64_t MinuteWindow::until_freed(std::int64_t count) const {
  std::int64_t freed = 0;
  for (std::int64_t s = std::max<std::int64_t>(now_ - kSeconds + 1, 0); s <= now_; ++s) {
    freed += slots_[static_cast<std::size_t>(s % kSeconds)];
    if (freed >= count) return s + kSeconds - now_;
  }
  return kSeconds;
}

std::int64_t MinuteWindow::until_empty() const {
  for (std::int64_t s = now_; s > now_ - kSeconds && s >= 0; --s)
    if (slots_[static_cast<std::size_t>(s % kSeconds)] != 0) return s + kSeconds - now_;
  return 0;
}

// --- Account

Account::Account(Limits limits, Spent before, std::int64_t wall_us)
    : limits_(limits), spent_(before) {
  second_ = wall_us / kSecondUs;
  day_ = day_of(wall_us);
  month_ = month_of(wall_us);
  requests_.advance(second_);
  tokens_.advance(second_);
}

void Account::advance(std::int64_t wall_us) {
  const std::int64_t second = wall_us / kSecondUs;
  if (second <= second_) return;
  second_ = second;
  requests_.advance(second);
  tokens_.advance(second);
  const std::int64_t day = day_of(wall_us);
  if (day == day_) return;
  day_ = day;
  spent_.day = {};
  const std::int64_t month = month_of(wall_us);
  if (month == month_) return;
  month_ = month;
  spent_.month = {};
}

std::optional<Refusal> Account::check_usd(NanoUsd wanted, NanoUsd others,
                                          std::int64_t wall_us) const {
  const std::int64_t now = std::max(wall_us / kSecondUs, second_);
  const auto check = [&](LimitKind kind, const std::optional<NanoUsd>& limit, NanoUsd spent,
                         std::optional<std::int64_t> ends) -> std::optional<Refusal> {
    // Subtractions, so that no sum overflows.
    if (!limit || wanted.count <= limit->count - spent.count - others.count) return std::nullopt;
    Refusal refusal{.kind = kind,
                    .limit = limit->count,
                    .used = spent.count,
                    .held = others.count,
                    .wanted = wanted.count};
    refusal.only_held = wanted.count <= limit->count - spent.count;
    if (refusal.only_held) {
      refusal.retry_after = std::chrono::seconds(1);
    } else if (ends && wanted <= *limit) {
      refusal.retry_after = std::chrono::seconds(std::max<std::int64_t>(*ends - now, 1));
    }
    return refusal;
  };
  const std::int64_t tomorrow = (day_ + 1) * kDaySeconds;
  // 32 days after its first, every month has ended.
  const std::int64_t next_month = first_day_of_month(first_day_of_month(day_) + 32) * kDaySeconds;
  if (auto over = check(LimitKind::kTotal, limits_.usd_total, spent_.total, {})) return over;
  if (auto over = check(LimitKind::kMonth, limits_.usd_per_month, spent_.month, next_month))
    return over;
  return check(LimitKind::kDay, limits_.usd_per_day, spent_.day, tomorrow);
}

std::optional<Refusal> Account::reserve(const Ask& ask, std::int64_t wall_us, Hold& hold) {
  RUNG_CHECK(!hold.is_set, "a hold is taken once");
  const std::lock_guard lock(mutex_);
  advance(wall_us);
  if (limits_.concurrent && running_ >= *limits_.concurrent)
    return Refusal{.kind = LimitKind::kConcurrent,
                   .limit = *limits_.concurrent,
                   .used = running_,
                   .wanted = 1,
                   .retry_after = std::chrono::seconds(1)};
  const auto check = [&](LimitKind kind, const std::optional<std::int64_t>& limit,
                         const MinuteWindow& window,
                         std::int64_t wanted) -> std::optional<Refusal> {
    if (!limit || wanted <= *limit - window.sum()) return std::nullopt;
    Refusal refusal{
        .kind = kind, .limit = *limit, .used = window.sum(), .held = 0, .wanted = wanted};
    if (wanted <= *limit)
      refusal.retry_after =
          std::chrono::seconds(window.until_freed(window.sum() + wanted - *limit));
    return refusal;
  };
  if (auto over = check(LimitKind::kRequests, limits_.requests_per_minute, requests_, 1))
    return over;
  if (auto over = check(LimitKind::kTokens, limits_.tokens_per_minute, tokens_, ask.tokens))
    return over;
  if (limits_.has_usd())
    if (auto over = check_usd(ask.cost, held_, wall_us)) return over;
  ++running_;
  requests_.add(second_, 1);
  tokens_.add(second_, ask.tokens);
  held_ += ask.cost;
  hold = {true, ask.cost, ask.tokens, second_, day_};
  return std::nullopt;
}

std::optional<Refusal> Account::extend(Hold& hold, NanoUsd cost, std::int64_t wall_us) {
  RUNG_CHECK(hold.is_set, "only a hold that is taken grows");
  if (cost <= hold.cost) return std::nullopt;
  const NanoUsd more = cost - hold.cost;
  const std::lock_guard lock(mutex_);
  advance(wall_us);
  if (limits_.has_usd())
    if (auto over = check_usd(cost, held_ - hold.cost, wall_us)) return over;
  held_ += more;
  hold.cost = cost;
  return std::nullopt;
}

void Account::settle(Hold& hold, NanoUsd charged, std::int64_t tokens, std::int64_t wall_us) {
  RUNG_CHECK(hold.is_set, "what was not reserved cannot be settled");
  const std::lock_guard lock(mutex_);
  advance(wall_us);
  --running_;
  held_ = held_ - hold.cost;
  tokens_.add(hold.second, tokens - hold.tokens);
  spent_.total += charged;
  if (hold.day == day_) spent_.day += charged;
  if (hold.day >= first_day_of_month(day_)) spent_.month += charged;
  hold.is_set = false;
}

void Account::release(Hold& hold) {
  RUNG_CHECK(hold.is_set, "what was not reserved cannot be released");
  const std::lock_guard lock(mutex_);
  --running_;
  held_ = held_ - hold.cost;
  requests_.add(hold.second, -1);
  tokens_.add(hold.second, -hold.tokens);
  hold.is_set = false;
}

void Account::set_limits(const Limits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

Limits Account::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

AccountState Account::state(std::int64_t wall_us) {
  const std::lock_guard lock(mutex_);
  advance(wall_us);
  AccountState state;
  state.limits = limits_;
  state.spent = spent_;
  state.held = held_;
  state.running = running_;
  state.minute_requests = requests_.sum();
  state.minute_tokens = tokens_.sum();
  state.requests_reset = std::chrono::seconds(requests_.until_empty());
  state.tokens_reset = std::chrono::seconds(tokens_.until_empty());
  return state;
}

}  // namespace rung::state
