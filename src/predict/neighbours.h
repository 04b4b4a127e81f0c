#pragma once
// Weighted nearest neighbours in the embedding: an arm's deviation is the mean of the neighbours',
// weighted by exp(beta cos) scaled to mean 1, with pseudo-counts of 0 (Hu et al. 2024 and others;
// shrinkage is what makes it safe).

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "predict/dataset.h"

namespace rung::predict {

inline constexpr std::size_t kMaxExemplars = 2048;  // bounds the time of a decision and of training
inline constexpr float kNeighbourPseudoCounts = 10;

struct NeighbourConfig {
  std::uint32_t k = 100;
  float beta = 5;
};

/// What k neighbours say: `cosine` [k] and the rows of `deviation` [., m] at `rows` [k]; NaN cells
/// are skipped. Writes `out` [m]. Equal cosines give equal weights.
void vote(std::span<const float> cosine, std::span<const Index> rows, const Matrix& deviation,
          float beta, std::span<float> out);

/// Out-of-fold predictions [n, m] for each configuration.
std::vector<Matrix> neighbours_out_of_fold(const Dataset& data,
                                           std::span<const NeighbourConfig> configs);

/// At most kMaxExemplars rows, evenly spaced.
std::vector<Index> choose_exemplars(const std::vector<Index>& rows);

}  // namespace rung::predict
