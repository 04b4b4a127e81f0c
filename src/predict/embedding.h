#pragma once
// From hashed n-grams to a short dense vector: TF-IDF, then a truncated SVD (latent semantic
// analysis, Deerwester et al. 1990), then unit length. The projection is kept as int8, and training
// uses the same int8 table, so that what is served is what was measured.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "predict/matrix.h"
#include "text/features.h"

namespace rung::predict {

inline constexpr std::size_t kEmbeddingDims = 128;
/// A query as the linear members see it: embedding, standardised surface counts, 1, and (for costs
/// alone) its length.
inline constexpr std::size_t kQualityDims = kEmbeddingDims + text::kSurfaceCount + 1;
inline constexpr std::size_t kDesignDims = kQualityDims + 1;

/// Read-only tables of an embedding; views, so that they can lie in an artefact.
struct EmbeddingView {
  std::span<const float> idf;           // [text::kBuckets]; 0 for a bucket that training never saw
  std::span<const std::int8_t> table;   // [text::kBuckets, kEmbeddingDims] row-major
  std::span<const float> column_scale;  // [kEmbeddingDims]: value = table * column_scale
  std::span<const float> surface_mean,
      surface_scale;  // [text::kSurfaceCount]; (x - mean) * scale, clipped at +-4
  float mean_bytes = 1,
        max_bytes = 1;  // of the training texts: the length column is min(bytes, max) / mean
};

/// Writes one query's design vector [kDesignDims] to `out`. Allocates only until a thread has seen
/// a text of the size; finite for any features.
void embed(const EmbeddingView& view, const text::Features& features, std::span<float> out);

struct Embedding {
  std::vector<float> idf;
  std::vector<std::int8_t> table;
  std::vector<float> column_scale, surface_mean, surface_scale;
  float mean_bytes = 1, max_bytes = 1;
  EmbeddingView view() const {
    return {idf, table, column_scale, surface_mean, surface_scale, mean_bytes, max_bytes};
  }
};

/// Fits to the texts text_of(0..count-1). The SVD reads at most `svd_rows` of them (evenly spaced),
/// by randomised subspace iteration (Halko, Martinsson and Tropp 2011). Same input and seed, same
/// tables, on any number of threads.
Embedding fit_embedding(std::size_t count,
                        const std::function<std::string_view(std::size_t)>& text_of,
                        std::uint64_t seed, std::size_t svd_rows = 12'000);

/// Design vectors of many texts [count, kDesignDims]. Uses all cores.
Matrix embed_all(const EmbeddingView& view, std::size_t count,
                 const std::function<std::string_view(std::size_t)>& text_of);

}  // namespace rung::predict
