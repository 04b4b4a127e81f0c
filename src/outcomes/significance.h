#pragma once
// Whether two routers differ on the same queries, or only their luck does. All tests are paired:
// row i of both is the same query.
//
//   bootstrap     interval of a difference: of means, of any statistic of the rows, of hull gains.
//                 Percentile interval (Efron 1979)
//   permutation   p-value of a difference of means: signs of the differences drawn at random
//   sign test     p-value of "one is better more often", exact binomial, ties left out
//
// The same seed gives the same numbers on any number of threads. Pure functions.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "outcomes/hull_gain.h"

namespace rung::outcomes {

struct BootstrapOptions {
  std::size_t resamples = 2000;  // >= 2
  double confidence = 0.95;      // in (0, 1)
  std::uint64_t seed = 1;
};

struct Difference {
  double value = 0;           // a - b
  double se = 0;              // standard deviation over the resamples
  double low = 0, high = 0;   // interval
  std::size_t undefined = 0;  // resamples where the statistic was empty; they count nowhere
  bool significant() const { return low > 0 || high < 0; }
};

/// Of the mean of a - b over rows. Errors: kInvalidArgument for no rows, sizes that disagree or
/// options out of range; kInvalidData for numbers that are not finite.
Result<Difference> bootstrap_mean(std::span<const double> a, std::span<const double> b,
                                  const BootstrapOptions& options = {});

/// Of any statistic: called with row numbers in [0, rows), drawn with replacement (once with each
/// row once, for the value), from several threads. Errors: as above, and kInfeasible if the
/// statistic is empty on all rows or on more than half of the resamples.
using RowStatistic = std::function<std::optional<double>(std::span<const std::size_t> rows)>;
Result<Difference> bootstrap_statistic(std::size_t rows, const RowStatistic& difference,
                                       const BootstrapOptions& options = {});

/// Of the hull gains of two routers on the same outcomes: budgets, static hull and both sweeps are
/// made anew from the same rows in each resample. Errors: those of hull_gain; kInvalidArgument if
/// scores or costs differ.
Result<Difference> bootstrap_hull_gain(const Estimated& a, const Estimated& b,
                                       const BootstrapOptions& options = {});

/// a - b of two gains that resampled the same rows (the same rows used, seed and number of
/// resamples): row for row, as bootstrap_hull_gain does, without sweeping again. Errors:
/// kInvalidArgument where they cannot be paired.
Result<Difference> paired_difference(const HullGain& a, const HullGain& b,
                                     double confidence = 0.95);

/// Two-sided p-value, (1 + draws at least as far from 0) / (1 + draws): never 0. Errors: as
/// bootstrap_mean.
Result<double> permutation_test(std::span<const double> a, std::span<const double> b,
                                std::size_t draws = 9999, std::uint64_t seed = 1);

struct SignTest {
  std::size_t a_better = 0, b_better = 0, ties = 0;
  double p = 1;  // two-sided; 1 if all are ties
};
/// Errors: as bootstrap_mean.
Result<SignTest> sign_test(std::span<const double> a, std::span<const double> b);

}  // namespace rung::outcomes
