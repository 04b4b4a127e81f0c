#pragma once
// The context of a trace as it crosses HTTP: the `traceparent` header of W3C Trace Context
// (w3.org/TR/trace-context, level 1; version 00, later versions are read as far as 00 goes).

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rung::gateway {

struct TraceId {
  std::uint64_t high = 0, low = 0;
  bool is_set() const { return high != 0 || low != 0; }
  bool operator==(const TraceId&) const = default;
};

struct TraceParent {
  TraceId trace;
  std::uint64_t span = 0;  // of the caller
  bool sampled = false;
  bool operator==(const TraceParent&) const = default;
};

/// Empty: none, or none that the standard allows (it is then as if there were none).
std::optional<TraceParent> parse_traceparent(std::string_view header);

/// "00-<32 hexadecimal digits>-<16>-01".
using TraceParentText = std::array<char, 55>;
TraceParentText format_traceparent(const TraceParent& parent);

/// 16 and 32 lower-case hexadecimal digits.
std::array<char, 16> hex(std::uint64_t value);
std::array<char, 32> hex(TraceId id);

}  // namespace rung::gateway
