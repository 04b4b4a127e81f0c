#pragma once
// RouterArena's measures: one score of accuracy and log-scaled cost, and how often, how dearly and
// how well a router hits the cheapest correct arm.
//
// Source: Lu et al., RouterArena (arXiv 2510.00202) and two versions of its code. Where we differ:
// undefined is empty (theirs fails at cost 0), how many costs are missing is said, and optimality
// is unconditional by default (the older code leaves out the queries that the router got wrong,
// which forces Opt.Acc to 1). Costs in USD, accuracy 0 to 1; a missing number of a matrix is NaN.
// Pure functions; safe from many threads.

#include <cstddef>
#include <limits>
#include <optional>
#include <span>

namespace rung::outcomes {

/// Fixed by the benchmark, so that scores compare across time.
struct ArenaScale {
  double most = 200, least = 0.0044;  // USD per 1,000 queries
  double beta = 0.1;                  // weight of the cost: small favours accuracy
};

/// C = log2(most / cost) / log2(most / least): 1 at `least`, 0 at `most`, and past these ends;
/// empty for a cost that is not above 0.
std::optional<double> arena_cost_score(double usd_per_1000, const ArenaScale& scale = {});
/// The same held within [0, 1], where a cost of 0 counts as 1. Not the benchmark's number.
std::optional<double> arena_cost_score_clamped(double usd_per_1000, const ArenaScale& scale = {});

/// S = (1 + beta) A C / (beta A + C). Below 0 for a cost above `most`. Empty where C is, for an
/// accuracy outside [0, 1], and where beta A + C is not above 0: past that pole the sign would
/// turn.
std::optional<double> arena_score(double accuracy, double usd_per_1000,
                                  const ArenaScale& scale = {});
/// The same with the clamped C. Not the benchmark's number.
std::optional<double> arena_score_clamped(double accuracy, double usd_per_1000,
                                          const ArenaScale& scale = {});

/// The benchmark's denominators: accuracy over the entries that have one; total cost over the
/// entries whose cost is above 0, but divided by all entries.
struct ArenaMeans {
  std::optional<double> accuracy;      // empty: no entry has one
  std::optional<double> usd_per_1000;  // empty: no entry has a cost above 0
  std::size_t entries = 0, scored = 0;
  std::size_t unpriced = 0;  // entries that make usd_per_1000 too low: cost missing or not above 0
};
/// [n] each.
ArenaMeans arena_means(std::span<const double> accuracy, std::span<const double> cost);

inline constexpr std::size_t kNoPick = std::numeric_limits<std::size_t>::max();

/// [rows * arms] row-major, and the router's arm for each row (kNoPick: none).
struct ArenaOutcomes {
  std::size_t rows = 0, arms = 0;
  std::span<const double> accuracy, cost;
  std::span<const std::size_t> picks;  // [rows]
};

enum class Optimality {
  kUnconditional,  // all queries that some arm gets right
  kConditional,    // of these, only the ones that the router got right: Opt.Acc is then 1
};

/// The optimal arm of a query is the cheapest with accuracy >= 1; of equally cheap ones the first.
struct OptimalMetrics {
  std::optional<double> selection;  // share of queries where the router picked it
  std::optional<double> cost;       // its cost over the router's: above 1 for cheap wrong answers
  std::optional<double> accuracy;   // the router's accuracy over its
  std::size_t queries = 0;          // that count
};
/// Queries without an optimal arm, without a pick, or whose pick lacks accuracy or cost count not.
OptimalMetrics optimal_metrics(const ArenaOutcomes& data,
                               Optimality kind = Optimality::kUnconditional);

/// 1 - flips / matched: the share of perturbed prompts whose pick is that of the clean prompt.
/// Pairs with kNoPick on a side do not match; empty if none does. A constant router has 1.
std::optional<double> arena_robustness(std::span<const std::size_t> clean,
                                       std::span<const std::size_t> perturbed);

}  // namespace rung::outcomes
