#pragma once
// Weights of the ensemble's members.

#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// What is believed of the weights before a row is seen: each is normal around its share of `total`.
/// On a few hundred rows least squares alone picks a member by chance; on many thousands the prior
/// hardly counts. Both numbers were chosen on 40 splits of the two smallest sets (docs/training.md).
struct WeightPrior {
  double total = 0.8;
  double deviation = 0.05;  // > 0, of one weight
};

/// The most probable weights >= 0 of target = sum of weight * member + noise, exactly, by looking at
/// every subset; at most 10 members of equal shape. Cells of `target` that are 0 are not counted.
std::vector<double> member_weights(const std::vector<Matrix>& members, const Matrix& target,
                                   const WeightPrior& prior = {});

}  // namespace rung::predict
