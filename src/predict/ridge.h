#pragma once
// Ridge regression of many outputs on the design vectors, out of fold: normal equations are summed
// fold by fold, so leaving a fold out is a subtraction. The intercept column is not penalised.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// Outputs row by row, so that a million rows of them need not be held at once.
struct Targets {
  Targets(Index outputs, std::function<void(Index row, std::span<float> out)> write)
      : count(outputs), write_row(std::move(write)) {}
  /// The rows of `y`, which must outlive this.
  Targets(const Matrix& y);  // NOLINT(google-explicit-constructor): a matrix is the usual case

  Index count;  // of outputs, k
  /// Fills `out` [k], without NaN. Called from several threads.
  std::function<void(Index row, std::span<float> out)> write_row;
};

class FoldedRidge {
 public:
  /// x [n, d] (the first `dims` columns are used, column `dims - 1` is the intercept), y [n, k],
  /// fold [n] in [0, folds). Sees only `rows` of them, ascending, unless it is empty. Nothing is
  /// kept but sums.
  FoldedRidge(const Matrix& x, Index dims, const Targets& y, const std::vector<std::uint32_t>& fold,
              std::uint32_t folds, std::span<const Index> rows = {});

  /// Coefficients [dims, k] from all folds but `left_out` (from all if it is `folds`).
  MatrixD solve(double alpha, std::uint32_t left_out) const;
  MatrixD solve_all(double alpha) const {
    return solve(alpha, static_cast<std::uint32_t>(gram_.size()));
  }
  /// Predictions [n, k] for each row from the folds it is not in. `x` and `fold` as in the
  /// constructor.
  Matrix out_of_fold(double alpha, const Matrix& x, const std::vector<std::uint32_t>& fold) const;
  /// Sum over all folds, for covariances of fitted values.
  const MatrixD& gram() const { return total_gram_; }
  std::uint32_t folds() const { return static_cast<std::uint32_t>(gram_.size()); }

 private:
  Index dims_;
  std::vector<MatrixD> gram_, cross_;  // by fold: [dims, dims], [dims, k]
  MatrixD total_gram_, total_cross_;
};

}  // namespace rung::predict
