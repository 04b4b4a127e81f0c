#include "predict/stack.h"

#include "base/check.h"

namespace rung::predict {

std::vector<double> nonnegative_least_squares(const std::vector<Matrix>& members,
                                              const Matrix& target, const StackPrior& prior) {
  const std::size_t k = members.size();
  RUNG_CHECK(prior.pull == 0 || prior.weights.size() == k, "a prior weight for each member");
  RUNG_CHECK(k <= 10, "too many members to look at every subset");
  const auto inner = [](const Matrix& a, const Matrix& b) {
    double sum = 0;
    for (Index i = 0; i < a.rows(); ++i)
      sum += a.row(i).cast<double>().dot(b.row(i).cast<double>());
    return sum;
  };
  const auto n = static_cast<Index>(k);
  MatrixD gram(n, n);
  VectorD cross(n);
  for (Index a = 0; a < n; ++a) {
    cross(a) = inner(members[static_cast<std::size_t>(a)], target);
    for (Index b = 0; b <= a; ++b)
      gram(a, b) = gram(b, a) =
          inner(members[static_cast<std::size_t>(a)], members[static_cast<std::size_t>(b)]);
  }
  if (prior.pull > 0)
    for (Index a = 0; a < n; ++a) {
      gram(a, a) += prior.pull;
      cross(a) += prior.pull * prior.weights[static_cast<std::size_t>(a)];
    }
  std::vector<double> best(k, 0);
  double best_gain = 0;
  for (unsigned subset = 1; subset < (1u << k); ++subset) {
    std::vector<Index> in;
    for (Index a = 0; a < n; ++a)
      if (subset >> a & 1) in.push_back(a);
    const VectorD c = cross(in);
    const VectorD w = MatrixD(gram(in, in)).ldlt().solve(c);
    if (!w.allFinite() || (w.array() < 0).any()) continue;
    const double gain = 2 * w.dot(c) - w.dot(gram(in, in) * w);
    if (gain <= best_gain) continue;
    best_gain = gain;
    best.assign(k, 0);
    for (std::size_t a = 0; a < in.size(); ++a)
      best[static_cast<std::size_t>(in[a])] = w(static_cast<Index>(a));
  }
  return best;
}

}  // namespace rung::predict
