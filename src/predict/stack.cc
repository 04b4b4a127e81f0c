#include "predict/stack.h"

#include <algorithm>
#include <cstdint>

#include "base/check.h"

namespace rung::predict {

std::vector<double> member_weights(const std::vector<Matrix>& members, const Matrix& target,
                                   const WeightPrior& prior) {
  const std::size_t k = members.size();
  RUNG_CHECK(k <= 10, "too many members to look at every subset");
  const auto inner = [](const Matrix& a, const Matrix& b) {
    double sum = 0;
    for (Index i = 0; i < a.rows(); ++i) sum += a.row(i).cast<double>().dot(b.row(i).cast<double>());
    return sum;
  };
  const auto n = static_cast<Index>(k);
  MatrixD gram(n, n);
  VectorD cross(n);
  for (Index a = 0; a < n; ++a) {
    cross(a) = inner(members[static_cast<std::size_t>(a)], target);
    for (Index b = 0; b <= a; ++b) gram(a, b) = gram(b, a) = inner(members[static_cast<std::size_t>(a)], members[static_cast<std::size_t>(b)]);
  }
  // The best weights of the problem as it stands in `gram` and `cross`; returns what they explain.
  std::vector<double> best;
  const auto solve = [&] {
    double best_gain = 0;
    best.assign(k, 0);
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
    return best_gain;
  };
  // The prior, as rows that were seen before: how far a cell lies from what is expected of it says
  // how much one row is worth.
  const double explained = solve();
  double squares = 0;
  std::int64_t cells = 0;
  for (const float value : target.reshaped())
    if (value != 0) squares += static_cast<double>(value) * static_cast<double>(value), ++cells;
  if (cells == 0) return best;
  const double noise = std::max(squares - explained, 0.0) / static_cast<double>(cells);
  const double deviation = static_cast<double>(target.rows()) / prior.few_rows;
  const double strength = noise / (deviation * deviation);
  gram.diagonal().array() += strength;
  cross.array() += strength * prior.total / static_cast<double>(k);
  solve();
  return best;
}

}  // namespace rung::predict
