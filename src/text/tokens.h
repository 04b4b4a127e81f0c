#pragma once
// How many tokens a text will be, without a tokenizer: a weighted sum over classes of bytes.

#include <array>
#include <cstdint>
#include <string_view>

namespace rung::text {

using ByteHistogram = std::array<std::uint32_t, 256>;

/// Counts every byte of the text. About 0.3 ns a byte.
void count_bytes(std::string_view text, ByteHistogram& out);

/// Estimated tokens of a text with these bytes; 0 for an empty text, else at least 1.
/// Letters and spaces count 1/4.5 token each, digits 1/2.5, other ASCII signs 1/2, line ends 1/2,
/// and each sign beyond ASCII 3/5 (about right for Chinese, high for accented Latin).
/// docs/training.md says how far that is from counted tokens.
float estimate_tokens(const ByteHistogram& bytes);

}  // namespace rung::text
