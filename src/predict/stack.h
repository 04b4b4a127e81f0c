#pragma once
// Weights of the ensemble's members.

#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// What weights are expected before the rows are looked at. `pull` is how many squared differences
/// of the target one squared difference from them counts for: the noise of a row divided by the
/// variance that the weights are thought to have. 0: nothing is expected.
struct StackPrior {
  std::vector<double> weights;  // of each member
  double pull = 0;
};

/// Weights >= 0 that minimise |target - sum of weight * member|^2 + pull |weight - prior|^2,
/// exactly, by looking at every subset; at most 10 members of equal shape.
std::vector<double> nonnegative_least_squares(const std::vector<Matrix>& members,
                                              const Matrix& target, const StackPrior& prior = {});

}  // namespace rung::predict
