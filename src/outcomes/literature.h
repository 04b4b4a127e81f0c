#pragma once
// A router in the measures of the literature, beside our own hull gain: the same rows and picks
// seen through pair_metrics.h, routerbench_metrics.h, routerarena_metrics.h and
// llmrouterbench_metrics.h, which cite the sources. Which of our numbers goes into which measure:
// docs/metrics.md.

#include <cstddef>
#include <optional>
#include <span>

#include "outcomes/hull_gain.h"
#include "outcomes/routerarena_metrics.h"

namespace rung::outcomes {

/// Between the cheapest arm (weak) and the best single arm (strong), by the difference of their
/// estimated qualities, which orders queries as the chance that strong beats weak does.
struct PairReport {
  std::size_t weak = 0, strong = 0;  // arms
  std::size_t rows = 0;              // where both are usable
  std::optional<double> pgr;         // of the router at its operating point, whatever its arms
  std::optional<double> apgr;        // of the pair alone, and so is what follows
  std::optional<double> cpt20, cpt50, cpt80;
};

/// Divided by x_max (the code) and by x_max - x_min (the paper).
struct AiqReport {
  double x_max = 0;  // largest mean cost of the router's sweep and the single arms, USD per query
  std::optional<double> router, static_hull;
  std::optional<double> router_over_range, static_hull_over_range;
};

struct ArenaReport {
  ArenaMeans means;  // of the picks at the operating point
  std::optional<double> score, cost_score, score_clamped;
  OptimalMetrics optimal, optimal_if_right;  // unconditional, conditional
};

struct LlmRouterBenchReport {
  std::optional<double> gain_random, gain_best, gap_oracle;  // at the operating point
  std::optional<double> perf_gain, cost_save, pareto_dist;   // of the sweep
};

struct Literature {
  std::optional<PairReport> pair;  // empty if the cheapest arm is the best single arm
  AiqReport aiq;
  ArenaReport arena;
  LlmRouterBenchReport llmrouterbench;
};

/// What compare() has found, borrowed.
struct Judged {
  const Estimated& data;
  const HullGain& gain;
  const SweepPoint& operating;
  Point random, oracle;
  std::span<const std::size_t> picked;  // [rows] at the operating point; arms: none
};
Literature literature(const Judged& judged);

}  // namespace rung::outcomes
