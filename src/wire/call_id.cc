#include "wire/call_id.h"

#include <array>
#include <cstdint>
#include <optional>

#include "json/value.h"

namespace rung::wire {
namespace {

constexpr std::string_view kMark = "-rungx-";
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, without padding.
std::string base64url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out.push_back(kDigits[bits >> (count - 6) & 63]);
  }
  if (count > 0) out.push_back(kDigits[bits << (6 - count) & 63]);
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 255));
  }
  return out;
}

}  // namespace

std::string with_extra(std::string_view id, std::string_view extra) {
  std::string out(id);
  if (!extra.empty()) out.append(kMark).append(base64url(extra));
  return out;
}

CallId split_call_id(std::string_view id) {
  const std::size_t at = id.rfind(kMark);
  if (at == std::string_view::npos) return {std::string(id), {}};
  auto extra = from_base64url(id.substr(at + kMark.size()));
  // What clients send is not trusted to be ours.
  if (!extra || !json::parse(*extra)) return {std::string(id), {}};
  return {std::string(id.substr(0, at)), *std::move(extra)};
}

std::string anthropic_call_id(std::string_view id) {
  std::string plain = split_call_id(id).id;
  for (char& c : plain)
    if (kDigits.find(c) == std::string_view::npos) c = '_';
  return plain;
}

}  // namespace rung::wire
