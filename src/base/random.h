#pragma once
// Seeded random numbers with one fixed algorithm (xoshiro256**, Blackman and Vigna 2018), so that
// the same seed gives the same artefact on every machine; std distributions do not promise that.

#include <cstdint>
#include <span>
#include <utility>

namespace rung {

/// One step of SplitMix64 (Steele et al. 2014): a good mixer of 64 bits, and the seeder of Rng.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Not thread-safe: each thread or task has its own, seeded from its number.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  std::uint64_t next();
  double uniform();                          // [0, 1)
  std::uint64_t below(std::uint64_t bound);  // [0, bound), unbiased; bound > 0
  double normal();                           // mean 0, variance 1
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_[4];
};

}  // namespace rung
