#include "predict/ridge.h"

#include <algorithm>

#include "base/parallel.h"

namespace rung::predict {

Targets::Targets(const Matrix& y)
    : count(y.cols()), write_row([&y](Index row, std::span<float> out) {
        std::copy_n(y.row(row).data(), out.size(), out.begin());
      }) {}

FoldedRidge::FoldedRidge(const Matrix& x, Index dims, const Targets& y,
                         const std::vector<std::uint32_t>& fold, std::uint32_t folds,
                         std::span<const Index> rows)
    : dims_(dims), gram_(folds), cross_(folds) {
  const Index n = rows.empty() ? x.rows() : static_cast<Index>(rows.size());
  parallel_for(folds, [&](std::size_t f) {
    MatrixD gram = MatrixD::Zero(dims, dims), cross = MatrixD::Zero(dims, y.count);
    // Blocks of rows: float inside a block keeps the multiplication fast, double between blocks
    // keeps it exact enough.
    constexpr Index kBlock = 512;
    Matrix xb(kBlock, dims), yb(kBlock, y.count);
    Index filled = 0;
    const auto add = [&] {
      const auto xs = xb.topRows(filled);
      gram.noalias() += (xs.transpose() * xs).cast<double>();
      cross.noalias() += (xs.transpose() * yb.topRows(filled)).cast<double>();
      filled = 0;
    };
    for (Index r = 0; r < n; ++r) {
      const Index i = rows.empty() ? r : rows[static_cast<std::size_t>(r)];
      if (fold[static_cast<std::size_t>(i)] != f) continue;
      xb.row(filled) = x.row(i).head(dims);
      y.write_row(i, {yb.row(filled).data(), static_cast<std::size_t>(y.count)});
      if (++filled == kBlock) add();
    }
    if (filled > 0) add();
    gram_[f] = std::move(gram);
    cross_[f] = std::move(cross);
  });
  total_gram_ = MatrixD::Zero(dims, dims);
  total_cross_ = MatrixD::Zero(dims, y.count);
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
