#include "outcomes/llmrouterbench_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rung::outcomes {
namespace {

bool finite(const Point& point) { return std::isfinite(point.cost) && std::isfinite(point.score); }

}  // namespace

std::optional<double> average_accuracy(std::span<const double> accuracy_of_each_set) {
  if (accuracy_of_each_set.empty()) return std::nullopt;
  double sum = 0;
  for (const double accuracy : accuracy_of_each_set) sum += accuracy;
  return sum / static_cast<double>(accuracy_of_each_set.size());
}

std::optional<double> relative_gain(double accuracy, double base) {
  if (!(base > 0)) return std::nullopt;
  return (accuracy - base) / base;
}

std::optional<double> oracle_gap(double accuracy, double oracle) {
  if (!(oracle > 0)) return std::nullopt;
  return (oracle - accuracy) / oracle;
}

std::optional<double> perf_gain(std::span<const Point> configurations, const Point& best_single) {
  std::optional<double> most;
  for (const Point& point : configurations) {
    const auto gain = relative_gain(point.score, best_single.score);
    if (gain && finite(point)) most = std::max(most.value_or(*gain), *gain);
  }
  return most;
}

std::optional<double> cost_save(std::span<const Point> configurations, const Point& best_single) {
  if (!(best_single.cost > 0)) return std::nullopt;
  std::optional<double> most;
  for (const Point& point : configurations) {
    if (!finite(point) || point.score < best_single.score) continue;
    const double saved = 1 - point.cost / best_single.cost;
    most = std::max(most.value_or(saved), saved);
  }
  return most;
}

std::vector<Point> pareto_frontier(std::span<const Point> points) {
  std::vector<Point> sorted;
  std::copy_if(points.begin(), points.end(), std::back_inserter(sorted), finite);
  std::sort(sorted.begin(), sorted.end(), [](const Point& a, const Point& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.score > b.score;
  });
  std::vector<Point> frontier;
  for (const Point& point : sorted)
    if (frontier.empty() || point.score > frontier.back().score) frontier.push_back(point);
  return frontier;
}

std::optional<double> pareto_distance(std::span<const Point> configurations,
                                      std::span<const Point> all) {
  const std::vector<Point> frontier = pareto_frontier(all);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Point low{kInfinity, kInfinity}, high{-kInfinity, -kInfinity};
  for (const Point& point : all) {
    if (!finite(point)) continue;
    low = {std::min(low.cost, point.cost), std::min(low.score, point.score)};
    high = {std::max(high.cost, point.cost), std::max(high.score, point.score)};
  }
  const double width = high.cost - low.cost, height = high.score - low.score;
  if (!(width > 0) || !(height > 0)) return std::nullopt;
  double sum = 0, count = 0;
  for (const Point& point : configurations) {
    if (!finite(point)) continue;
    double nearest = kInfinity;
    for (const Point& on : frontier) {
      nearest = std::min(
          nearest, std::hypot((point.cost - on.cost) / width, (point.score - on.score) / height));
    }
    sum += nearest;
    count += 1;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace rung::outcomes
