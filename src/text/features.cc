#include "text/features.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rung::text {
namespace {

constexpr bool is_letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}
constexpr bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

enum : std::uint8_t { kSpace = 1, kDigit = 2, kLetter = 4, kUpper = 8 };

struct ByteTable {
  std::array<std::uint8_t, 256> kind{};
  std::array<unsigned char, 256> lower{};
};

constexpr ByteTable make_table() {
  ByteTable table;
  for (unsigned i = 0; i < 256; ++i) {
    const auto c = static_cast<unsigned char>(i);
    table.kind[i] = static_cast<std::uint8_t>(
        (is_space(c) ? kSpace : 0) | (is_digit(c) ? kDigit : 0) | (is_letter(c) ? kLetter : 0) |
        (c >= 'A' && c <= 'Z' ? kUpper : 0));
    table.lower[i] = c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c + 32) : c;
  }
  return table;
}
constexpr ByteTable kTable = make_table();

constexpr std::uint64_t kMix = 0x9e3779b97f4a7c15ULL;

std::uint32_t word_bucket(std::uint64_t h) {
  return static_cast<std::uint32_t>((h * kMix) >> (64 - 13));
}
std::uint32_t char_bucket(std::uint64_t bytes, unsigned n) {
  return static_cast<std::uint32_t>(kWordBuckets +
                                    (((bytes ^ (std::uint64_t{n} << 56)) * kMix) >> (64 - 13)));
}

/// Words that say what kind of question it is; each is one surface number.
constexpr std::array<std::string_view, 10> kMarkers{
    "what", "which", "how", "why", "who", "not", "if", "calculate", "write", "explain"};

float log1p_of(std::size_t n) { return std::log1p(static_cast<float>(n)); }

}  // namespace

/// Counts over words, gathered window by window.
struct Extractor::Tally {
  std::size_t words = 0, letters = 0, numbers = 0, longest_number = 0, longest_word = 0,
              capitalised = 0, all_caps = 0;
  std::size_t lines = 0, option_lines = 0, blank_lines = 0, list_lines = 0;
  std::array<std::size_t, kMarkers.size()> markers{};
};

Extractor::Extractor() : counts_(kBuckets) {}

void Extractor::count(std::uint32_t bucket, std::vector<Ngram>& out) {
  if (counts_[bucket] == 0) out.push_back({bucket, 0});
  if (counts_[bucket] != 0xffff) ++counts_[bucket];
}

void Extractor::window(std::string_view text, Features& out, Tally& tally) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const std::size_t n = text.size();
  // 1. Words and what stands at the begin of lines.
  std::uint64_t previous = 0;
  bool line_start = true;
  for (std::size_t i = 0; i < n;) {
    const std::uint8_t kind = kTable.kind[p[i]];
    if (line_start && !(kind & kSpace)) {
      ++tally.lines;
      // "A. ...", "(b) ...", "3) ...": answers to choose from, or a list.
      const std::size_t at = p[i] == '(' ? i + 1 : i;
      if (at + 1 < n && (p[at + 1] == '.' || p[at + 1] == ')')) {
        if (kTable.lower[p[at]] >= 'a' && kTable.lower[p[at]] <= 'j')
          ++tally.option_lines;
        else if (kTable.kind[p[at]] & kDigit)
          ++tally.list_lines;
      } else if (p[i] == '-' || p[i] == '*') {
        ++tally.list_lines;
      }
      line_start = false;
    }
    if (kind & (kLetter | kDigit)) {
      const std::size_t begin = i;
      std::uint64_t h = 0xcbf29ce484222325ULL;
      std::uint8_t all = 0xff, any = 0;
      for (; i < n && (kTable.kind[p[i]] & (kLetter | kDigit)); ++i) {
        h = (h ^ kTable.lower[p[i]]) * 0x100000001b3ULL;
        all &= kTable.kind[p[i]];
        any |= kTable.kind[p[i]];
      }
      const std::size_t length = i - begin;
      ++tally.words;
      tally.letters += length;
      if (all & kDigit) {
        ++tally.numbers;
        tally.longest_number = std::max(tally.longest_number, length);
      } else {
        tally.longest_word = std::max(tally.longest_word, std::min<std::size_t>(length, 64));
        if (kTable.kind[p[begin]] & kUpper) ++tally.capitalised;
        if (length > 1 && (all & kUpper)) ++tally.all_caps;
        if (length <= 9 && !(any & kDigit)) {
          for (std::size_t m = 0; m < kMarkers.size(); ++m) {
            if (kMarkers[m].size() != length ||
                kTable.lower[p[begin]] != static_cast<unsigned char>(kMarkers[m][0]))
              continue;
            std::size_t same = 1;
            while (same < length &&
                   kTable.lower[p[begin + same]] == static_cast<unsigned char>(kMarkers[m][same]))
              ++same;
            if (same == length) ++tally.markers[m];
          }
        }
      }
      count(word_bucket(h), out.words);
      if (previous != 0) count(word_bucket(previous * 0x2545f4914f6cdd1dULL + h), out.words);
      previous = h;
      continue;
    }
    if (p[i] == '\n') {
      if (line_start) ++tally.blank_lines;
      line_start = true;
    }
    ++i;
  }
  // 2. Characters inside what white space parts, padded by a blank on each side.
  for (std::size_t i = 0; i < n;) {
    while (i < n && (kTable.kind[p[i]] & kSpace)) ++i;
    if (i == n) break;
    // `last` holds the latest eight bytes, the newest lowest; it begins with the blank before the
    // word.
    std::uint64_t last = ' ';
    std::size_t length = 1;
    bool ended = false;
    while (!ended) {
      ended = i == n || (kTable.kind[p[i]] & kSpace);
      last = last << 8 | (ended ? static_cast<unsigned char>(' ') : kTable.lower[p[i]]);
      ++length;
      if (length >= 3) count(char_bucket(last & 0xffffff, 3), out.chars);
      if (length >= 4) count(char_bucket(last & 0xffffffff, 4), out.chars);
      if (length >= 5) count(char_bucket(last & 0xffffffffff, 5), out.chars);
      if (!ended) ++i;
    }
  }
}

void Extractor::extract(std::string_view text, Features& out) {
  out.words.clear();
  out.chars.clear();
  out.bytes = text.size();
  Tally tally;
  if (text.size() <= 2 * kWindowBytes) {
    window(text, out, tally);
  } else {
    window(text.substr(0, kWindowBytes), out, tally);
    window(text.substr(text.size() - kWindowBytes), out, tally);
  }
  // Term frequencies; the counters are left zero for the next text.
  static const auto kLog = [] {
    std::array<float, 64> table{};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = 1 + std::log(static_cast<float>(i));
    return table;
  }();
  for (auto* grams : {&out.words, &out.chars}) {
    for (Ngram& gram : *grams) {
      const std::uint16_t c = std::exchange(counts_[gram.bucket], std::uint16_t{0});
      gram.weight = c < kLog.size() ? kLog[c] : 1 + std::log(static_cast<float>(c));
    }
  }
  // Every byte is counted, in four histograms so that equal neighbours do not wait for each other.
  std::array<std::array<std::uint32_t, 256>, 4> bytes{};
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k) ++bytes[k][p[i + k]];
  for (; i < text.size(); ++i) ++bytes[0][p[i]];
  std::array<std::size_t, 256> n{};
  std::size_t digits = 0, upper = 0, spaces = 0, high = 0, punctuation = 0;
  for (std::size_t c = 0; c < 256; ++c) {
    n[c] = std::size_t{bytes[0][c]} + bytes[1][c] + bytes[2][c] + bytes[3][c];
    const std::uint8_t kind = kTable.kind[c];
    if (kind & kDigit)
      digits += n[c];
    else if (kind & kUpper)
      upper += n[c];
    else if (kind & kSpace)
      spaces += n[c];
    else if (c >= 0x80)
      high += n[c];
    else if (!(kind & kLetter))
      punctuation += n[c];
  }
  const auto total = static_cast<float>(std::max<std::size_t>(1, text.size()));
  const auto words = static_cast<float>(std::max<std::size_t>(1, tally.words));
  const auto share = [&](std::size_t k) { return static_cast<float>(k) / total; };
  const auto of = [&](char c) { return log1p_of(n[static_cast<unsigned char>(c)]); };
  const std::array<float, kSurface> surface{log1p_of(text.size()),
                                            log1p_of(tally.words),
                                            log1p_of(tally.lines),
                                            log1p_of(tally.option_lines),
                                            log1p_of(tally.list_lines),
                                            log1p_of(tally.blank_lines),
                                            log1p_of(tally.numbers),
                                            log1p_of(tally.longest_number),
                                            log1p_of(tally.longest_word),
                                            static_cast<float>(tally.letters) / words,
                                            static_cast<float>(tally.capitalised) / words,
                                            static_cast<float>(tally.all_caps) / words,
                                            share(digits),
                                            share(upper),
                                            share(spaces),
                                            share(high),
                                            share(punctuation),
                                            log1p_of(digits),
                                            of('\n'),
                                            of('?'),
                                            of('!'),
                                            of('.'),
                                            of(','),
                                            of(':'),
                                            of(';'),
                                            of('('),
                                            of('['),
                                            of('{'),
                                            of('='),
                                            of('+') + of('*'),
                                            of('-'),
                                            of('/'),
                                            of('^'),
                                            of('_'),
                                            of('\\') + of('$'),
                                            of('"') + of('`'),
                                            log1p_of(tally.markers[0]),
                                            log1p_of(tally.markers[1]),
                                            log1p_of(tally.markers[2]),
                                            log1p_of(tally.markers[3]),
                                            log1p_of(tally.markers[4]),
                                            log1p_of(tally.markers[5]),
                                            log1p_of(tally.markers[6]),
                                            log1p_of(tally.markers[7]),
                                            log1p_of(tally.markers[8]),
                                            log1p_of(tally.markers[9])};
  out.surface = surface;
}

std::size_t estimate_tokens(std::string_view text) {
  // Characters are the bytes that do not continue one.
  std::size_t characters = 0;
  for (const char c : text) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return (characters + 3) / 4;
}

}  // namespace rung::text
