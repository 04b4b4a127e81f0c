#include "ledger_time.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>

namespace rung::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::sys_days;

/// Takes `digits` digits off the front of `text`.
std::optional<int> take(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  const char* end = text.data() + digits;
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value < 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool skip(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> ago(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  std::int64_t seconds = 0;
  switch (text.back()) {
    case 's':
      seconds = 1;
      break;
    case 'm':
      seconds = 60;
      break;
    case 'h':
      seconds = 3'600;
      break;
    case 'd':
      seconds = 86'400;
      break;
    default:
      return std::nullopt;
  }
  std::int64_t count = 0;
  const char* end = text.data() + text.size() - 1;
  const auto read = std::from_chars(text.data(), end, count);
  if (read.ec != std::errc() || read.ptr != end || count < 0 || count > 100'000'000)
    return std::nullopt;
  return count * seconds * 1'000'000;
}

std::optional<std::int64_t> moment(std::string_view text) {
  const auto year = take(text, 4);
  if (!year || !skip(text, '-')) return std::nullopt;
  const auto month = take(text, 2);
  if (!month || !skip(text, '-')) return std::nullopt;
  const auto day = take(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  std::int64_t seconds = 0;
  if (skip(text, 'T') || skip(text, ' ')) {
    const auto hour = take(text, 2);
    if (!hour || !skip(text, ':')) return std::nullopt;
    const auto minute = take(text, 2);
    if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
    seconds = *hour * 3'600 + *minute * 60;
    if (skip(text, ':')) {
      const auto second = take(text, 2);
      if (!second || *second > 59) return std::nullopt;
      seconds += *second;
    }
    skip(text, 'Z');
  }
  if (!text.empty()) return std::nullopt;
  return microseconds(sys_days(date).time_since_epoch()).count() + seconds * 1'000'000;
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us) {
  if (const auto back = ago(text)) return now_us - *back;
  if (const auto at = moment(text)) return *at;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("\"{}\" is no time; expected how long ago, such as 30m, 12h or 7d, or a "
                           "UTC time such as 2026-11-24 or 2026-11-24T10:30:00Z",
                           text)};
}

std::string show_time(std::int64_t us) {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(us)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<seconds>(at - day)};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

}  // namespace rung::cli
