#pragma once
// What a prompt looks like, in one pass over its bytes and without a vocabulary file:
//
//   bytes ──► words, word pairs ──► 2^13 hashed buckets ─┐
//         ──► characters in word, 3 to 5 ──► 2^13 buckets ┼──► Features
//         ──► surface counts, token estimate ────────────┘
//
// Any bytes are accepted: what is not UTF-8 counts as one unknown sign per byte. Letters are
// lower-cased (ASCII, Latin-1, Greek, Cyrillic); every Chinese or Japanese sign is a word.
//
// Long texts: grams and word classes come from the first kHeadBytes and the last kTailBytes only;
// byte counts (length, digits, capitals, line ends, punctuation) come from the whole text. That is
// what keeps a prompt of 100k tokens under a millisecond.
//
// The meaning of every bucket and count is part of the artefact format: whoever changes it raises
// kFeatureVersion, and routers of another version are refused.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace rung::text {

inline constexpr int kFeatureVersion = 1;
inline constexpr std::size_t kBlockBuckets = std::size_t{1} << 13;  // of each of the two blocks
inline constexpr std::size_t kBuckets = 2 * kBlockBuckets;          // words first, then characters
inline constexpr std::size_t kSurfaceCount = 48;
inline constexpr std::size_t kHeadBytes = 8192;
inline constexpr std::size_t kTailBytes = 4096;

struct Features {
  std::vector<std::uint16_t> buckets;          // distinct, below kBuckets, in order of first sight
  std::vector<std::uint16_t> counts;           // [buckets.size()] occurrences, >= 1, saturating
  std::array<float, kSurfaceCount> surface{};  // finite; logarithms of counts, or shares
  float prompt_tokens = 0;                     // estimate, see estimate_tokens
  std::uint64_t bytes = 0;
};

/// Names of the surface counts, for explanations; same order as Features::surface.
std::span<const std::string_view, kSurfaceCount> surface_names();

/// Reads texts. Not thread-safe: one per thread. After the first few texts it allocates nothing.
class FeatureReader {
 public:
  FeatureReader();
  /// Overwrites `out`. Same text, same features, on every machine.
  void read(std::string_view text, Features& out);

 private:
  std::vector<std::uint16_t> tally_;  // [kBuckets], all zero between calls
};

}  // namespace rung::text
