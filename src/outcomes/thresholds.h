#pragma once
// Which threshold to serve with between a strong and a weak arm, from calibration rows that trained
// nothing. A query goes to the strong arm if its score is at least tau.
//
//   share     strong for a wished share of queries          quantile of the scores
//   budget    as many strong calls as a mean cost allows
//   quality   as few strong calls as a drop of quality allows
//
// Sources: share: RouteLLM (arXiv 2406.18665), tau = quantile_{1-p} of s. Quality: Hybrid-LLM
// (arXiv 2404.14618), section 4.5: the greatest cost advantage (share of weak calls) within a drop
// in percent of |all strong|; its score is for the small model, so that its r is our 1 - s. Where
// we differ: a tau between two scores is any number that parts them, and we give the shortest.
// Bounds that hold with a stated confidence are in risk.h; these here hold on the calibration rows
// only, and choosing the best of many thresholds makes them a little too hopeful.
// Scores are in [0, 1]. Pure functions; safe from many threads.

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace rung::outcomes {

/// One row of each is one query. [n] each, borrowed.
struct PairRows {
  std::span<const double> score;  // of going strong, such as the chance that strong beats weak
  std::span<const double> weak_quality, strong_quality;
  std::span<const double> weak_cost, strong_cost;  // USD
};

/// What a threshold does on the calibration rows.
struct OperatingPoint {
  double tau = 0;
  double strong_share = 0, strong_share_se = 0;  // binomial: sqrt(p (1 - p) / n)
  double quality = 0, cost = 0;                  // means over all rows
  std::optional<double> drop_percent;  // of quality against all strong; empty where that is 0
  std::optional<double> highest_weak;  // highest score that goes weak; empty: none does
  double cost_advantage() const { return 1 - strong_share; }
};

/// sqrt(p (1 - p) / n); n > 0.
double binomial_se(double p, double n);

/// The shortest decimal that is above `low` and at most `high`: parts two neighbouring scores.
double shortest_between(double low, double high);

/// quantile_{1-p} of the scores, linear between order statistics. With ties more than p go strong.
/// Errors: kInvalidArgument for no scores or p outside [0, 1]; kInvalidData for a score outside
/// [0, 1].
Result<double> threshold_for_share(std::span<const double> scores, double p);

/// Errors here and below: kInvalidArgument for no rows or sizes that disagree, kInvalidData for
/// what is not finite or a score outside [0, 1].
Result<OperatingPoint> at_threshold(const PairRows& rows, double tau);

/// Every way to part the rows by score, from all strong (tau 0) to all weak (tau 1; left out if a
/// score of 1 makes it unreachable).
Result<std::vector<OperatingPoint>> operating_points(const PairRows& rows);

/// The point at threshold_for_share.
Result<OperatingPoint> calibrate_share(const PairRows& rows, double p);

/// The most strong calls whose mean cost is at most `budget` USD per query. kInfeasible, with the
/// lowest mean cost there is, if none is.
Result<OperatingPoint> calibrate_budget(const PairRows& rows, double budget);

/// The fewest strong calls whose drop of quality is at most `max_drop_percent`, which may be below
/// 0 to ask for a gain. kInfeasible, with the smallest drop there is, if none is; or if the quality
/// of all strong is 0, so that no percentage of it is defined.
Result<OperatingPoint> calibrate_quality(const PairRows& rows, double max_drop_percent);

}  // namespace rung::outcomes
