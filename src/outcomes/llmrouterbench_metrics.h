#pragma once
// LLMRouterBench's measures: a router beside the random, the best single and the oracle choice, and
// its configurations beside the best single arm and the joint Pareto frontier.
//
// Source: Li et al., LLMRouterBench (arXiv 2601.07206) and its README. Gains and gaps are relative,
// which is what reproduces its figures (Gap@O 22.0 % from accuracies 71.94 and 92.2). Where we
// differ: its text does not say how ParetoDist is scaled; ours is stated below.
// Accuracy 0 to 1, costs in any one unit. What is undefined is empty.
// Pure functions; safe from many threads.

#include <optional>
#include <span>
#include <vector>

#include "outcomes/hull.h"

namespace rung::outcomes {

/// Mean over data sets of the mean accuracy in each, so that a small set counts as much as a large
/// one. Empty for no data sets.
std::optional<double> average_accuracy(std::span<const double> accuracy_of_each_set);

/// (accuracy - base) / base: Gain@R for base = random, Gain@B for base = best single. Empty if base
/// is not above 0.
std::optional<double> relative_gain(double accuracy, double base);

/// Gap@O: (oracle - accuracy) / oracle. Empty if the oracle is not above 0.
std::optional<double> oracle_gap(double accuracy, double oracle);

/// PerfGain: the greatest relative gain over the best single arm of any configuration; below 0 if
/// none reaches it. Empty without a configuration or where relative_gain is.
std::optional<double> perf_gain(std::span<const Point> configurations, const Point& best_single);

/// CostSave: the greatest 1 - cost / cost of the best single arm over the configurations that score
/// at least as much. Below 0 if they are all dearer; empty if none scores as much, or if the best
/// single arm costs nothing.
std::optional<double> cost_save(std::span<const Point> configurations, const Point& best_single);

/// The points that no other point of `points` beats: none is at most as dear and better, nor
/// cheaper and as good. By rising cost. Points that are not finite are left out.
std::vector<Point> pareto_frontier(std::span<const Point> points);

/// ParetoDist: mean distance of the configurations to the nearest point of the joint frontier of
/// `all` (every router's configurations and the single arms; it should hold these too), after cost
/// and score are each scaled to [0, 1] over `all`. 0 if all lie on it. Empty if there is no
/// configuration, or if `all` has no extent in cost or in score.
std::optional<double> pareto_distance(std::span<const Point> configurations,
                                      std::span<const Point> all);

}  // namespace rung::outcomes
