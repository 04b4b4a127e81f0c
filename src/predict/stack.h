#pragma once
// Weights of the ensemble's members.

#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// Weights >= 0 that minimise |target - sum of weight * member|^2, exactly, by looking at every
/// subset; at most 10 members of equal shape.
std::vector<double> nonnegative_least_squares(const std::vector<Matrix>& members,
                                              const Matrix& target);

}  // namespace rung::predict
