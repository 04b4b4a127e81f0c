#include "outcomes/routerbench_metrics.h"

#include <algorithm>
#include <cmath>

namespace rung::outcomes {

std::vector<Point> ndch(std::span<const Point> points) {
  const Hull hull(points);
  std::vector<Point> out;
  if (hull.empty()) return out;
  // Equally good but dearer points stay; whatever is dearer than those is lower, and goes.
  double last = hull.best().cost;
  std::vector<double> costs;
  for (const Point& point : points) {
    if (!std::isfinite(point.cost) || !std::isfinite(point.score)) continue;
    costs.push_back(point.cost);
    if (point.score == hull.best().score) last = std::max(last, point.cost);
  }
  std::sort(costs.begin(), costs.end());
  costs.erase(std::unique(costs.begin(), costs.end()), costs.end());
  for (const double cost : costs)
    if (cost <= last) out.push_back({cost, *hull.at(cost)});
  return out;
}

std::optional<double> aiq(std::span<const Point> hull, double x_max, AiqNorm norm) {
  if (hull.empty() || !std::isfinite(x_max) || x_max < hull.back().cost) return std::nullopt;
  const double width = norm == AiqNorm::kMaxCost ? x_max : x_max - hull.front().cost;
  if (!(width > 0)) return std::nullopt;
  double area = (x_max - hull.back().cost) * hull.back().score;
  for (std::size_t i = 1; i < hull.size(); ++i)
    area += 0.5 * (hull[i].score + hull[i - 1].score) * (hull[i].cost - hull[i - 1].cost);
  return area / width;
}

}  // namespace rung::outcomes
