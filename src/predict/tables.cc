#include "predict/tables.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "predict/embedding.h"
#include "predict/methods/kmeans.h"

namespace rung::predict {

Matrix mean_table(const Dataset& data, const std::vector<std::int32_t>& group, std::size_t groups,
                  std::uint32_t left_out, float pseudo) {
  Matrix sum = Matrix::Zero(static_cast<Index>(groups), data.arms());
  Matrix n = Matrix::Constant(static_cast<Index>(groups), data.arms(), pseudo);
  for (Index i = 0; i < data.rows(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (data.fold[row] == left_out || group[row] < 0) continue;
    for (Index j = 0; j < data.arms(); ++j) {
      if (std::isnan(data.deviation(i, j))) continue;
      sum(group[row], j) += data.deviation(i, j);
      n(group[row], j) += 1;
    }
  }
  return sum.array() / n.array();
}

void soften(std::span<float> scores, float sharpness) {
  const float top = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& s : scores) sum += s = std::exp(sharpness * (s - top));
  for (float& s : scores) s /= sum;
}

Targets one_hot(const Dataset& data) {
  return {static_cast<Index>(data.categories), [&data](Index row, std::span<float> out) {
            std::fill(out.begin(), out.end(), 0.0f);
            const auto category = data.category[static_cast<std::size_t>(row)];
            if (category >= 0) out[static_cast<std::size_t>(category)] = 1;
          }};
}

Matrix tasks_out_of_fold(const Dataset& data, const Matrix& x, const FoldedRidge& ridge,
                         double alpha) {
  Matrix scores = ridge.out_of_fold(alpha, x, data.fold);
  std::vector<Matrix> tables;
  for (std::uint32_t f = 0; f < data.folds; ++f)
    tables.push_back(mean_table(data, data.category, data.categories, f, kTaskPseudoCounts));
  Matrix out(data.rows(), data.arms());
  for (Index i = 0; i < data.rows(); ++i) {
    soften({scores.row(i).data(), data.categories}, kTaskSharpness);
    out.row(i).noalias() = scores.row(i) * tables[data.fold[static_cast<std::size_t>(i)]];
  }
  return out;
}

Matrix fit_clusters(const Dataset& data, std::size_t k, std::uint64_t seed) {
  constexpr std::size_t kMostRows = 20'000;
  const auto dims = static_cast<Index>(kEmbeddingDims);
  const auto all = static_cast<std::size_t>(data.rows());
  const std::size_t n = std::min(all, kMostRows);
  Matrix e(static_cast<Index>(n), dims);
  for (std::size_t i = 0; i < n; ++i)
    e.row(static_cast<Index>(i)) = data.x.row(static_cast<Index>(i * all / n)).head(dims);
  return kmeans(e, {.clusters = k, .seed = seed, .spherical = true, .passes = 20});
}

void near_clusters(std::span<const float> embedding, const Matrix& centroids,
                   std::span<std::uint32_t, kNearClusters> which,
                   std::span<float, kNearClusters> weight) {
  std::fill(weight.begin(), weight.end(), -2.0f);
  std::fill(which.begin(), which.end(), 0u);
  const Eigen::Map<const Eigen::RowVectorXf> e(embedding.data(),
                                               static_cast<Index>(kEmbeddingDims));
  for (Index c = 0; c < centroids.rows(); ++c) {
    const float cosine = e.dot(centroids.row(c));
    for (std::size_t p = 0; p < kNearClusters; ++p) {
      if (cosine <= weight[p]) continue;
      for (std::size_t q = kNearClusters - 1; q > p; --q)
        weight[q] = weight[q - 1], which[q] = which[q - 1];
      weight[p] = cosine;
      which[p] = static_cast<std::uint32_t>(c);
      break;
    }
  }
  soften(weight, kClusterSharpness);
}

std::vector<std::int32_t> assign_clusters(const Dataset& data, const Matrix& centroids) {
  std::vector<std::int32_t> group(static_cast<std::size_t>(data.rows()));
  for (Index i = 0; i < data.rows(); ++i) {
    Index best = 0;
    (data.x.row(i).head(static_cast<Index>(kEmbeddingDims)) * centroids.transpose())
        .maxCoeff(&best);
    group[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(best);
  }
  return group;
}

Matrix clusters_out_of_fold(const Dataset& data, const Matrix& centroids) {
  const auto group = assign_clusters(data, centroids);
  std::vector<Matrix> tables;
  for (std::uint32_t f = 0; f < data.folds; ++f)
    tables.push_back(mean_table(data, group, static_cast<std::size_t>(centroids.rows()), f,
                                kClusterPseudoCounts));
  Matrix out(data.rows(), data.arms());
  for (Index i = 0; i < data.rows(); ++i) {
    std::array<std::uint32_t, kNearClusters> which;
    std::array<float, kNearClusters> weight;
    near_clusters({data.x.row(i).data(), kEmbeddingDims}, centroids, which, weight);
    const Matrix& table = tables[data.fold[static_cast<std::size_t>(i)]];
    out.row(i).setZero();
    for (std::size_t p = 0; p < kNearClusters; ++p) out.row(i) += weight[p] * table.row(which[p]);
  }
  return out;
}

}  // namespace rung::predict
