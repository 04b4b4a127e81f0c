#pragma once
// When a host says that it may be asked again.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rung::upstream {

/// The wait that `retry-after-ms` (milliseconds) or `retry-after` (seconds, also 1.5, or an HTTP
/// date) asks for; the first wins where both are there, "" is absent. Empty: neither can be read. A
/// date that has passed is 0; nothing is longer than a day. `wall_us`: microseconds since 1970.
/// Source: RFC 9110, 10.2.3 and 5.6.7, all three forms of a date.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view retry_after,
                                                           std::string_view retry_after_ms,
                                                           std::int64_t wall_us);

}  // namespace rung::upstream
