#pragma once
// Which side of a split, or which fold, a row is on: a hash of its group's key and the seed,
// nothing else. So the same row is on the same side on every machine and when other rows are added,
// and near-duplicates are never parted.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "outcomes/group.h"

namespace rung::outcomes {

struct Split {
  std::vector<std::size_t> train, test;  // row numbers, ascending
};

/// Each group goes to the test with probability `fraction`, in [0, 1].
Split split_rows(const Groups& groups, double fraction, std::uint64_t seed);

/// [n], each in [0, folds); folds >= 1. Independent of split_rows with the same seed.
std::vector<std::uint32_t> fold_rows(const Groups& groups, std::uint32_t folds, std::uint64_t seed);

}  // namespace rung::outcomes
