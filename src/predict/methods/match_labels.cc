#include "predict/methods/match_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace rung::predict {
namespace {
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

std::optional<double> match_probability(std::span<const double> small,
                                        std::span<const double> large, double t) {
  std::size_t matches = 0, pairs = 0;
  for (const double s : small)
    for (const double l : large) {
      if (std::isnan(s) || std::isnan(l)) continue;
      ++pairs;
      if (s >= l - t) ++matches;
    }
  if (pairs == 0) return std::nullopt;
  return static_cast<double>(matches) / static_cast<double>(pairs);
}

std::optional<int> match_label(std::span<const double> small, std::span<const double> large,
                               double t) {
  if (small.empty() || large.empty() || std::isnan(small[0]) || std::isnan(large[0]))
    return std::nullopt;
  return small[0] >= large[0] - t ? 1 : 0;
}

VectorD match_targets(const Matrix& score, Index small, Index large, double t) {
  RUNG_CHECK(std::max(small, large) < score.cols(), "both arms are columns of the scores");
  VectorD out(score.rows());
  for (Index i = 0; i < score.rows(); ++i) {
    const double s = score(i, small), l = score(i, large);
    out(i) = std::isnan(s) || std::isnan(l) ? kNan : s >= l - t ? 1 : 0;
  }
  return out;
}

double label_spread(std::span<const double> labels) {
  std::vector<double> y;
  for (const double label : labels)
    if (!std::isnan(label)) y.push_back(label);
  std::ranges::sort(y);
  const auto n = static_cast<double>(y.size());
  double sum = 0;  // of y_i - y_k over i > k: each label counts once for each one below, above
  for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * (2 * static_cast<double>(i) - n + 1);
  return y.empty() ? 0 : std::max(0.0, 2 * sum / (n * n));
}

Result<Relaxation> find_relaxation(std::span<const QualitySamples> queries,
                                   std::span<const double> grid) {
  if (grid.empty() || std::ranges::any_of(grid, [](double t) { return std::isnan(t); }))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("a grid of {} relaxations; at least one is needed, and numbers alone",
                             grid.size())};
  Relaxation best;
  best.spread = -1;
  bool any = false;
  for (const double t : grid) {
    std::vector<double> labels;
    for (const QualitySamples& q : queries) {
      const auto y = match_probability(q.small, q.large, t);
      labels.push_back(y.value_or(kNan));
      any = any || y;
    }
    const double spread = label_spread(labels);
    best.spreads.push_back(spread);
    if (spread <= best.spread) continue;
    best.t = t;
    best.spread = spread;
    best.labels = std::move(labels);
  }
  if (!any)
    return Error{
        ErrorCode::kInvalidData,
        fmt::format("none of {} queries has quality samples of both models; labels need one",
                    queries.size())};
  return best;
}

std::vector<double> relaxation_grid(std::span<const QualitySamples> queries, std::size_t count) {
  RUNG_CHECK(count >= 2, "a grid has two ends");
  double most = 0;
  for (const QualitySamples& q : queries)
    for (const double s : q.small)
      for (const double l : q.large)
        if (std::isfinite(l - s)) most = std::max(most, l - s);
  if (most <= 0) return {0};
  most *= 1 + 1e-9;  // past the rounding of l - t
  std::vector<double> grid(count);
  for (std::size_t i = 0; i < count; ++i)
    grid[i] = most * static_cast<double>(i) / static_cast<double>(count - 1);
  return grid;
}

}  // namespace rung::predict
