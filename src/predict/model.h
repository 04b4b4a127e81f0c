#pragma once
// Everything that a trained router serves, as plain tables. `Model` owns them (training),
// `ModelView` looks at them (they may lie in an artefact). m arms, d = kQualityDims.
//
//   quality of arm j = base_j + x.linear_j + e.encoder_linear_j + clusters_j + neighbours_j
//                      + softmax(x.task_weights + e.encoder_task_weights).task_table_j
//
// with x the design vector (embedding.h) and e that of the optional sentence encoder (encoder.h).
// Weights of the ensemble are already in the tables. A pruned arm has no table entries of its own:
// it follows the two arms between which it lies below the frontier.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "predict/costs.h"
#include "predict/embedding.h"
#include "predict/neighbours.h"
#include "predict/predictor.h"

namespace rung::predict {

/// quality = (1 - weight) * quality[low] + weight * quality[high] - gap
struct PrunedArm {
  std::uint32_t arm = 0, low = 0, high = 0;
  float weight = 0, gap = 0;
};

struct ModelView {
  std::size_t arms = 0;
  EmbeddingView embedding;
  std::span<const float> base;                  // [m]
  std::span<const float> linear;                // [d, m] row-major, or empty
  std::span<const float> encoder_linear;        // [encoder dims, m] row-major, or empty
  std::span<const float> encoder_task_weights;  // [encoder dims, tasks], or empty
  std::span<const float> task_weights;          // [d, tasks] row-major, or empty
  std::span<const float> task_table;            // [tasks, m]
  std::span<const float> centroids;             // [clusters, kEmbeddingDims], unit rows, or empty
  std::span<const float> cluster_table;         // [clusters, m]
  std::span<const std::int8_t> exemplars;  // [exemplars, kEmbeddingDims], 127 * unit rows, or empty
  std::span<const float> exemplar_deviation;  // [exemplars, m]; NaN where the arm was not scored
  NeighbourConfig neighbours;
  std::span<const PrunedArm> pruned;
  std::span<const float> cost_weights, cost_low, cost_high;  // [m, kDesignDims], [m], [m]
  std::span<const std::uint8_t> cost_form;                   // [m], AmountForm
  std::span<const float> token_weights, token_low,
      token_high;  // completion tokens, the same shapes
  std::span<const std::uint8_t> token_form;
  std::span<const float> se_floor;    // [m] standard error that no training row removes
  std::span<const float> noise;       // [m] standard deviation of one score around its expectation
  std::span<const float> covariance;  // [d, d] inverse of the ridge's normal matrix, or empty
  float common = 0;                   // Model::common
};

/// One member of the ensemble, for people.
struct MemberInfo {
  std::string name;    // "linear", "neighbours", ...
  std::string detail;  // its hyper-parameters
  double weight = 0;   // after shrinkage; 0: not used
};

struct Model {
  std::string method = "ensemble";
  bool is_static =
      false;  // nothing beat the static mixture: only `base` and the mean costs are there
  std::uint64_t seed = 1;
  std::vector<ArmInfo> arms;
  std::vector<MemberInfo> members;
  // Out of fold: what is expected of it on rows like those of training. Points are hundredths of
  // score.
  double hull_gain = 0, hull_gain_se = 0;
  std::uint64_t rows = 0;

  Embedding embedding;
  std::string encoder_name, encoder_sha256;  // of the encoder that it needs; empty: none
  std::uint32_t encoder_tokens = 0;
  std::vector<float> encoder_linear, encoder_task_weights;
  std::vector<float> base, linear, task_weights, task_table, centroids, cluster_table,
      exemplar_deviation;
  std::vector<std::int8_t> exemplars;
  NeighbourConfig neighbours;
  std::vector<PrunedArm> pruned;
  AmountModel cost, tokens;
  std::vector<float> se_floor, noise, covariance;
  // How much farther from their means all arms are moved together than the members say: those are
  // weighed by the differences between arms, which leave open how hard a prompt is for all.
  float common = 0;

  ModelView view() const;
};

/// Working memory of one thread.
struct EstimateScratch {
  std::vector<float> task, value, total;
  std::vector<std::int64_t> nearest;
};

/// Estimates of the arms `wanted` (empty: of every arm) for one design vector [kDesignDims]. Finite
/// for finite tables; quality within [0, 1], differences between arms kept where they fit.
/// Allocates only while `scratch` grows. `encoded` [encoder dims] is read only where the model has
/// tables for it.
void estimate_arms(const ModelView& model, std::span<const float> design,
                   std::span<const std::uint32_t> wanted, std::span<Estimate> out,
                   EstimateScratch& scratch, std::span<const float> encoded = {});

}  // namespace rung::predict
