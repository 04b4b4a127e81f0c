#pragma once
// Just enough of Unicode for features: decoding that never fails, classes, lower case.

#include <cstdint>
#include <string_view>

namespace rung::text {

enum class SignClass : std::uint8_t { kSpace, kWord, kIdeograph, kOther };

/// Decodes the sign at `at` and moves `at` past it. A byte that starts no valid UTF-8 sequence is
/// one sign of its own (0xDC00 + byte, a surrogate that valid text cannot contain). Needs at <
/// size.
inline std::uint32_t next_sign(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const std::uint32_t b = byte(at);
  if (b < 0x80) {
    ++at;
    return b;
  }
  if (b >= 0xC2 && b < 0xE0 && continues(at + 1)) {
    const std::uint32_t sign = ((b & 0x1Fu) << 6) | (byte(at + 1) & 0x3Fu);
    at += 2;
    return sign;
  }
  if (b >= 0xE0 && b < 0xF0 && continues(at + 1) && continues(at + 2)) {
    const std::uint32_t sign =
        ((b & 0x0Fu) << 12) | ((byte(at + 1) & 0x3Fu) << 6) | (byte(at + 2) & 0x3Fu);
    if (sign >= 0x800 && (sign < 0xD800 || sign > 0xDFFF)) {
      at += 3;
      return sign;
    }
  }
  if (b >= 0xF0 && b < 0xF5 && continues(at + 1) && continues(at + 2) && continues(at + 3)) {
    const std::uint32_t sign = ((b & 0x07u) << 18) | ((byte(at + 1) & 0x3Fu) << 12) |
                               ((byte(at + 2) & 0x3Fu) << 6) | (byte(at + 3) & 0x3Fu);
    if (sign >= 0x10000 && sign <= 0x10FFFF) {
      at += 4;
      return sign;
    }
  }
  ++at;
  return 0xDC00u + b;
}

inline SignClass classify(std::uint32_t sign) {
  if (sign < 0x80) {
    if (sign <= 0x20 || sign == 0x7F) return SignClass::kSpace;
    const std::uint32_t lower = sign | 0x20u;
    if ((lower >= 'a' && lower <= 'z') || (sign >= '0' && sign <= '9')) return SignClass::kWord;
    return SignClass::kOther;
  }
  if (sign == 0x85 || sign == 0xA0 || sign == 0x3000 || (sign >= 0x2000 && sign <= 0x200B) ||
      sign == 0x2028 || sign == 0x2029)
    return SignClass::kSpace;
  if (sign < 0xAA || (sign > 0xAA && sign < 0xC0) || sign == 0xD7 || sign == 0xF7)
    return SignClass::kOther;
  if ((sign >= 0x2010 && sign < 0x2C00) || (sign >= 0x3001 && sign <= 0x3004) ||
      (sign >= 0x3008 && sign <= 0x3020) || (sign >= 0xD800 && sign <= 0xF8FF) ||
      (sign >= 0xFF00 && sign <= 0xFF0F) || (sign >= 0x1F000 && sign <= 0x1FAFF))
    return SignClass::kOther;
  if ((sign >= 0x2E80 && sign <= 0x9FFF) || (sign >= 0xF900 && sign <= 0xFAFF) ||
      (sign >= 0x20000 && sign <= 0x3FFFF))
    return SignClass::kIdeograph;
  return SignClass::kWord;
}

inline std::uint32_t lower(std::uint32_t sign) {
  if (sign < 0x80) return sign >= 'A' && sign <= 'Z' ? sign + 0x20 : sign;
  if ((sign >= 0xC0 && sign <= 0xDE && sign != 0xD7) || (sign >= 0x391 && sign <= 0x3A9) ||
      (sign >= 0x410 && sign <= 0x42F))
    return sign + 0x20;
  if (sign >= 0x400 && sign <= 0x40F) return sign + 0x50;
  return sign;
}

}  // namespace rung::text
