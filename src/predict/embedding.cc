#include "predict/embedding.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/parallel.h"
#include "base/random.h"
#include "predict/kernels.h"

namespace rung::predict {
namespace {

using text::Features;
using text::kBlockBuckets;
using text::kBuckets;

constexpr std::size_t kChunk =
    256;  // rows that one task handles; fixed, so that results do not depend on threads

/// 1 + ln(count), the sublinear term frequency.
float term_frequency(std::uint16_t count) {
  static const auto kTable = [] {
    std::array<float, 64> table{};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = 1 + std::log(static_cast<float>(i));
    return table;
  }();
  return count < kTable.size() ? kTable[count] : 1 + std::log(static_cast<float>(count));
}

/// The TF-IDF weights of a text's buckets, in their order; words and characters are each scaled to
/// unit length.
void weigh(const Features& features, std::span<const float> idf, std::vector<float>& out) {
  const std::size_t n = features.buckets.size();
  out.resize(n);
  float square[2] = {0, 0};
  for (std::size_t i = 0; i < n; ++i) {
    const float w = term_frequency(features.counts[i]) * idf[features.buckets[i]];
    square[features.buckets[i] < kBlockBuckets ? 0 : 1] += w * w;
    out[i] = w;
  }
  const float scale[2] = {square[0] > 0 ? 1 / std::sqrt(square[0]) : 0,
                          square[1] > 0 ? 1 / std::sqrt(square[1]) : 0};
  for (std::size_t i = 0; i < n; ++i) out[i] *= scale[features.buckets[i] < kBlockBuckets ? 0 : 1];
}

/// A sparse row: bucket and weight.
using SparseRow = std::vector<std::pair<std::uint32_t, float>>;

std::vector<float> fit_idf(std::size_t count,
                           const std::vector<std::uint32_t>& document_frequency) {
  std::vector<float> idf(kBuckets);
  for (std::size_t b = 0; b < kBuckets; ++b) {
    // Smoothed as usual: ln((1 + n) / (1 + df)) + 1. A bucket that no text has says nothing.
    if (document_frequency[b] > 0)
      idf[b] = static_cast<float>(
          std::log((1.0 + static_cast<double>(count)) / (1.0 + document_frequency[b])) + 1.0);
  }
  return idf;
}

/// Y = A * X, rows in parallel.
Matrix times(const std::vector<SparseRow>& a, const Matrix& x) {
  Matrix y = Matrix::Zero(static_cast<Index>(a.size()), x.cols());
  parallel_for((a.size() + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    for (std::size_t i = chunk * kChunk; i < std::min(a.size(), (chunk + 1) * kChunk); ++i)
      for (const auto& [bucket, w] : a[i])
        y.row(static_cast<Index>(i)).noalias() += w * x.row(bucket);
  });
  return y;
}

/// X = transpose(A) * Y, column blocks in parallel: each sum is made by one thread in row order.
Matrix transposed_times(const std::vector<SparseRow>& a, const Matrix& y) {
  constexpr Index kColumns = 24;
  Matrix x = Matrix::Zero(static_cast<Index>(kBuckets), y.cols());
  parallel_for(static_cast<std::size_t>((y.cols() + kColumns - 1) / kColumns),
               [&](std::size_t block) {
                 const Index begin = static_cast<Index>(block) * kColumns,
                             n = std::min(kColumns, y.cols() - begin);
                 for (std::size_t i = 0; i < a.size(); ++i)
                   for (const auto& [bucket, w] : a[i])
                     x.row(bucket).segment(begin, n).noalias() +=
                         w * y.row(static_cast<Index>(i)).segment(begin, n);
               });
  return x;
}

/// Orthonormal columns of the same span.
Matrix orthonormal(const Matrix& y) {
  const MatrixD d = y.cast<double>();
  // Through the small Gram matrix: fast for tall matrices, and accurate enough for subspace
  // iteration.
  Eigen::SelfAdjointEigenSolver<MatrixD> eigen(d.transpose() * d);
  const VectorD scale = eigen.eigenvalues().array().max(1e-12).sqrt().inverse();
  return (d * (eigen.eigenvectors() * scale.asDiagonal())).cast<float>();
}

/// The leading right singular vectors of A, [kBuckets, kEmbeddingDims].
Matrix leading_directions(const std::vector<SparseRow>& a, std::uint64_t seed) {
  constexpr Index kSketch = static_cast<Index>(kEmbeddingDims) + 16;
  Matrix x(static_cast<Index>(kBuckets), kSketch);
  Rng rng(seed);
  for (Index i = 0; i < x.rows(); ++i)
    for (Index j = 0; j < x.cols(); ++j) x(i, j) = static_cast<float>(rng.normal());
  Matrix y = orthonormal(times(a, x));
  for (int pass = 0; pass < 2; ++pass) y = orthonormal(times(a, transposed_times(a, y)));
  // A is about Y * transpose(B): its right singular vectors are those of B.
  const Matrix b = transposed_times(a, y);
  const MatrixD bd = b.cast<double>();
  Eigen::SelfAdjointEigenSolver<MatrixD> eigen(bd.transpose() * bd);
  const Index first = kSketch - static_cast<Index>(kEmbeddingDims);  // eigenvalues rise
  MatrixD vectors =
      eigen.eigenvectors().rightCols(static_cast<Index>(kEmbeddingDims)).rowwise().reverse();
  const VectorD values = eigen.eigenvalues().tail(eigen.eigenvalues().size() - first).reverse();
  for (Index j = 0; j < vectors.cols(); ++j)
    vectors.col(j) /= std::sqrt(std::max(values(j), 1e-12));
  MatrixD v = bd * vectors;
  // A sign of its own choice would differ between machines: the largest entry is positive.
  for (Index j = 0; j < v.cols(); ++j) {
    Index largest = 0;
    v.col(j).cwiseAbs().maxCoeff(&largest);
    if (v(largest, j) < 0) v.col(j) *= -1;
  }
  return v.cast<float>();
}

void quantise(const Matrix& v, Embedding& out) {
  out.table.resize(kBuckets * kEmbeddingDims);
  out.column_scale.resize(kEmbeddingDims);
  for (std::size_t j = 0; j < kEmbeddingDims; ++j) {
    // Entries are far from uniform: clip the few largest rather than lose the many small ones.
    std::vector<float> sizes;
    for (Index i = 0; i < v.rows(); ++i)
      if (v(i, static_cast<Index>(j)) != 0) sizes.push_back(std::abs(v(i, static_cast<Index>(j))));
    float top = 1e-6f;
    if (!sizes.empty()) {
      const auto at = sizes.begin() +
                      static_cast<std::ptrdiff_t>(static_cast<double>(sizes.size() - 1) * 0.9995);
      std::nth_element(sizes.begin(), at, sizes.end());
      top = std::max(*at, 1e-9f);
    }
    out.column_scale[j] = top / 127;
    for (std::size_t i = 0; i < kBuckets; ++i)
      out.table[i * kEmbeddingDims + j] = static_cast<std::int8_t>(std::clamp(
          std::lround(v(static_cast<Index>(i), static_cast<Index>(j)) / out.column_scale[j]), -127L,
          127L));
  }
}

}  // namespace

void embed(const EmbeddingView& view, const Features& features, std::span<float> out) {
  static_assert(kEmbeddingDims == kKernelColumns);
  thread_local std::vector<float> weights;
  weigh(features, view.idf, weights);
  weighted_rows(view.table.data(), features.buckets, weights, out.first<kEmbeddingDims>());
  float square = 0;
  for (std::size_t j = 0; j < kEmbeddingDims; ++j) {
    out[j] *= view.column_scale[j];
    square += out[j] * out[j];
  }
  if (square > 0) {
    const float scale = 1 / std::sqrt(square);
    for (std::size_t j = 0; j < kEmbeddingDims; ++j) out[j] *= scale;
  }
  static const float kShare = 1 / std::sqrt(static_cast<float>(text::kSurfaceCount));
  for (std::size_t j = 0; j < text::kSurfaceCount; ++j)
    out[kEmbeddingDims + j] =
        std::clamp((features.surface[j] - view.surface_mean[j]) * view.surface_scale[j], -4.0f,
                   4.0f) *
        kShare;
  out[kQualityDims - 1] = 1;
  out[kDesignDims - 1] =
      std::min(static_cast<float>(features.bytes), view.max_bytes) / view.mean_bytes;
}

Embedding fit_embedding(std::size_t count,
                        const std::function<std::string_view(std::size_t)>& text_of,
                        std::uint64_t seed, std::size_t svd_rows) {
  const std::size_t used = std::min(count, svd_rows);
  const auto row_of = [&](std::size_t i) { return i * count / used; };
  // 1. Features of the rows that are read, and how many of them have each bucket.
  std::vector<Features> features(used);
  parallel_for((used + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    text::FeatureReader reader;
    for (std::size_t i = chunk * kChunk; i < std::min(used, (chunk + 1) * kChunk); ++i)
      reader.read(text_of(row_of(i)), features[i]);
  });
  std::vector<std::uint32_t> document_frequency(kBuckets);
  for (const Features& f : features)
    for (const std::uint16_t bucket : f.buckets) ++document_frequency[bucket];
  Embedding embedding;
  embedding.idf = fit_idf(used, document_frequency);
  // 2. Directions.
  std::vector<SparseRow> rows(used);
  parallel_for((used + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    for (std::size_t i = chunk * kChunk; i < std::min(used, (chunk + 1) * kChunk); ++i) {
      std::vector<float> weights;
      weigh(features[i], embedding.idf, weights);
      for (std::size_t b = 0; b < weights.size(); ++b)
        rows[i].emplace_back(features[i].buckets[b], weights[b]);
    }
  });
  quantise(leading_directions(rows, seed), embedding);
  // 3. Scales of the surface counts.
  embedding.surface_mean.assign(text::kSurfaceCount, 0);
  embedding.surface_scale.assign(text::kSurfaceCount, 0);
  for (std::size_t j = 0; j < text::kSurfaceCount; ++j) {
    double sum = 0, squares = 0;
    for (const Features& f : features) sum += f.surface[j];
    const double mean = sum / static_cast<double>(used);
    for (const Features& f : features) squares += (f.surface[j] - mean) * (f.surface[j] - mean);
    const double deviation = std::sqrt(squares / static_cast<double>(used));
    embedding.surface_mean[j] = static_cast<float>(mean);
    embedding.surface_scale[j] =
        deviation > 1e-6 ? static_cast<float>(1 / deviation) : 0;  // 0: it never varied
  }
  double bytes = 0;
  for (const Features& f : features) {
    bytes += static_cast<double>(f.bytes);
    embedding.max_bytes = std::max(embedding.max_bytes, static_cast<float>(f.bytes));
  }
  embedding.mean_bytes = std::max(1.0f, static_cast<float>(bytes / static_cast<double>(used)));
  return embedding;
}

Matrix embed_all(const EmbeddingView& view, std::size_t count,
                 const std::function<std::string_view(std::size_t)>& text_of) {
  Matrix out(static_cast<Index>(count), static_cast<Index>(kDesignDims));
  parallel_for((count + kChunk - 1) / kChunk, [&](std::size_t chunk) {
    text::FeatureReader reader;
    Features features;
    for (std::size_t i = chunk * kChunk; i < std::min(count, (chunk + 1) * kChunk); ++i) {
      reader.read(text_of(i), features);
      embed(view, features, {out.row(static_cast<Index>(i)).data(), kDesignDims});
    }
  });
  return out;
}

}  // namespace rung::predict
