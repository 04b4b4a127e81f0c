#include "text/features.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "text/tokens.h"
#include "text/unicode.h"
#include "text/word_classes.h"

namespace rung::text {
namespace {

constexpr std::array<std::string_view, kSurfaceCount> kNames = {
    "bytes",        "words",       "word_length",  "digits",     "digit_share",  "upper_share",
    "lines",        "line_length", "backslashes",  "dollars",    "braces",       "parentheses",
    "brackets",     "underscores", "equals",       "operators",  "angles",       "questions",
    "exclamations", "commas",      "periods",      "colons",     "semicolons",   "double_quotes",
    "apostrophes",  "hashes",      "backticks",    "code_words", "options",      "question_first",
    "what",         "which",       "how",          "why",        "who",          "numbers",
    "long_numbers", "decimals",    "beyond_ascii", "bullets",    "negations",    "task_words",
    "verbs",        "new_words",   "last_sign",    "blanks",     "first_person", "blank_lines"};

constexpr std::uint64_t kOdd[6] = {0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL,
                                   0x165667b19e3779f9ULL, 0xd6e8feb86659fd93ULL,
                                   0xa0761d6478bd642fULL, 0xe7037ed1a0b428dbULL};

std::uint32_t bucket(std::uint64_t mixed) {
  mixed ^= mixed >> 32;
  mixed *= 0xff51afd7ed558ccdULL;
  return static_cast<std::uint32_t>(mixed >> (64 - 13));
}

/// The state of one pass; see read() for the order of the parts.
struct Pass {
  Pass(std::vector<std::uint16_t>& tally_table, std::vector<std::uint16_t>& first_seen)
      : tally(tally_table), seen(first_seen) {}

  std::vector<std::uint16_t>& tally;
  std::vector<std::uint16_t>& seen;
  std::array<std::uint32_t, kWordClasses> classes{};
  std::uint32_t words = 0, new_words = 0, word_signs = 0;
  std::uint32_t numbers = 0, long_numbers = 0, decimals = 0, options = 0, bullets = 0, blanks = 0;
  std::uint32_t blank_lines = 0;
  std::uint32_t last_sign = 0;
  WordClass first_word = WordClass::kNone;

  void hit(std::uint32_t b) {
    if (tally[b] == 0) seen.push_back(static_cast<std::uint16_t>(b));
    if (tally[b] != std::numeric_limits<std::uint16_t>::max()) ++tally[b];
  }

  // Words: runs of letters and digits.
  std::uint64_t word = kWordSeed, previous = 0;
  std::uint32_t word_length = 0, word_digits = 0;
  void add_to_word(std::uint32_t sign) {
    word = extend_word(word, sign);
    ++word_length;
    word_digits += sign >= '0' && sign <= '9';
  }
  void end_word(std::uint32_t next) {
    if (word_length == 0) return;
    const std::uint32_t b = bucket(word * kOdd[0]);
    new_words += tally[b] == 0;
    hit(b);
    if (previous != 0) hit(bucket((previous * kOdd[1]) ^ (word * kOdd[2])));
    const WordClass known = class_of(word);
    if (known != WordClass::kNone) ++classes[static_cast<std::size_t>(known)];
    if (words == 0) first_word = known;
    ++words;
    word_signs += word_length;
    if (word_digits > 0) {
      ++numbers;
      long_numbers += word_digits > 3;
      decimals += next == '.' || next == ',';
    } else if (word_length == 1 && line_signs <= 3 && (next == '.' || next == ')' || next == ':')) {
      ++options;  // "A." or "(b)" at the start of a line
    }
    previous = word;
    word = kWordSeed;
    word_length = word_digits = 0;
  }

  // Characters in word: grams of 3 to 5 signs of " token ", tokens being cut at white space.
  std::uint64_t w[5] = {};  // the last five signs, newest first
  std::uint32_t length = 0;
  void gram(std::uint32_t sign) {
    w[4] = w[3];
    w[3] = w[2];
    w[2] = w[1];
    w[1] = w[0];
    w[0] = sign + 1;
    ++length;
    if (length < 3) return;
    const std::uint64_t three = w[0] * kOdd[0] + w[1] * kOdd[1] + w[2] * kOdd[2];
    hit(bucket(three) + static_cast<std::uint32_t>(kBlockBuckets));
    if (length < 4) return;
    const std::uint64_t four = three + w[3] * kOdd[3];
    hit(bucket(four) + static_cast<std::uint32_t>(kBlockBuckets));
    if (length < 5) return;
    hit(bucket(four + w[4] * kOdd[4]) + static_cast<std::uint32_t>(kBlockBuckets));
  }
  void end_token() {
    if (length == 0) return;
    gram(' ');
    length = 0;
  }

  // Lines.
  std::uint32_t line_signs = 0;
  void window(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::uint32_t sign = lower(next_sign(text, at));
      const SignClass kind = classify(sign);
      if (kind == SignClass::kSpace) {
        end_word(sign);
        end_token();
        if (sign == '\n') {
          blank_lines += line_signs == 0;
          line_signs = 0;
        }
        continue;
      }
      ++line_signs;
      if (length == 0) gram(' ');
      gram(sign);
      if (kind == SignClass::kWord) {
        add_to_word(sign);
      } else {
        end_word(sign);
        if (kind == SignClass::kIdeograph) {
          add_to_word(sign);
          end_word(0);
        }
        bullets += line_signs == 1 && (sign == '-' || sign == '*' || sign == 0x2022);
        blanks += sign == '_' && last_sign == '_';
      }
      last_sign = sign;
    }
    end_word(0);
    end_token();
    previous = 0;
  }
};

float log_count(double count) { return static_cast<float>(std::log1p(count)); }

std::size_t boundary(std::string_view text, std::size_t at) {
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u) ++at;
  return at;
}

void fill_surface(const ByteHistogram& bytes, std::size_t size, const Pass& pass,
                  std::array<float, kSurfaceCount>& out) {
  const auto n = [&](char sign) {
    return static_cast<double>(bytes[static_cast<unsigned char>(sign)]);
  };
  const auto range = [&](int from, int to) {
    double sum = 0;
    for (int b = from; b <= to; ++b) sum += bytes[static_cast<std::size_t>(b)];
    return sum;
  };
  const auto words = [&](WordClass kind) {
    return log_count(pass.classes[static_cast<std::size_t>(kind)]);
  };
  const double length = std::max(1.0, static_cast<double>(size));
  const double digits = range('0', '9'), lines = n('\n') + 1;
  const double word_count = std::max(1.0, static_cast<double>(pass.words));
  const WordClass first = pass.first_word;
  const bool asks = first == WordClass::kWhat || first == WordClass::kWhich ||
                    first == WordClass::kHow || first == WordClass::kWhy ||
                    first == WordClass::kWho;
  const std::uint32_t last = pass.last_sign;
  std::size_t i = 0;
  const auto put = [&](double value) { out[i++] = static_cast<float>(value); };
  put(log_count(static_cast<double>(size)));
  put(log_count(pass.words));
  put(std::min(20.0, pass.word_signs / word_count));
  put(log_count(digits));
  put(digits / length);
  put(range('A', 'Z') / length);
  put(log_count(lines));
  put(log_count(length / lines));
  put(log_count(n('\\')));
  put(log_count(n('$')));
  put(log_count(n('{') + n('}')));
  put(log_count(n('(') + n(')')));
  put(log_count(n('[') + n(']')));
  put(log_count(n('_')));
  put(log_count(n('=')));
  put(log_count(n('+') + n('-') + n('*') + n('/') + n('^')));
  put(log_count(n('<') + n('>')));
  put(log_count(n('?')));
  put(log_count(n('!')));
  put(log_count(n(',')));
  put(log_count(n('.')));
  put(log_count(n(':')));
  put(log_count(n(';')));
  put(log_count(n('"')));
  put(log_count(n('\'')));
  put(log_count(n('#')));
  put(log_count(n('`')));
  put(words(WordClass::kCode));
  put(log_count(pass.options));
  put(asks ? 1 : 0);
  put(words(WordClass::kWhat));
  put(words(WordClass::kWhich));
  put(words(WordClass::kHow));
  put(words(WordClass::kWhy));
  put(words(WordClass::kWho));
  put(log_count(pass.numbers));
  put(log_count(pass.long_numbers));
  put(log_count(pass.decimals));
  put(range(0x80, 0xFF) / length);
  put(log_count(pass.bullets));
  put(words(WordClass::kNegation));
  put(words(WordClass::kTask));
  put(words(WordClass::kVerb));
  put(pass.new_words / word_count);
  put(last == '?' ? 1 : last == ':' ? -1 : last == '.' ? 0.5 : 0);
  put(log_count(pass.blanks));
  put(words(WordClass::kFirstPerson));
  put(log_count(pass.blank_lines));
}

}  // namespace

std::span<const std::string_view, kSurfaceCount> surface_names() { return kNames; }

FeatureReader::FeatureReader() : tally_(kBuckets, 0) {}

void FeatureReader::read(std::string_view text, Features& out) {
  out.buckets.clear();
  out.bytes = text.size();

  // 1. Every byte, for length and punctuation.
  ByteHistogram bytes;
  count_bytes(text, bytes);

  // 2. Grams, from the whole text or from its two ends.
  Pass pass(tally_, out.buckets);
  if (text.size() <= kHeadBytes + kTailBytes) {
    pass.window(text);
  } else {
    pass.window(text.substr(0, boundary(text, kHeadBytes)));
    pass.window(text.substr(boundary(text, text.size() - kTailBytes)));
  }

  // 3. The tally, emptied for the next text.
  out.counts.resize(out.buckets.size());
  for (std::size_t i = 0; i < out.buckets.size(); ++i) {
    out.counts[i] = tally_[out.buckets[i]];
    tally_[out.buckets[i]] = 0;
  }
  fill_surface(bytes, text.size(), pass, out.surface);
  out.prompt_tokens = estimate_tokens(bytes);
}

}  // namespace rung::text
