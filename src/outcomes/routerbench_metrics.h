#pragma once
// RouterBench's measures of a router that has a cost-quality curve: the non-decreasing convex hull
// (NDCH) of its points and the average improvement in quality (AIQ) under it.
//
// Source: Hu et al., RouterBench (arXiv 2403.12031) and its code. Their hull: at the x of each
// point, the highest of the lines between any two points left and right of it and of the point
// itself; then points lower than their left neighbour go. That is the upper concave envelope read
// off at the x of the points and cut after the best one, so it is made with outcomes/hull.h in
// O(n log n) (theirs tries all pairs: O(n^3)); a test holds the two together. The static hull of
// single arms is what the paper calls the zero router; its pick argmax(lambda * quality - cost) is
// outcomes/hull_gain.h with 1 / lambda.
// Pure functions; safe from many threads.

#include <optional>
#include <span>
#include <vector>

#include "outcomes/hull.h"

namespace rung::outcomes {

/// The hull at the distinct costs of `points`, by rising cost and rising (or equal) score. Points
/// that are not finite are left out.
std::vector<Point> ndch(std::span<const Point> points);

/// Two numbers go by the name of AIQ; they differ by what the area is divided by.
enum class AiqNorm {
  kMaxCost,    // the code: x_max, so that the region left of the first point counts as 0
  kCostRange,  // the paper: x_max - x of the first point
};

/// Area under a hull that is extended flat to `x_max`, over its norm. Compare routers only with the
/// same `x_max`, the largest cost of all of them. Empty if the hull is, if `x_max` is below its
/// last point, or if the norm is not above 0.
std::optional<double> aiq(std::span<const Point> hull, double x_max, AiqNorm norm);

}  // namespace rung::outcomes
