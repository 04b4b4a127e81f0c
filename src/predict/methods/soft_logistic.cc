#include "predict/methods/soft_logistic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/parallel.h"

namespace rung::predict {
namespace {

constexpr double kInterceptRidge = 1e-4;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// The rows that one fit looks at, in blocks, so that no copy of all of them is made.
struct Rows {
  const Matrix& x;
  Index dims;
  const VectorD& target;
  std::span<const double> weight;
  std::vector<Index> index;

  double weight_of(Index i) const {
    return weight.empty() ? 1.0 : weight[static_cast<std::size_t>(i)];
  }
};

struct Slopes {
  double loss = 0;
  VectorD gradient;
  MatrixD hessian;
};

Slopes slopes(const Rows& rows, const VectorD& w, const VectorD& ridge) {
  constexpr std::size_t kBlock = 256;
  Slopes out{0.5 * w.cwiseAbs2().dot(ridge), ridge.cwiseProduct(w), ridge.asDiagonal()};
  MatrixD block(static_cast<Index>(kBlock), rows.dims);
  VectorD error(static_cast<Index>(kBlock)), curve(static_cast<Index>(kBlock));
  for (std::size_t begin = 0; begin < rows.index.size(); begin += kBlock) {
    const auto n = static_cast<Index>(std::min(kBlock, rows.index.size() - begin));
    for (Index k = 0; k < n; ++k) {
      const Index i = rows.index[begin + static_cast<std::size_t>(k)];
      block.row(k) = rows.x.row(i).head(rows.dims).cast<double>();
    }
    const VectorD logit = block.topRows(n) * w;
    for (Index k = 0; k < n; ++k) {
      const Index i = rows.index[begin + static_cast<std::size_t>(k)];
      const double p = sigmoid(logit(k)), y = rows.target(i), weight = rows.weight_of(i);
      out.loss += weight * (softplus(logit(k)) - y * logit(k));
      error(k) = weight * (p - y);
      curve(k) = weight * p * (1 - p);
    }
    out.gradient.noalias() += block.topRows(n).transpose() * error.head(n);
    out.hessian.noalias() +=
        block.topRows(n).transpose() * (curve.head(n).asDiagonal() * block.topRows(n));
  }
  return out;
}

double loss(const Rows& rows, const VectorD& w, const VectorD& ridge) {
  double sum = 0.5 * w.cwiseAbs2().dot(ridge);
  for (const Index i : rows.index) {
    const double logit = rows.x.row(i).head(rows.dims).cast<double>().dot(w);
    sum += rows.weight_of(i) * (softplus(logit) - rows.target(i) * logit);
  }
  return sum;
}

VectorD newton(const Rows& rows, double l2, VectorD w) {
  double total = 0;
  for (const Index i : rows.index) total += rows.weight_of(i);
  VectorD ridge = VectorD::Constant(rows.dims, l2);
  ridge(rows.dims - 1) = kInterceptRidge * std::max(total, 1.0);
  for (int pass = 0; pass < 100; ++pass) {
    const Slopes now = slopes(rows, w, ridge);
    VectorD step = now.hessian.ldlt().solve(now.gradient);
    const double slack = 1e-12 * (1 + std::abs(now.loss));
    for (int halving = 0; halving < 40 && loss(rows, w - step, ridge) > now.loss + slack; ++halving)
      step /= 2;
    w -= step;
    if (step.cwiseAbs().maxCoeff() < 1e-9 * (1 + w.cwiseAbs().maxCoeff())) break;
  }
  return w;
}

Result<std::vector<Index>> known_rows(const Matrix& x, Index dims, const VectorD& target,
                                      std::span<const double> weight, double l2) {
  if (!(l2 > 0) || !std::isfinite(l2))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("l2 is {}; a head needs a finite one above 0", l2)};
  if (dims < 1 || dims > x.cols() || target.size() != x.rows() ||
      (!weight.empty() && static_cast<Index>(weight.size()) != x.rows()))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} rows of {} columns do not go with {} targets, {} weights and {} "
                             "dimensions",
                             x.rows(), x.cols(), target.size(), weight.size(), dims)};
  std::vector<Index> known;
  for (Index i = 0; i < target.size(); ++i) {
    if (std::isnan(target(i))) continue;
    if (target(i) < 0 || target(i) > 1)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("target {} is {}; a probability is expected", i, target(i))};
    known.push_back(i);
  }
  if (known.empty())
    return Error{ErrorCode::kInvalidData,
                 fmt::format("none of {} rows has a target; a head needs one", x.rows())};
  return known;
}

}  // namespace

double soft_cross_entropy(double first_logit, double second_logit, double target) {
  const double margin = first_logit - second_logit;
  return softplus(margin) - target * margin;
}

double LogisticHead::probability(std::span<const float> x) const {
  const auto dims = weights.size();
  RUNG_CHECK(static_cast<Index>(x.size()) >= dims, "a design vector has the head's dimensions");
  const Eigen::Map<const Vector> v(x.data(), dims);
  return sigmoid(v.cast<double>().dot(weights));
}

Result<LogisticHead> fit_logistic(const Matrix& x, Index dims, const VectorD& target,
                                  const LogisticOptions& options, std::span<const double> weight) {
  auto known = known_rows(x, dims, target, weight, options.l2);
  if (!known) return known.error();
  return LogisticHead{
      newton({x, dims, target, weight, *std::move(known)}, options.l2, VectorD::Zero(dims))};
}

Result<VectorD> logistic_out_of_fold(const Matrix& x, Index dims, const VectorD& target,
                                     const std::vector<std::uint32_t>& fold, std::uint32_t folds,
                                     const LogisticOptions& options) {
  auto known = known_rows(x, dims, target, {}, options.l2);
  if (!known) return known.error();
  RUNG_CHECK(static_cast<Index>(fold.size()) == x.rows(), "every row is in a fold");
  for (const std::uint32_t f : fold) RUNG_CHECK(f < folds, "every fold is below their number");
  std::vector<std::vector<Index>> others(folds);
  for (const Index i : *known)
    for (std::uint32_t f = 0; f < folds; ++f)
      if (fold[static_cast<std::size_t>(i)] != f) others[f].push_back(i);
  for (std::uint32_t f = 0; f < folds; ++f)
    if (others[f].empty())
      return Error{ErrorCode::kInvalidData,
                   fmt::format("all {} rows with a target are in fold {}; two folds need some",
                               known->size(), f)};
  // All folds start where all rows lead to: near the end already.
  const VectorD start = newton({x, dims, target, {}, *known}, options.l2, VectorD::Zero(dims));
  std::vector<LogisticHead> heads(folds);
  parallel_for(folds, [&](std::size_t f) {
    heads[f].weights = newton({x, dims, target, {}, others[f]}, options.l2, start);
  });
  VectorD out(x.rows());
  for (Index i = 0; i < x.rows(); ++i)
    out(i) = heads[fold[static_cast<std::size_t>(i)]].probability(
        {x.row(i).data(), static_cast<std::size_t>(x.cols())});
  return out;
}

}  // namespace rung::predict
