#pragma once
// Picks that leave the default arm only for a clear advantage (decide::PolicySpec::margin), and
// what that costs in hull gain. Pure functions; safe from many threads.

#include <cstddef>
#include <span>
#include <vector>

#include "outcomes/hull_gain.h"

namespace rung::outcomes {

/// Means of each arm as the router knows them, [arms] each; the cost in USD.
struct Priors {
  std::span<const float> quality, cost;
};

/// As picks(), but where the pick is ahead of the default arm by no more than `margin` (in score:
/// 0.01 is a point), the default stays: the usable arm with the highest prior quality - lambda x
/// prior cost. A margin of 0 gives picks(). At infinite lambda only costs count, so no margin does.
std::vector<std::size_t> picks_with_margin(const Estimated& data, const Priors& priors,
                                           double lambda, double margin);

/// The hull gain with a margin, over the budgets, the static hull and the lambdas of `plain`, which
/// is hull_gain(data).
double hull_gain_with_margin(const Estimated& data, const Priors& priors, const HullGain& plain,
                             double margin);

}  // namespace rung::outcomes
