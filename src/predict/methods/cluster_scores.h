#pragma once
// The arithmetic of Avengers (arXiv 2505.19797) and Avengers-Pro (arXiv 2508.12631, section 3; code
// ZhangYiqun018/AvengersPro): from the quality and cost of each arm in the clusters nearest to a
// query to one score for each arm. The router around it is avengers.h.
//
// The paper and the released code of Avengers-Pro are two methods; both are here by name:
//   paper         cost (q - min) / (max - min); sum of x over the nearest clusters
//   rank_softmax  cost q / max;                 sum of softmax(-beta d) / (rank + 1)
// Avengers has no cost, and sums softmax(-beta d) / (rank + 0.1).
//
// Where we differ: an arm that is not capable is out before anything is scaled (both score it); an
// arm with an unknown quality, or an unknown cost where cost weighs anything, is not scored in that
// cluster (the code: quality 0, cost 0, so free); where costs are equal nobody is the dearer (the
// paper divides by 0). The code's floor under accuracies is left out: arms below it score 0, and
// are chosen all the same if all do.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/matrix.h"

namespace rung::predict {

/// The score of an arm that cannot be chosen: below every score.
inline constexpr double kNotScored = -std::numeric_limits<double>::infinity();

/// x = performance * p~ + cost * (1 - q~). The paper: alpha and 1 - alpha; the code: any two.
struct ScoreWeights {
  double performance = 0.5, cost = 0.5;
  static ScoreWeights alpha(double a) { return {a, 1 - a}; }
};
/// kInvalidArgument unless both are finite and not negative, and one is above 0.
Result<void> check_weights(const ScoreWeights& weights);

enum class CostScale : std::uint8_t { kMinMax, kByMax };

/// x of each arm in one cluster. `quality` and `cost` [m], NaN where unknown, costs >= 0; `capable`
/// [m], 0: not to be scored, or empty: all are. Scaled over the arms that are scored: p~ is 1 for
/// all where qualities are equal (as the code), q~ is 0 where costs are. `out` [m]: in [0, 1] if
/// the weights sum to 1; kNotScored.
void score_in_cluster(std::span<const double> quality, std::span<const double> cost,
                      std::span<const std::uint8_t> capable, const ScoreWeights& weights,
                      CostScale scale, std::span<double> out);

/// softmax(-beta * distance): weights that sum to 1. At least one, all finite.
std::vector<double> cluster_weights(std::span<const double> distance, double beta);

enum class Aggregation : std::uint8_t {
  kPaper,        // sum of x
  kRankSoftmax,  // sum of weight / (rank + 1), the best arm of a cluster having rank 0
  kAvengers,     // sum of weight / (rank + 0.1)
};

/// One score for each arm. `x` [p, m]: one row for each near cluster; `weight` [p], not looked at
/// for kPaper. Equal x: the lower index has the better rank. An arm that only some of the clusters
/// score gets the (weighted) mean over those, times the whole weight: unknown is not 0. `out` [m].
void aggregate(const MatrixD& x, std::span<const double> weight, Aggregation how,
               std::span<double> out);

/// Index of the greatest score, the first of equals; none if no arm is scored.
std::optional<std::size_t> best_arm(std::span<const double> score);
/// Up to `count` arms by falling score, equal ones by index, those not scored left out: the models
/// that vote in Avengers (top_n), or the code's `max_router` candidates.
std::vector<std::size_t> top_arms(std::span<const double> score, std::size_t count);

enum class ClusterDistance : std::uint8_t {
  kEuclidean,
  kOneMinusDot,  // the code: 1 - x.c with centroids as k-means left them, shorter than 1
  kCosine,       // 1 - cos(x, c); 1 where one of them is 0
};
/// The three order clusters differently (golden number A6).
double cluster_distance(const VectorD& x, const VectorD& centroid, ClusterDistance how);

/// value / base - 1, as the headline figures are made: +7 % is relative, not points. base > 0.
inline double relative_change(double value, double base) { return value / base - 1; }

}  // namespace rung::predict
