#pragma once
// Weights of the ensemble's members.

#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// What is believed of the weights before a row is seen: each is normal around its share of `total`,
/// with a standard deviation of (rows / few_rows). On a few hundred rows least squares alone picks
/// members by chance; on thousands it does not, and a belief would only be in the way. Both numbers
/// were chosen on outcomes (docs/training.md).
struct WeightPrior {
  double total = 0.8;
  double few_rows = 14'000;  // > 0
};

/// The most probable weights >= 0 of target = sum of weight * member + noise, exactly, by looking at
/// every subset; at most 10 members of equal shape. Cells of `target` that are 0 are not counted.
std::vector<double> member_weights(const std::vector<Matrix>& members, const Matrix& target,
                                   const WeightPrior& prior = {});

}  // namespace rung::predict
