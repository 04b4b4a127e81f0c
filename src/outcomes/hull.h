#pragma once
// What a fixed mixture can buy: points (mean cost, mean score) and the upper concave envelope over
// them.
//
//   score │        ____●───────  flat past the best point: money left over is not spent
//         │     _-●
//         │   ●/      ○  below the envelope: nobody needs it
//         └───────────────── cost        below the cheapest point nothing can be bought

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace rung::outcomes {

struct Point {
  double cost = 0;   // mean USD per query
  double score = 0;  // mean score
};

/// The best two points to mix at a budget: `low` with probability 1 - weight, `high` with
/// probability `weight`.
struct Mixture {
  std::size_t low = 0, high = 0;  // indices into the points the hull was made of
  double weight = 0;
};

/// Upper concave, non-decreasing envelope, from the cheapest point (of equally cheap ones: the
/// best) to the best point (of equally good ones: the cheapest). Empty if made of no finite point.
class Hull {
 public:
  Hull() = default;
  explicit Hull(std::span<const Point> points);

  bool empty() const { return vertices_.empty(); }
  std::span<const Point> vertices() const { return vertices_; }      // rising in cost and score
  std::span<const std::size_t> sources() const { return sources_; }  // where each vertex came from
  const Point& cheapest() const { return vertices_.front(); }
  const Point& best() const { return vertices_.back(); }

  /// The best mean score that a mean cost of `budget` buys; nothing below the cheapest point.
  std::optional<double> at(double budget) const;
  /// The mixture that buys it.
  std::optional<Mixture> mixture(double budget) const;
  /// The lowest mean cost at which `score` is reached; nothing if it never is.
  std::optional<double> cost_of(double score) const;

 private:
  std::vector<Point> vertices_;
  std::vector<std::size_t> sources_;
};

}  // namespace rung::outcomes
