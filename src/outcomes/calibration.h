#pragma once
// How far estimated probabilities can be trusted, and two ways to put them right: isotonic
// regression and Platt scaling. Fit them on rows that trained nothing, apply them to others.
//
// Sources: Brier 1950; ECE: Naeini et al., AAAI 2015, with equal widths and right-closed bins;
// isotonic: pool adjacent violators (Ayer et al. 1955); Platt 1999 with the smoothed targets and
// the damped Newton steps of Lin, Lin and Weng 2007.
// Estimates are in [0, 1]; outcomes are in [0, 1] too and need not be 0 or 1. What is undefined is
// empty, never 0. Fitted objects are values; const use from many threads is safe.

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace rung::outcomes {

/// Mean squared difference. Empty for no rows. Here and below: as many estimates as outcomes.
std::optional<double> brier(std::span<const double> estimate, std::span<const double> outcome);

/// Mean of -(y log p + (1 - y) log(1 - p)), natural logarithm. Estimates are held within [clip,
/// 1 - clip] first; with clip 0 a certain estimate that was wrong makes it undefined: empty, not
/// infinite. Empty for no rows.
std::optional<double> log_loss(std::span<const double> estimate, std::span<const double> outcome,
                               double clip = 0);

/// Expected calibration error: over bins (k / bins, (k + 1) / bins], 0 in the first, the sum of
/// share of rows x |mean estimate - mean outcome|. Estimates past the ends fall in the end bins.
/// Empty for no rows or no bins.
std::optional<double> expected_calibration_error(std::span<const double> estimate,
                                                 std::span<const double> outcome,
                                                 std::size_t bins = 10);

/// The non-decreasing function of a score that is nearest, in weighted squares, to the outcomes.
class Isotonic {
 public:
  /// Weights may be empty: all 1; else [n], each above 0. Equal scores are pooled first. Errors:
  /// kInvalidArgument for no rows or sizes that disagree, kInvalidData for what is not finite.
  static Result<Isotonic> fit(std::span<const double> score, std::span<const double> outcome,
                              std::span<const double> weight = {});

  /// Constant within a pooled block, linear between two, constant past the ends.
  double apply(double score) const;
  /// The points that apply() joins by lines: score and value, rising.
  std::vector<std::pair<double, double>> knots() const;

 private:
  struct Block {
    double first, last;  // scores
    double value, weight;
  };
  std::vector<Block> blocks_;  // rising in score and value
};

/// sigmoid(slope * score + offset).
class Platt {
 public:
  struct Options {
    bool smoothed_targets = true;  // (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) for 1 and 0: keeps the
                                   // slope finite where the classes part cleanly
    int max_steps = 100;
  };
  /// Errors: kInvalidArgument for no rows or sizes that disagree, kInvalidData for what is not
  /// finite or an outcome outside [0, 1], kInfeasible if the steps do not settle.
  static Result<Platt> fit(std::span<const double> score, std::span<const double> outcome,
                           const Options& options);
  static Result<Platt> fit(std::span<const double> score, std::span<const double> outcome) {
    return fit(score, outcome, Options{});
  }

  double apply(double score) const;
  double slope() const { return slope_; }
  double offset() const { return offset_; }

 private:
  double slope_ = 1, offset_ = 0;
};

}  // namespace rung::outcomes
