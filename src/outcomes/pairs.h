#pragma once
// Preference pairs: two models answered one prompt, and one answer was preferred. JSON lines
// {"prompt","model_a","model_b","winner"}: winner is model_a, model_b, a, b or tie.

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "outcomes/table.h"

namespace rung::outcomes {

class Record;

struct PreferencePair {
  std::string_view prompt, a, b;  // last as long as the record
  double score_a = 0.5;           // 1, 0, or 0.5 for a tie; b has the rest
};
/// kInvalidData, naming file, line and field.
Result<PreferencePair> parse_pair(const Record& record);

/// The table that `rung import pairs` makes of them: one row for each pair, with the scores 1 and
/// 0, or 0.5 twice, and no costs. Errors: kInvalidJson, kInvalidData (also for no pair), kIo,
/// kNotFound, kCancelled.
Result<Table> read_pairs(std::span<const std::string> files);

}  // namespace rung::outcomes
