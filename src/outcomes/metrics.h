#pragma once
// Everything a report says about a router on a set of outcomes. Definitions: docs/metrics.md.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/hull_gain.h"
#include "outcomes/literature.h"
#include "outcomes/table.h"
#include "outcomes/worth.h"

namespace rung::outcomes {

struct ArmSummary {
  std::string name;
  Point mean;        // alone, over its usable rows; NaN if it has none
  double share = 0;  // of the router's picks at its operating point
  bool on_hull = false;
};

/// Estimates of quality against what happened, over all usable cells.
struct Calibration {
  double ece = 0;       // expected calibration error, ten right-closed bins of equal width
  double brier = 0;     // mean squared error
  double log_loss = 0;  // natural logarithm, estimates held within [1e-6, 1 - 1e-6]
  double cost_ratio_error =
      0;  // mean of |log(estimate / cost)| where both are > 0, as a factor - 1
};

/// A budget and what the router and the best fixed mixture score there.
struct AtBudget {
  double cost = 0, router = 0, fixed = 0;
};

struct Comparison {
  HullGain gain;
  std::string knob;  // what its sweep turns, if not lambda; operating.lambda is then its setting
  std::vector<ArmSummary> arms;
  std::size_t cheapest = 0, best = 0;  // arms: lowest mean cost; highest mean score
  Point random;                        // a usable arm drawn evenly on each row
  Point oracle;                     // the best arm of each row, of equally good ones the cheapest
  std::vector<Point> oracle_curve;  // envelope of the sweep with the truth as estimate
  std::optional<HullGain>
      task_label;  // per-category means, cross-fitted in 5 folds; only if every row has a category
  std::optional<double> match_best_cost;  // lowest mean cost at the best single arm's score
  std::vector<AtBudget> at_budgets;       // at 0, 25, 50, 75, 100 % of the range of budgets
  SweepPoint operating;  // the cheapest that matches the best single arm; if none, where it is
                         // furthest above the static hull
  Calibration calibration;
  Literature literature;
  std::optional<Worth> worth;  // not made by compare(): worth.h
};

/// `data` speaks of the rows and arms of `table`. Errors: those of hull_gain.
/// `curve`: judged by these picks, its own knob, instead of by the sweep of lambda.
Result<Comparison> compare(const Table& table, const Estimated& data,
                           const HullGainOptions& options = {}, const PickCurve* curve = nullptr);

/// Where a sweep first matches the best single arm; if it never does, where it is furthest above
/// the static hull.
SweepPoint operating_point(const HullGain& gain);
/// The arm picked on each row there; data.arms on a row without a usable one. `curve`: as for
/// compare().
std::vector<std::size_t> picks_at(const Estimated& data, const PickCurve* curve,
                                  const HullGain& gain, const SweepPoint& operating);

/// True if the 95 % interval of the hull gain lies above 0 (kGainNoise).
bool worth_routing(const Comparison& comparison);
/// One plain sentence.
std::string verdict(const Comparison& comparison);

}  // namespace rung::outcomes
