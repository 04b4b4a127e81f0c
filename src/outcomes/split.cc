#include "outcomes/split.h"

#include "base/check.h"
#include "base/random.h"

namespace rung::outcomes {
namespace {

constexpr std::uint64_t kSplitSalt = 0x73706c6974ULL, kFoldSalt = 0x666f6c64ULL;

// Uniform in [0, 1), from the key alone.
double place(std::uint64_t key, std::uint64_t seed, std::uint64_t salt) {
  return static_cast<double>(mix64(key ^ mix64(seed ^ mix64(salt))) >> 11) * 0x1p-53;
}

}  // namespace

Split split_rows(const Groups& groups, double fraction, std::uint64_t seed) {
  RUNG_CHECK(fraction >= 0 && fraction <= 1, "a split fraction outside [0, 1]");
  Split split;
  for (std::size_t row = 0; row < groups.of_row.size(); ++row) {
    const bool test = place(groups.key[groups.of_row[row]], seed, kSplitSalt) < fraction;
    (test ? split.test : split.train).push_back(row);
  }
  return split;
}

std::vector<std::uint32_t> fold_rows(const Groups& groups, std::uint32_t folds,
                                     std::uint64_t seed) {
  RUNG_CHECK(folds >= 1, "a split into no folds");
  std::vector<std::uint32_t> fold;
  fold.reserve(groups.of_row.size());
  for (const std::uint32_t group : groups.of_row) {
    fold.push_back(static_cast<std::uint32_t>(place(groups.key[group], seed, kFoldSalt) * folds));
  }
  return fold;
}

}  // namespace rung::outcomes
