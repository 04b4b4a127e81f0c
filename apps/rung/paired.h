#pragma once
// rung evaluate --compare: whether two routers differ on the same queries, or only their luck does.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/significance.h"
#include "outcomes/table.h"
#include "predict/router.h"

namespace rung::cli {

/// a is the router that is evaluated, b the other one.
struct PairedReport {
  std::string other;     // file of b
  std::size_t rows = 0;  // that count
  double gain_a = 0, gain_b = 0;
  std::optional<outcomes::Difference> gain;  // of the hull gains; empty without resamples
  // Each where it first matches the best single arm, else where it is furthest above the hull.
  double score_a = 0, score_b = 0, cost_a = 0, cost_b = 0;  // means; USD
  outcomes::Difference score, cost;
  double score_p = 1, cost_p = 1;  // permutation tests
  outcomes::SignTest sign;         // of the scores, row by row
};

/// On the arms `in_table` (columns of `table`), which are `in_a` and `in_b` of the routers. Errors:
/// those of hull_gain and of the tests; kCancelled.
Result<PairedReport> compare_paired(const predict::Router& a, const predict::Router& b,
                                    const outcomes::Table& table,
                                    const std::vector<std::size_t>& in_table, std::size_t bootstrap,
                                    std::uint64_t seed);
std::string paired_text(const PairedReport& report);
std::string paired_json(const PairedReport& report);

}  // namespace rung::cli
