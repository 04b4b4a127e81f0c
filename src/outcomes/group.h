#pragma once
// Rows that ask the same thing in (nearly) the same words, so that a split never puts one of them
// in training and its twin in the test. Linear in the rows: MinHash (Broder 1997) over shingles of
// three words of the normalised text (lower case; runs of white space and punctuation are one
// space), banded (Leskovec et al., Mining of Massive Datasets, 3.4); rows that share a band are
// joined if their signatures agree on the stated share. Within a band's bucket a row is compared
// with the first and the previous one only: that keeps it linear.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "outcomes/table.h"

namespace rung::outcomes {

struct GroupOptions {
  double min_jaccard =
      0.8;  // of the two sets of shingles, as the signatures estimate it (+- 0.035)
};

struct Groups {
  std::vector<std::uint32_t> of_row;  // [n], in [0, count)
  std::vector<std::uint64_t>
      key;  // [count], smallest id hash of its rows: stable as other rows come
  std::size_t count() const { return key.size(); }
};

/// The text that is compared. Bytes from 0x80 count as letters, so any UTF-8 (or none) is fine.
std::string normalise(std::string_view text);

/// Groups of near-duplicate prompts, numbered in order of first appearance. Uses all cores; same
/// result on any number.
Groups group_by_text(const Table& table, const GroupOptions& options = {});

/// Each row alone: for data that is known to have no duplicates.
Groups group_by_id(const Table& table);

}  // namespace rung::outcomes
