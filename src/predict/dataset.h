#pragma once
// What the members of a router learn from: design vectors and scores as deviations from each arm's
// mean.

#include <cstdint>
#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// Arms that were scored on the same rows: they share normal equations.
struct Pool {
  std::vector<Index> arms;
  std::vector<Index> rows;
};

/// Rows of the training table that cross-validation works on. NaN marks a missing score or cost.
struct Dataset {
  Matrix x;                            // [n, kDesignDims]
  Matrix deviation;                    // [n, m] score minus the arm's mean
  Vector mean;                         // [m]
  Matrix cost;                         // [n, m] USD
  std::vector<std::int32_t> category;  // [n], -1 unknown
  std::size_t categories = 0;
  std::vector<std::uint32_t> fold;  // [n], near-duplicates share one
  std::uint32_t folds = 5;
  std::vector<Pool> pools;

  Index rows() const { return x.rows(); }
  Index arms() const { return deviation.cols(); }
};

/// Pools by equal patterns of missing scores.
std::vector<Pool> find_pools(const Matrix& deviation);

/// Rows on which arms can be compared, by equal patterns of missing scores: files that were joined
/// are told apart, since means over different rows say nothing about each other. Patterns of less
/// than a fiftieth of the rows (cells missing at random) make one group together, in which cells
/// may be missing. Every row with a score is in one group.
std::vector<Pool> comparable_rows(const Matrix& deviation);

/// Subtracts from each row its mean over the arms that `deviation` has there; other cells become 0.
/// Only differences between arms decide, so members are judged on these.
Matrix centred(const Matrix& values, const Matrix& deviation);

/// How much of the centred deviations a prediction explains at its best scale: (p.t)^2 / (p.p), 0
/// if p.t <= 0. Both centred.
double explained(const Matrix& prediction, const Matrix& target);

/// Mean square of one free difference: what a row tells nothing of, if little is explained. Both as
/// `centred` makes and takes them.
double noise_of_differences(const Matrix& centred, const Matrix& deviation);

}  // namespace rung::predict
