#pragma once
// Tables of mean deviations: by predicted task (the label learnt from the text) and by cluster of
// the embedding (Avengers-Pro's idea, arXiv 2508.12631, with shrinkage).

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "predict/dataset.h"
#include "predict/ridge.h"

namespace rung::predict {

inline constexpr float kTaskSharpness = 12;  // softmax(12 s) of the one-versus-rest scores
inline constexpr float kTaskPseudoCounts = 2;
inline constexpr float kClusterPseudoCounts = 10;
inline constexpr float kClusterSharpness = 9;  // softmax(9 cos) over the nearest clusters
inline constexpr std::size_t kNearClusters = 3;

/// Mean deviation [groups, m] of the rows with fold != left_out and group[i] >= 0, shrunk to 0 by
/// pseudo-counts.
Matrix mean_table(const Dataset& data, const std::vector<std::int32_t>& group, std::size_t groups,
                  std::uint32_t left_out, float pseudo);

/// softmax(sharpness * scores), in place.
void soften(std::span<float> scores, float sharpness);

/// One-hot targets [n, categories]; a row without a category is 0 throughout. Looks into `data`.
Targets one_hot(const Dataset& data);
/// Out-of-fold predictions [n, m] of the task table; `alpha` of the one-versus-rest ridge, which was
/// fitted to `x`.
Matrix tasks_out_of_fold(const Dataset& data, const Matrix& x, const FoldedRidge& ridge,
                         double alpha);

/// Unit centroids [k, kEmbeddingDims] by spherical k-means (k-means++ start, seeded), on at most
/// 20,000 rows.
Matrix fit_clusters(const Dataset& data, std::size_t k, std::uint64_t seed);
/// Weights of the nearest clusters of one embedding: indices and weights that sum to 1.
void near_clusters(std::span<const float> embedding, const Matrix& centroids,
                   std::span<std::uint32_t, kNearClusters> which,
                   std::span<float, kNearClusters> weight);
std::vector<std::int32_t> assign_clusters(const Dataset& data, const Matrix& centroids);
Matrix clusters_out_of_fold(const Dataset& data, const Matrix& centroids);

}  // namespace rung::predict
