#pragma once
// Avengers-Pro (arXiv 2508.12631) and Avengers (arXiv 2505.19797): no training but k-means and
// averages. Queries of a calibration set are clustered by embedding; each arm has a mean quality
// and a mean cost in each cluster; a query is scored from the clusters nearest to it
// (cluster_scores.h, which says where we differ there).
//
//   embeddings ─► k-means ─► cluster of each row ─► means by arm ─► near clusters ─► score of each
//   arm
//
// Where we differ here: means are shrunk to the arm's mean over all rows by pseudo-counts (a
// cluster of 30 rows has a standard error near 0.09); 0 pseudo-counts are the published means.
// Means of costs stand for the paper's sums: the same up to scale where all arms ran on the same
// rows, and still comparable where they did not.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/methods/cluster_scores.h"

namespace rung::predict {

struct AvengersOptions {
  Aggregation how = Aggregation::kPaper;
  CostScale scale = CostScale::kMinMax;
  ClusterDistance distance = ClusterDistance::kEuclidean;
  std::size_t clusters = 60;
  std::size_t near = 4;       // clusters that a query is scored from
  double beta = 9;            // sharpness of their weights; not used by kPaper
  double pseudo_counts = 10;  // 0: the published means
  std::uint64_t seed = 42;
  std::size_t restarts = 10;  // of k-means

  /// The paper, section 3: 60 clusters, the 4 nearest; weights alpha and 1 - alpha.
  static AvengersOptions paper();
  /// The released configuration: 25 clusters, 3 near, beta 9; weights 0.45 and 0.55.
  static AvengersOptions rank_softmax();
  /// Avengers: 64 clusters, 3 near, beta 6 (its documented example); weights 1 and 0.
  static AvengersOptions avengers();
};

/// What a query is scored from: plain tables, all threads may share one.
struct ClusterRouter {
  MatrixD centroids;      // [k, d]
  MatrixD quality, cost;  // [k, m] means after shrinkage; NaN where unknown
  Aggregation how = Aggregation::kPaper;
  CostScale scale = CostScale::kMinMax;
  ClusterDistance distance = ClusterDistance::kEuclidean;
  std::size_t near = 4;
  double beta = 9;

  std::size_t arms() const { return static_cast<std::size_t>(quality.cols()); }
  std::size_t clusters() const { return static_cast<std::size_t>(centroids.rows()); }
  /// The clusters nearest to a query, nearest first, equal ones by index, and how far they are.
  struct Near {
    std::vector<std::size_t> cluster;
    std::vector<double> distance;
  };
  Near nearest(std::span<const float> query) const;
  /// Expected score of each arm: the mean of its means in the near clusters that have one, plain
  /// for kPaper, else weighted as their scores are; NaN where none has one. `out` [m].
  void expected_quality(std::span<const float> query, std::span<double> out) const;
  /// A score for each arm, kNotScored where it cannot be chosen; NaN never leaves. `query` [d],
  /// finite; `capable` [m] or empty (all): what lacks a capability must not be scored, or a cheap
  /// arm wins without being able to answer. `weights` must pass check_weights. `out` [m].
  void scores(std::span<const float> query, std::span<const std::uint8_t> capable,
              const ScoreWeights& weights, std::span<double> out) const;
};

/// The sums behind a ClusterRouter: arms come and go without new clusters. One thread at a time.
class Avengers {
 public:
  /// `embeddings` [n, d], finite, any length (used at unit length; a zero row stays one); `score`
  /// and `cost` [n, m], NaN where missing, costs in USD >= 0. Scores, not deviations, since arms
  /// are compared (`whole_scores` in battles.h). One row: one cluster. Constant scores: quality
  /// then decides nothing. The same on any number of threads. Errors: kInvalidArgument (options),
  /// kInvalidData (no row or arm, shapes, a cost below 0, no score at all). An arm without a score
  /// is never scored, one without a cost only where cost weighs nothing: arm_is_known() tells.
  static Result<Avengers> fit(const Matrix& embeddings, const Matrix& score, const Matrix& cost,
                              const AvengersOptions& options = {});

  /// A new last arm, from its scores and costs on the same rows [n]. Gives its index. kInvalidData
  /// as in fit, and for an arm without a score.
  Result<std::size_t> add_arm(std::span<const float> score, std::span<const float> cost);
  /// Takes an arm out; those after it move down. kNotFound; kInvalidArgument for the last one left.
  Result<void> retire_arm(std::size_t arm);

  const ClusterRouter& router() const { return router_; }
  /// True if it can be scored, with cost weighing something or not.
  bool arm_is_known(std::size_t arm, bool with_cost) const;

 private:
  void refresh();

  ClusterRouter router_;
  double pseudo_counts_ = 0;
  std::vector<std::uint32_t> group_;                         // cluster of each calibration row
  MatrixD score_sum_, score_count_, cost_sum_, cost_count_;  // [k, m]: they add up over shards
};

}  // namespace rung::predict
