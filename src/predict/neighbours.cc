#include "predict/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "predict/embedding.h"

namespace rung::predict {

std::vector<Index> choose_exemplars(const std::vector<Index>& rows) {
  if (rows.size() <= kMaxExemplars) return rows;
  std::vector<Index> chosen(kMaxExemplars);
  for (std::size_t i = 0; i < kMaxExemplars; ++i) chosen[i] = rows[i * rows.size() / kMaxExemplars];
  return chosen;
}

void vote(std::span<const float> cosine, std::span<const Index> rows, const Matrix& deviation,
          float beta, std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  if (rows.empty()) return;
  thread_local std::vector<float> weight, total;
  weight.resize(rows.size());
  total.assign(out.size(), 0);
  const float top = *std::max_element(cosine.begin(), cosine.end());
  float sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    sum += weight[i] = std::exp(beta * (cosine[i] - top));
  const float scale = static_cast<float>(rows.size()) / sum;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const float w = weight[i] * scale;
    for (std::size_t j = 0; j < out.size(); ++j) {
      const float value = deviation(rows[i], static_cast<Index>(j));
      if (std::isnan(value)) continue;
      out[j] += w * value;
      total[j] += w;
    }
  }
  for (std::size_t j = 0; j < out.size(); ++j) out[j] /= total[j] + kNeighbourPseudoCounts;
}

std::vector<Matrix> neighbours_out_of_fold(const Dataset& data,
                                           std::span<const NeighbourConfig> configs) {
  std::uint32_t most = 0;
  for (const auto& config : configs) most = std::max(most, config.k);
  std::vector<Matrix> out(configs.size(), Matrix::Zero(data.rows(), data.arms()));
  const auto dims = static_cast<Index>(kEmbeddingDims);
  for (std::uint32_t f = 0; f < data.folds; ++f) {
    std::vector<Index> others, own;
    for (Index i = 0; i < data.rows(); ++i)
      (data.fold[static_cast<std::size_t>(i)] == f ? own : others).push_back(i);
    const std::vector<Index> exemplars = choose_exemplars(others);
    Matrix table(static_cast<Index>(exemplars.size()), dims);
    for (std::size_t i = 0; i < exemplars.size(); ++i)
      table.row(static_cast<Index>(i)) = data.x.row(exemplars[i]).head(dims);
    constexpr std::size_t kBlock = 128;
    parallel_for((own.size() + kBlock - 1) / kBlock, [&](std::size_t block) {
      const std::size_t begin = block * kBlock, end = std::min(own.size(), begin + kBlock);
      Matrix queries(static_cast<Index>(end - begin), dims);
      for (std::size_t i = begin; i < end; ++i)
        queries.row(static_cast<Index>(i - begin)) = data.x.row(own[i]).head(dims);
      const Matrix cosine = queries * table.transpose();
      std::vector<std::uint32_t> order(exemplars.size());
      std::vector<float> near_cosine;
      std::vector<Index> near_row;
      const std::size_t k = std::min<std::size_t>(most, exemplars.size());
      for (std::size_t i = begin; i < end; ++i) {
        const auto row = cosine.row(static_cast<Index>(i - begin));
        std::iota(order.begin(), order.end(), 0u);
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k),
                          order.end(), [&](std::uint32_t a, std::uint32_t b) {
                            return row(a) != row(b) ? row(a) > row(b) : a < b;
                          });
        near_cosine.clear();
        near_row.clear();
        for (std::size_t r = 0; r < k; ++r) {
          near_cosine.push_back(row(order[r]));
          near_row.push_back(exemplars[order[r]]);
        }
        for (std::size_t c = 0; c < configs.size(); ++c) {
          const std::size_t own_k = std::min<std::size_t>(configs[c].k, k);
          vote(std::span(near_cosine).first(own_k), std::span(near_row).first(own_k),
               data.deviation, configs[c].beta,
               {out[c].row(own[i]).data(), static_cast<std::size_t>(data.arms())});
        }
      }
    });
  }
  return out;
}

}  // namespace rung::predict
