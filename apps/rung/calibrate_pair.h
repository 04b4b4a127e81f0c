#pragma once
// The two arms between which rung calibrate finds a threshold, and the rows that it looks at.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"
#include "outcomes/thresholds.h"
#include "predict/router.h"

namespace rung::cli {

// One arm as both sides know it, with its means over the rows where it has score and cost.
struct Arm {
  std::string name;
  std::size_t in_table = 0, in_router = 0;
  double score = 0, cost = 0;
};

struct Pair {
  Arm strong, weak;
};

struct Rows {
  std::vector<double> score, weak_quality, strong_quality, weak_cost, strong_cost;
  outcomes::PairRows view() const {
    return {score, weak_quality, strong_quality, weak_cost, strong_cost};
  }
};

/// Empty for a column without a row that has both score and cost.
std::optional<Arm> arm_of(const outcomes::Table& table, std::size_t in_table,
                          std::size_t in_router);
/// The arms of both. Error kInvalidData for fewer than two.
Result<std::vector<Arm>> known_arms(const predict::Router& router, const outcomes::Table& table);
/// Strong: the best where none is wanted; weak: the cheapest. Errors: kInvalidArgument for names
/// that are no arms, kInfeasible where one arm is both and none was named.
Result<Pair> choose_pair(const std::vector<Arm>& arms, const std::string& wanted_strong,
                         const std::string& wanted_weak);
/// The rows that have a score and a cost of both. Error kInvalidData if none has.
Result<std::vector<std::size_t>> whole_rows(const outcomes::Table& table, const Pair& pair);
/// `score`: of going strong, of each of `rows`.
Rows pair_rows(const outcomes::Table& table, const Pair& pair, const std::vector<std::size_t>& rows,
               std::vector<double> score);

}  // namespace rung::cli
