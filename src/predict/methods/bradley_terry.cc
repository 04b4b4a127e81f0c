#include "predict/methods/bradley_terry.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/check.h"

namespace rung::predict {
namespace {

double log_sigmoid(double x) {
  return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Which items can be reached from item 0 along wins(a, b) > 0; backwards along them if `reverse`.
std::vector<bool> reached(const MatrixD& wins, bool reverse) {
  std::vector<bool> seen(static_cast<std::size_t>(wins.rows()));
  std::vector<Index> open{0};
  seen[0] = true;
  while (!open.empty()) {
    const Index a = open.back();
    open.pop_back();
    for (Index b = 0; b < wins.rows(); ++b) {
      if (seen[static_cast<std::size_t>(b)] || (reverse ? wins(b, a) : wins(a, b)) <= 0) continue;
      seen[static_cast<std::size_t>(b)] = true;
      open.push_back(b);
    }
  }
  return seen;
}

bool all(const std::vector<bool>& flags) { return std::ranges::find(flags, false) == flags.end(); }

double log_likelihood(const MatrixD& wins, const VectorD& theta, double ridge) {
  double sum = -ridge / 2 * theta.squaredNorm();
  for (Index a = 0; a < wins.rows(); ++a)
    for (Index b = 0; b < wins.rows(); ++b)
      if (a != b && wins(a, b) > 0) sum += wins(a, b) * log_sigmoid(theta(a) - theta(b));
  return sum;
}

/// Natural-log strengths with mean 0 of one component whose battles weigh 1 in all.
std::optional<VectorD> newton(const MatrixD& wins, double ridge) {
  const Index n = wins.rows();
  VectorD theta = VectorD::Zero(n);
  double value = log_likelihood(wins, theta, ridge);
  for (int pass = 0; pass < 100; ++pass) {
    VectorD gradient = -ridge * theta;
    // The likelihood does not see a common shift; this term fixes it without moving the maximum.
    MatrixD hessian = MatrixD::Constant(n, n, 1.0 / static_cast<double>(n));
    hessian.diagonal().array() += ridge;
    for (Index a = 0; a < n; ++a)
      for (Index b = 0; b < n; ++b) {
        if (a == b) continue;
        const double p = sigmoid(theta(a) - theta(b));
        gradient(a) += wins(a, b) * (1 - p) - wins(b, a) * p;
        const double curve = (wins(a, b) + wins(b, a)) * p * (1 - p);
        hessian(a, a) += curve;
        hessian(a, b) -= curve;
      }
    VectorD step = hessian.ldlt().solve(gradient);
    if (!step.allFinite()) return std::nullopt;
    step.array() -= step.mean();
    double next = log_likelihood(wins, theta + step, ridge);
    for (int halving = 0; halving < 40 && !(next >= value - 1e-14); ++halving) {
      step /= 2;
      next = log_likelihood(wins, theta + step, ridge);
    }
    theta += step;
    value = next;
    if (step.cwiseAbs().maxCoeff() < 1e-10) return theta;
  }
  return std::nullopt;
}

}  // namespace

double beats(double xi_a, double xi_b) { return sigmoid(std::numbers::ln10 * (xi_a - xi_b)); }

BradleyTerry fit_bradley_terry(const MatrixD& wins) {
  RUNG_CHECK(wins.rows() == wins.cols(), "a win matrix is square");
  RUNG_CHECK(wins.size() == 0 || (wins.allFinite() && wins.minCoeff() >= 0),
             "weights of wins are finite and not negative");
  const auto n = static_cast<std::size_t>(wins.rows());
  BradleyTerry fit{std::vector<double>(n, 0.0), std::vector<std::uint32_t>(n, 0), false};
  const MatrixD met = wins + wins.transpose();
  std::vector<bool> done(n);
  std::uint32_t components = 0;
  for (std::size_t first = 0; first < n; ++first) {
    if (done[first]) continue;
    // 1. The component of `first`.
    std::vector<Index> items{static_cast<Index>(first)};
    done[first] = true;
    for (std::size_t i = 0; i < items.size(); ++i)
      for (std::size_t b = 0; b < n; ++b)
        if (!done[b] && met(items[i], static_cast<Index>(b)) > 0) {
          done[b] = true;
          items.push_back(static_cast<Index>(b));
        }
    std::ranges::sort(items);
    for (const Index i : items) fit.component[static_cast<std::size_t>(i)] = components;
    ++components;
    if (items.size() < 2) continue;
    // 2. Its own matrix, scaled so that weights do not matter but for their ratios.
    MatrixD own = wins(items, items);
    own.diagonal().setZero();
    own /= own.sum();
    // 3. The maximum exists if everyone beat everyone, directly or through others (Ford 1957).
    std::optional<VectorD> theta;
    if (all(reached(own, false)) && all(reached(own, true))) theta = newton(own, 0);
    if (!theta) {
      fit.regularised = true;
      theta = newton(own, kSeparableRidge);
      RUNG_CHECK(theta.has_value(), "a ridge makes the likelihood strictly concave");
    }
    for (std::size_t i = 0; i < items.size(); ++i)
      fit.xi[static_cast<std::size_t>(items[i])] =
          (*theta)(static_cast<Index>(i)) / std::numbers::ln10;
  }
  return fit;
}

}  // namespace rung::predict
