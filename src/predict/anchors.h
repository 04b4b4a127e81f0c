#pragma once
// Anchors: the few prompts whose scores tell a new model apart from those that are known, so that
// it can be placed (placement.h) after answering a hundred prompts instead of all.
//
// A row stands for what it says of models (its place in the low-rank factors of the outcome matrix)
// and for what it asks (its embedding). Anchors are picked greedily so that they cover all rows in
// their proportions (kernel herding, Chen, Welling and Smola 2010, on a Gaussian kernel). Polo et
// al., tinyBenchmarks (arXiv 2402.14992), whose idea anchors are, cluster an item response model
// instead. The D-optimal design, which seeks the extremes, was measured too: it placed models worse
// than chance did, since scores are bounded and a line through extremes misses the middle.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"

namespace rung::predict {

struct AnchorOptions {
  std::size_t count = 100;
  std::uint64_t seed = 1;
  bool at_random = false;  // instead: what the choice is worth is measured against this
};

/// Row numbers of the anchors, in the order of choice: a prefix is a smaller set. Near-duplicates
/// (group_by_text) are never taken twice. Same table and options, same anchors, on any number of
/// threads. Errors: kInvalidArgument (a count of 0), kInvalidData (fewer different scored prompts
/// than anchors).
Result<std::vector<std::size_t>> choose_anchors(const outcomes::Table& table,
                                                const AnchorOptions& options = {});

}  // namespace rung::predict
