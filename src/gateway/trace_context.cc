#include "gateway/trace_context.h"

#include <algorithm>

namespace rung::gateway {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

/// Lower-case digits only, as the standard has it.
std::optional<std::uint64_t> read_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

std::array<char, 16> hex(std::uint64_t value) {
  std::array<char, 16> out;
  for (std::size_t i = out.size(); i-- > 0; value >>= 4) out[i] = kDigits[value & 15];
  return out;
}

std::array<char, 32> hex(TraceId id) {
  std::array<char, 32> out;
  const auto high = hex(id.high), low = hex(id.low);
  std::copy(high.begin(), high.end(), out.begin());
  std::copy(low.begin(), low.end(), out.begin() + 16);
  return out;
}

std::optional<TraceParent> parse_traceparent(std::string_view header) {
  constexpr std::size_t kLength = 55;
  if (header.size() < kLength || header[2] != '-' || header[35] != '-' || header[52] != '-')
    return std::nullopt;
  const auto version = read_hex(header.substr(0, 2));
  if (!version || *version == 0xff) return std::nullopt;
  // Version 00 ends here; a later one may go on after another dash.
  if (header.size() > kLength && (*version == 0 || header[kLength] != '-')) return std::nullopt;
  const auto high = read_hex(header.substr(3, 16)), low = read_hex(header.substr(19, 16));
  const auto span = read_hex(header.substr(36, 16)), flags = read_hex(header.substr(53, 2));
  if (!high || !low || !span || !flags || (*high == 0 && *low == 0) || *span == 0)
    return std::nullopt;
  return TraceParent{{*high, *low}, *span, (*flags & 1) != 0};
}

TraceParentText format_traceparent(const TraceParent& parent) {
  TraceParentText out;
  auto at = out.begin();
  const auto put = [&](const auto& text) { at = std::copy(text.begin(), text.end(), at); };
  put(std::string_view("00-"));
  put(hex(parent.trace));
  put(std::string_view("-"));
  put(hex(parent.span));
  put(std::string_view(parent.sampled ? "-01" : "-00"));
  return out;
}

}  // namespace rung::gateway
