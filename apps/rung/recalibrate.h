#pragma once
// What isotonic regression or Platt scaling of a router's estimates is worth (rung evaluate
// --recalibrate), and a router with such maps (rung calibrate --recalibrate).

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/significance.h"
#include "outcomes/table.h"
#include "predict/router.h"

namespace rung::cli {

/// One way to read the estimates, on rows that did not fit it.
struct Recalibrated {
  std::string name;  // "as it is", "isotonic", "platt"
  double ece = 0, brier = 0, log_loss = 0;
  std::optional<double> gain;                 // hull gain; empty for a router of a pair
  std::optional<outcomes::Difference> ahead;  // of "as it is", in hull gain
};

/// Five folds, near-duplicates together; a map is fitted on the other four. The arms `in_table` of
/// `table`, which the router knows. The score of a router of a pair is held against "strong beats
/// weak", a tie counted half. Errors: kUnsupported for match chances; those of hull_gain.
Result<std::vector<Recalibrated>> measure_recalibration(const predict::Router& router,
                                                        const outcomes::Table& table,
                                                        const std::vector<std::size_t>& in_table,
                                                        std::size_t bootstrap, std::uint64_t seed);
std::string recalibration_text(const std::vector<Recalibrated>& rows);
std::string recalibration_report_json(const std::vector<Recalibrated>& rows);

struct RecalibrateOptions {
  std::string kind, router, out;
  std::vector<std::string> outcomes;
  bool json = false;
};
/// Writes the router with maps fitted on all rows, in place of any that it had. Errors: kInfeasible
/// if no arm has enough scores.
Result<void> recalibrate(const RecalibrateOptions& options);

}  // namespace rung::cli
