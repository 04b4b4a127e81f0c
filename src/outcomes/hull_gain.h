#pragma once
// Hull gain: what a router is worth beyond the best fixed mixture of single arms. Defined in
// docs/metrics.md:
//
//   the mean, over budgets evenly spaced between the mean cost of the cheapest arm and that of the
//   best single arm, of (score of the router at that mean cost) - (static hull at that mean cost)
//
// The router's points come from sweeping lambda over argmax(est_quality - lambda * est_cost), each
// with its realised mean cost and score; its score at a budget is the upper concave envelope of
// these points alone. Below the router's own cheapest point it can only be mixed with "always the
// cheapest arm", so the line between those two counts.
//
// Works on plain matrices, so the trainer can ask it as well. Pure functions; safe from many
// threads.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/hull.h"

namespace rung::outcomes {

/// All [rows * arms], row-major. Where score or cost is NaN the arm cannot be picked on that row.
/// Estimates may be NaN only on such cells; est_cost >= 0 in the unit of cost. The spans are
/// borrowed.
struct Estimated {
  std::size_t rows = 0, arms = 0;
  std::span<const float> score, cost;            // what happened
  std::span<const float> est_quality, est_cost;  // what was predicted

  std::size_t cell(std::size_t row, std::size_t arm) const { return row * arms + arm; }
  bool usable(std::size_t row, std::size_t arm) const;
};

/// One operating point of the router: lambda is dollars-to-points, in score per USD.
struct SweepPoint {
  double lambda = 0;
  Point mean;
};

/// A gain that is nearer to 0 is rounding: sums of float costs do not come out even. A hundredth of
/// a hundredth of a point.
inline constexpr double kGainNoise = 1e-6;

struct HullGainOptions {
  std::size_t budgets = 100;  // >= 2
  std::size_t lambdas =
      256;  // points of the sweep, at quantiles of the places where a pick changes; 0: all of them
  std::size_t bootstrap = 200;  // resamples of the rows; 0: no standard error
  std::uint64_t seed = 1;
};

struct HullGain {
  double gain = 0;                // mean score difference, 1.0 = 100 points
  double se = 0;                  // paired bootstrap over rows; 0 without bootstrap
  double low = 0, high = 0;       // 95 % percentile interval
  std::vector<double> resampled;  // [bootstrap] the gain of each resample; the same seed and usable
                                  // rows draw the same rows, so that routers can be paired
  // [bootstrap] against the best single arm of the resample: the share of its cost saved at its
  // score (0 where the router never reaches it or only at more cost), and the score added at its
  // cost.
  std::vector<double> resampled_saving, resampled_lift;
  std::vector<Point> singles;  // [arms] mean cost and score of each arm alone; NaN for an arm
                               // without a usable cell
  Hull static_hull;
  std::vector<SweepPoint> sweep;  // from lambda = infinity (cheapest) down to 0 (best)
  Hull router;                    // envelope of the sweep
  std::vector<double> budgets;    // mean cost in USD
  std::vector<double> static_score, router_score, router_low,
      router_high;                // at each budget; low/high: 95 % band
  std::size_t rows_used = 0;      // rows with at least one usable cell
  std::size_t missing_cells = 0;  // cells of used rows that could not be picked
};

/// Errors: kInvalidArgument for sizes that disagree, kInvalidData if no cell has both score and
/// cost, or if an estimate of a usable cell is not finite (the sentence names row and arm).
Result<HullGain> hull_gain(const Estimated& data, const HullGainOptions& options = {});

/// What a router picks when its own knob is turned (a threshold, Avengers-Pro's alpha), where that
/// is not the sweep of lambda.
struct PickCurve {
  std::string knob;              // "threshold", "alpha"
  std::vector<double> settings;  // of the knob, in any order; at least one
  std::vector<std::uint32_t>
      picks;  // [settings, rows] a usable arm; not looked at for rows without
  std::size_t rows = 0;

  std::span<const std::uint32_t> at(std::size_t setting) const {
    return std::span(picks).subspan(setting * rows, rows);
  }
};
/// The same measure for those picks: envelope, budgets and resampled rows as above, so that
/// `resampled` pairs with that of another router. Estimates of `data` are not looked at. In
/// `sweep`, `lambda` is the setting and the order is that of `settings`. Errors: as above, and
/// kInvalidArgument for a pick that is not usable.
Result<HullGain> hull_gain(const Estimated& data, const PickCurve& curve,
                           const HullGainOptions& options = {});

/// The last step of hull_gain: the mean, over `budgets`, of `router` (an envelope of operating
/// points) less the static hull `fixed`. Neither hull nor the budgets are empty.
double mean_gain(const Hull& fixed, const Hull& router, std::span<const double> budgets);

/// The arm a router picks on each row at one lambda: the highest est_quality - lambda * est_cost
/// among usable cells; ties go to the cheaper estimate, then to the earlier arm; arms if none is
/// usable. [rows].
std::vector<std::size_t> picks(const Estimated& data, double lambda);

}  // namespace rung::outcomes
