#include "upstream/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace rung::upstream {
namespace {

using std::chrono::milliseconds;

constexpr double kMostMs = 86'400'000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<milliseconds> number(std::string_view text, double unit_ms) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0))
    return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(std::ceil(std::min(value * unit_ms, kMostMs))));
}

/// Reads words and numbers of a date in a row; any step that does not fit makes it fail for good.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  bool next_is(char c) const { return rest_.starts_with(c); }
  void skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return fail();
    rest_.remove_prefix(expected.size());
  }
  /// Up to one of `stops`, which stays.
  std::string_view until(std::string_view stops) {
    const std::size_t end = std::min(rest_.find_first_of(stops), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
  }
  int digits(std::size_t count) {
    int value = 0;
    if (rest_.size() < count) return fail(), 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + count, value);
    if (error != std::errc() || end != rest_.data() + count || value < 0) return fail(), 0;
    rest_.remove_prefix(count);
    return value;
  }
  int month() {
    constexpr std::array<std::string_view, 12> kNames{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto found = std::find(kNames.begin(), kNames.end(), rest_.substr(0, 3));
    if (found == kNames.end()) return fail(), 1;
    rest_.remove_prefix(3);
    return static_cast<int>(found - kNames.begin()) + 1;
  }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" and the two older forms.
std::optional<std::int64_t> http_date(std::string_view text) {
  DateReader in(text);
  const std::string_view weekday = in.until(", ");
  if (weekday.size() < 3) return std::nullopt;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const auto time = [&] {
    hour = in.digits(2), in.skip(":"), minute = in.digits(2), in.skip(":"), second = in.digits(2);
  };
  if (text.find(',') == std::string_view::npos) {  // "Sun Nov  6 08:49:37 1994"
    in.skip(" "), month = in.month(), in.skip(" ");
    if (in.next_is(' ')) {
      in.skip(" "), day = in.digits(1);
    } else {
      day = in.digits(2);
    }
    in.skip(" "), time(), in.skip(" "), year = in.digits(4);
  } else if (weekday.size() == 3) {
    in.skip(", "), day = in.digits(2), in.skip(" "), month = in.month(), in.skip(" ");
    year = in.digits(4), in.skip(" "), time(), in.skip(" GMT");
  } else {  // "Sunday, 06-Nov-94 08:49:37 GMT"
    in.skip(", "), day = in.digits(2), in.skip("-"), month = in.month(), in.skip("-");
    year = in.digits(2), in.skip(" "), time(), in.skip(" GMT");
    year += year < 70 ? 2000 : 1900;
  }
  if (!in.ok() || !in.at_end() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

}  // namespace

std::optional<milliseconds> parse_retry_after(std::string_view retry_after,
                                              std::string_view retry_after_ms,
                                              std::int64_t wall_us) {
  if (const auto exact = number(trimmed(retry_after_ms), 1)) return exact;
  const std::string_view text = trimmed(retry_after);
  if (const auto seconds = number(text, 1000)) return seconds;
  const auto at = http_date(text);
  if (!at) return std::nullopt;
  const double ms = static_cast<double>(*at) * 1e3 - static_cast<double>(wall_us) * 1e-3;
  return milliseconds(static_cast<std::int64_t>(std::ceil(std::clamp(ms, 0.0, kMostMs))));
}

}  // namespace rung::upstream
