#pragma once
// One pass over a prompt: hashed word and character n-grams, and counts of what is on its surface.
// No vocabulary, no model, any bytes. The numbers are part of every artefact: a change here is a
// new kFeatureVersion.
//
//   "Is 7 > 3?"  ──►  words      is, 7, 3, "is 7", "7 3"              2^13 buckets
//                     characters " is", "is ", " is ", ...            2^13 buckets, inside words
//                     padded by blanks surface    length, digits, capitals, ...        46 numbers
//
// Bytes from 0x80 count as letters, so UTF-8 works without decoding (and broken UTF-8 does no
// harm). Case is folded for ASCII. Texts over 48 KiB: n-grams and word counts come from the first
// and the last 24 KiB, byte counts from all of it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace rung::text {

inline constexpr std::uint32_t kFeatureVersion = 1;
inline constexpr std::size_t kWordBuckets = 1 << 13;
inline constexpr std::size_t kCharBuckets = 1 << 13;
inline constexpr std::size_t kBuckets = kWordBuckets + kCharBuckets;
inline constexpr std::size_t kSurface = 46;
inline constexpr std::size_t kWindowBytes = 24 << 10;

struct Ngram {
  std::uint32_t bucket;  // words in [0, kWordBuckets), characters after them
  float weight;          // 1 + ln(count): sublinear term frequency, before idf and normalisation
};

struct Features {
  std::vector<Ngram> words, chars;      // each bucket once, in order of first appearance
  std::array<float, kSurface> surface;  // counts as ln(1 + count), shares in [0, 1]; finite
  std::size_t bytes = 0;
};

/// Has the working memory of one thread: not thread-safe. Allocates nothing after the first texts.
class Extractor {
 public:
  Extractor();
  void extract(std::string_view text, Features& out);

 private:
  struct Tally;
  void window(std::string_view text, Features& out, Tally& tally);
  void count(std::uint32_t bucket, std::vector<Ngram>& out);
  std::vector<std::uint16_t> counts_;  // [kBuckets], zero between calls
};

/// Tokens that a text is likely to have: a quarter of its characters, rounded up. The rule of thumb
/// of the providers' own documentation for English; code and other scripts have more. What is
/// billed is what the provider counts.
std::size_t estimate_tokens(std::string_view text);

}  // namespace rung::text
