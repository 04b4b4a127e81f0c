#pragma once
// Logistic regression with soft targets (probabilities instead of classes) on design vectors: the
// head that Hybrid-LLM and BEST-Route put on a fine-tuned encoder (arXiv 2404.14618, section 3.2:
// cross-entropy against a soft target), here on the embedding that a router already has. A
// two-logit head with cross-entropy is this with the difference of the logits, so nothing is lost.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/matrix.h"

namespace rung::predict {

/// -(y log p + (1 - y) log(1 - p)) with p = softmax(logits)[0]; finite for finite logits.
double soft_cross_entropy(double first_logit, double second_logit, double target);

struct LogisticHead {
  VectorD weights;  // [dims]; the last is the intercept's
  /// In [0, 1]; `x` has at least dims places, the first dims count.
  double probability(std::span<const float> x) const;
};

struct LogisticOptions {
  double l2 = 1;  // on half the squared weights, against the sum of the rows' losses; > 0
};

/// Minimises the sum over rows of weight * cross-entropy, plus l2 / 2 |weights|^2 without the
/// intercept, by Newton's method. `x` [n, d], of which the first `dims` columns count and column
/// dims - 1 is the intercept's 1; `target` [n] in [0, 1], NaN where unknown: such rows are left
/// out; `weight` [n] >= 0, or empty for 1 each. The intercept carries a ridge of 1e-4 of the rows'
/// weight, so that a single class gives a probability of about 0.999 and not an infinite weight.
/// Constant targets give their constant. Errors: kInvalidArgument (l2, shapes), kInvalidData (no
/// row with a target; a target outside [0, 1]).
Result<LogisticHead> fit_logistic(const Matrix& x, Index dims, const VectorD& target,
                                  const LogisticOptions& options = {},
                                  std::span<const double> weight = {});

/// Probabilities [n], each from the rows of the other folds; rows without a target are predicted
/// too. fold [n] in [0, folds). The same on any number of threads. Errors: as above, also where all
/// rows with a target are in one fold.
Result<VectorD> logistic_out_of_fold(const Matrix& x, Index dims, const VectorD& target,
                                     const std::vector<std::uint32_t>& fold, std::uint32_t folds,
                                     const LogisticOptions& options = {});

}  // namespace rung::predict
