#pragma once
// The part of `rung calibrate` that brings a new model in: choose anchors, place a model from its
// scores on them, measure how well that goes.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ask_anchors.h"
#include "base/result.h"
#include "outcomes/table.h"
#include "predict/placement.h"

namespace rung::cli {

struct AnchorCommand {
  std::optional<std::size_t> choose;  // --anchors
  std::string from, scores, out, name, price;
  bool report = false, at_random = false;
  std::vector<std::size_t> sizes{50, 100, 300};
  double holdout = 0.3;
  std::uint64_t seed = 1;
  AskOptions ask;
  // Shared with the rest of rung calibrate.
  std::string router;
  std::vector<std::string> outcomes;
  bool json = false;

  bool asked() const { return choose || !from.empty() || report; }
};

void add_anchor_options(CLI::App& command, AnchorCommand& options);
/// Exactly one of --anchors, --anchors-from and --anchors-report.
Result<void> run_anchors(const AnchorCommand& options);
/// Leaves each arm out in turn; in anchors_report.cc.
Result<void> report_anchors(const AnchorCommand& options);

/// Scores of the arms `known` (columns of `table`) and of the column `arm` on `rows` that have one.
/// The design vectors are those of `model`.
predict::AnchorRows anchor_rows(const predict::Model& model, const outcomes::Table& table,
                                const std::vector<std::size_t>& known, std::size_t arm,
                                const std::vector<std::size_t>& rows);

}  // namespace rung::cli
