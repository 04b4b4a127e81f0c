#include "predict/ridge.h"

#include "base/parallel.h"

namespace rung::predict {

FoldedRidge::FoldedRidge(const Matrix& x, Index dims, const Matrix& y,
                         const std::vector<std::uint32_t>& fold, std::uint32_t folds)
    : dims_(dims), gram_(folds), cross_(folds) {
  parallel_for(folds, [&](std::size_t f) {
    MatrixD gram = MatrixD::Zero(dims, dims), cross = MatrixD::Zero(dims, y.cols());
    // Blocks of rows: float inside a block keeps the multiplication fast, double between blocks
    // keeps it exact enough.
    constexpr Index kBlock = 512;
    Matrix xb(kBlock, dims), yb(kBlock, y.cols());
    Index filled = 0;
    const auto add = [&] {
      const auto xs = xb.topRows(filled);
      gram.noalias() += (xs.transpose() * xs).cast<double>();
      cross.noalias() += (xs.transpose() * yb.topRows(filled)).cast<double>();
      filled = 0;
    };
    for (Index i = 0; i < x.rows(); ++i) {
      if (fold[static_cast<std::size_t>(i)] != f) continue;
      xb.row(filled) = x.row(i).head(dims);
      yb.row(filled) = y.row(i);
      if (++filled == kBlock) add();
    }
    if (filled > 0) add();
    gram_[f] = std::move(gram);
    cross_[f] = std::move(cross);
  });
  total_gram_ = MatrixD::Zero(dims, dims);
  total_cross_ = MatrixD::Zero(dims, y.cols());
  for (std::uint32_t f = 0; f < folds; ++f) {
    total_gram_ += gram_[f];
    total_cross_ += cross_[f];
  }
}

MatrixD FoldedRidge::solve(double alpha, std::uint32_t left_out) const {
  MatrixD gram = total_gram_, cross = total_cross_;
  if (left_out < folds()) {
    gram -= gram_[left_out];
    cross -= cross_[left_out];
  }
  gram.diagonal().array() += alpha;
  gram(dims_ - 1, dims_ - 1) += 1e-6 - alpha;
  return gram.ldlt().solve(cross);
}

Matrix FoldedRidge::out_of_fold(double alpha, const Matrix& x,
                                const std::vector<std::uint32_t>& fold) const {
  std::vector<Matrix> weights(folds());
  parallel_for(folds(), [&](std::size_t f) {
    weights[f] = solve(alpha, static_cast<std::uint32_t>(f)).cast<float>();
  });
  Matrix out(x.rows(), total_cross_.cols());
  for (Index i = 0; i < x.rows(); ++i)
    out.row(i).noalias() = x.row(i).head(dims_) * weights[fold[static_cast<std::size_t>(i)]];
  return out;
}

}  // namespace rung::predict
