#include "predict/methods/cluster_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace rung::predict {
namespace {

/// Scored arms of one cluster by falling x, equal ones by index.
std::vector<std::size_t> ranking(std::span<const double> x) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != kNotScored) order.push_back(i);
  std::ranges::stable_sort(order, [&](auto a, auto b) { return x[a] > x[b]; });
  return order;
}

}  // namespace

Result<void> check_weights(const ScoreWeights& weights) {
  const double p = weights.performance, c = weights.cost;
  if (std::isfinite(p) && std::isfinite(c) && p >= 0 && c >= 0 && p + c > 0) return {};
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("weights are {} for performance and {} for cost; they must be at least "
                           "0, and one above it (alpha is in [0, 1])",
                           p, c)};
}

void score_in_cluster(std::span<const double> quality, std::span<const double> cost,
                      std::span<const std::uint8_t> capable, const ScoreWeights& weights,
                      CostScale scale, std::span<double> out) {
  RUNG_CHECK(quality.size() == out.size() && cost.size() == out.size() &&
                 (capable.empty() || capable.size() == out.size()),
             "one place for each arm");
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const auto scored = [&](std::size_t i) {
    return (capable.empty() || capable[i] != 0) && std::isfinite(quality[i]) &&
           (std::isfinite(cost[i]) || weights.cost == 0);
  };
  double worst = kInf, best = -kInf, cheapest = kInf, dearest = -kInf;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!scored(i)) continue;
    worst = std::min(worst, quality[i]);
    best = std::max(best, quality[i]);
    if (!std::isfinite(cost[i])) continue;
    cheapest = std::min(cheapest, cost[i]);
    dearest = std::max(dearest, cost[i]);
  }
  const double zero = scale == CostScale::kMinMax ? cheapest : 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = kNotScored;
    if (!scored(i)) continue;
    const double p = best > worst ? (quality[i] - worst) / (best - worst) : 1;
    out[i] = weights.performance * p;
    if (weights.cost == 0) continue;
    const double q = dearest > zero ? (cost[i] - zero) / (dearest - zero) : 0;
    out[i] += weights.cost * (1 - q);
  }
}

std::vector<double> cluster_weights(std::span<const double> distance, double beta) {
  RUNG_CHECK(!distance.empty(), "a query has a nearest cluster");
  const double nearest = *std::ranges::min_element(distance);
  std::vector<double> weight(distance.size());
  double sum = 0;
  for (std::size_t i = 0; i < weight.size(); ++i)
    sum += weight[i] = std::exp(-beta * (distance[i] - nearest));
  for (double& w : weight) w /= sum;
  return weight;
}

void aggregate(const MatrixD& x, std::span<const double> weight, Aggregation how,
               std::span<double> out) {
  const auto p = static_cast<std::size_t>(x.rows()), m = static_cast<std::size_t>(x.cols());
  RUNG_CHECK(out.size() == m && (how == Aggregation::kPaper || weight.size() == p),
             "one place for each arm, one weight for each cluster");
  std::vector<double> known(m, 0.0), row(m);
  std::ranges::fill(out, 0.0);
  double whole = 0;
  for (std::size_t c = 0; c < p; ++c) {
    for (std::size_t i = 0; i < m; ++i) row[i] = x(static_cast<Index>(c), static_cast<Index>(i));
    const double w = how == Aggregation::kPaper ? 1 : weight[c];
    whole += w;
    double rank = how == Aggregation::kAvengers ? 0.1 : 1;
    for (const std::size_t i : ranking(row)) {
      out[i] += how == Aggregation::kPaper ? row[i] : w / rank;
      known[i] += w;
      rank += 1;
    }
  }
  for (std::size_t i = 0; i < m; ++i) {
    if (known[i] <= 0)
      out[i] = kNotScored;
    else if (known[i] < whole)
      out[i] *= whole / known[i];
  }
}

std::optional<std::size_t> best_arm(std::span<const double> score) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < score.size(); ++i)
    if (score[i] != kNotScored && (!best || score[i] > score[*best])) best = i;
  return best;
}

std::vector<std::size_t> top_arms(std::span<const double> score, std::size_t count) {
  auto order = ranking(score);
  order.resize(std::min(order.size(), count));
  return order;
}

double cluster_distance(const VectorD& x, const VectorD& centroid, ClusterDistance how) {
  switch (how) {
    case ClusterDistance::kEuclidean:
      return (x - centroid).norm();
    case ClusterDistance::kOneMinusDot:
      return 1 - x.dot(centroid);
    case ClusterDistance::kCosine: {
      const double lengths = x.norm() * centroid.norm();
      return lengths > 0 ? 1 - x.dot(centroid) / lengths : 1;
    }
  }
  return 0;
}

}  // namespace rung::predict
