#pragma once
// A few hundred English words that say what a prompt wants, looked up by the hash of the word.

#include <cstddef>
#include <cstdint>

namespace rung::text {

enum class WordClass : std::uint8_t {
  kNone,
  kCode,
  kWhat,
  kWhich,
  kHow,
  kWhy,
  kWho,
  kNegation,
  kTask,
  kVerb,
  kFirstPerson
};
inline constexpr std::size_t kWordClasses = 11;

inline constexpr std::uint64_t kWordSeed = 0xcbf29ce484222325ULL;

/// The hash of a word grows sign by sign (FNV-1a over code points); signs are lower-cased already.
constexpr std::uint64_t extend_word(std::uint64_t hash, std::uint32_t sign) {
  return (hash ^ sign) * 0x100000001b3ULL;
}

/// kNone for unknown words. Thread-safe.
WordClass class_of(std::uint64_t word_hash);

}  // namespace rung::text
