#pragma once
// Models sorted into tiers of similar strength, so that sparse battles add up (RouteLLM, arXiv
// 2406.18665, section 4.1 and reference code).

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/methods/battles.h"

namespace rung::predict {

struct EloFit {
  std::vector<double> rating;  // [models]; 1000 where !rated, which says nothing
  std::vector<bool> rated;     // [models]; false: no battle with another model
  bool comparable = true;      // false: some rated models never met, not even through others
  bool regularised = false;    // bradley_terry.h
};

/// Elo of each model by maximum likelihood over all battles, every battle with the same weight,
/// half a win each for a tie. Battles of a model with itself are left out. All ties: all 1000.
/// Errors: kInvalidData for an unknown model, or where no battle is between two models.
Result<EloFit> fit_elo(std::span<const Battle> battles, std::size_t models);

struct Tiering {
  std::vector<std::uint32_t> tier;   // of each rating; 0 is the strongest
  std::vector<std::uint32_t> sizes;  // by tier
  double objective = 0;              // sum over tiers of the population variance
};

/// Splits `ratings`, sorted descending (equal ones by index), into `tiers` contiguous runs that
/// minimise the sum of their population variances (not of squares: a lone outlier costs nothing),
/// exactly, by dynamic programming in O(n^2 tiers). Of equal sums the first split wins. More tiers
/// than ratings: one each. Errors: kInvalidArgument for no ratings, one that is not finite, 0
/// tiers.
Result<Tiering> split_into_tiers(std::span<const double> ratings, std::size_t tiers);

}  // namespace rung::predict
