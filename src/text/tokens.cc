#include "text/tokens.h"

#include <algorithm>

namespace rung::text {

void count_bytes(std::string_view text, ByteHistogram& out) {
  // Four tables, because equal neighbours (spaces, line ends) would wait for each other in one.
  std::array<ByteHistogram, 4> tables{};
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  for (; i + 4 <= text.size(); i += 4) {
    ++tables[0][at(i)];
    ++tables[1][at(i + 1)];
    ++tables[2][at(i + 2)];
    ++tables[3][at(i + 3)];
  }
  for (; i < text.size(); ++i) ++tables[0][at(i)];
  for (std::size_t b = 0; b < 256; ++b)
    out[b] = tables[0][b] + tables[1][b] + tables[2][b] + tables[3][b];
}

float estimate_tokens(const ByteHistogram& bytes) {
  double tokens = 0;
  bool any = false;
  for (std::size_t b = 0; b < 256; ++b) {
    if (bytes[b] == 0) continue;
    any = true;
    const std::size_t low = b | 0x20u;
    double weight = 0.5;
    if (b >= 0x80)
      weight = (b & 0xC0u) == 0x80u ? 0.0 : 0.6;
    else if ((low >= 'a' && low <= 'z') || b == ' ')
      weight = 1 / 4.5;
    else if (b >= '0' && b <= '9')
      weight = 0.4;
    tokens += weight * bytes[b];
  }
  return any ? static_cast<float>(std::max(1.0, tokens)) : 0.0f;
}

}  // namespace rung::text
