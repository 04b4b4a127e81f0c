#include "outcomes/hull.h"

#include <algorithm>
#include <cmath>

namespace rung::outcomes {
namespace {

// > 0 if b lies strictly above the line from a to c.
double above(const Point& a, const Point& b, const Point& c) {
  return (b.score - a.score) * (c.cost - a.cost) - (c.score - a.score) * (b.cost - a.cost);
}

}  // namespace

Hull::Hull(std::span<const Point> points) {
  std::vector<std::size_t> order;
  order.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::isfinite(points[i].cost) && std::isfinite(points[i].score)) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (points[a].cost != points[b].cost) return points[a].cost < points[b].cost;
    if (points[a].score != points[b].score) return points[a].score > points[b].score;
    return a < b;
  });
  for (const std::size_t i : order) {
    if (!vertices_.empty() && points[i].score <= vertices_.back().score) continue;
    while (vertices_.size() > 1 &&
           above(vertices_[vertices_.size() - 2], vertices_.back(), points[i]) <= 0) {
      vertices_.pop_back();
      sources_.pop_back();
    }
    vertices_.push_back(points[i]);
    sources_.push_back(i);
  }
}

std::optional<Mixture> Hull::mixture(double budget) const {
  if (empty() || !(budget >= cheapest().cost)) return std::nullopt;
  const auto after = std::upper_bound(vertices_.begin(), vertices_.end(), budget,
                                      [](double b, const Point& p) { return b < p.cost; });
  const auto high = static_cast<std::size_t>(after - vertices_.begin());
  if (high == vertices_.size()) return Mixture{sources_.back(), sources_.back(), 0};
  const Point &a = vertices_[high - 1], &b = vertices_[high];
  return Mixture{sources_[high - 1], sources_[high], (budget - a.cost) / (b.cost - a.cost)};
}

std::optional<double> Hull::at(double budget) const {
  if (empty() || !(budget >= cheapest().cost)) return std::nullopt;
  const auto after = std::upper_bound(vertices_.begin(), vertices_.end(), budget,
                                      [](double b, const Point& p) { return b < p.cost; });
  if (after == vertices_.end()) return best().score;
  const Point &a = *(after - 1), &b = *after;
  return a.score + (b.score - a.score) * (budget - a.cost) / (b.cost - a.cost);
}

std::optional<double> Hull::cost_of(double score) const {
  if (empty() || score > best().score) return std::nullopt;
  if (score <= cheapest().score) return cheapest().cost;
  const auto reached = std::lower_bound(vertices_.begin(), vertices_.end(), score,
                                        [](const Point& p, double s) { return p.score < s; });
  const Point &a = *(reached - 1), &b = *reached;
  return a.cost + (b.cost - a.cost) * (score - a.score) / (b.score - a.score);
}

}  // namespace rung::outcomes
