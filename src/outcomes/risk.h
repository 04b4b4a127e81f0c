#pragma once
// A threshold with a promise: the risk of serving with it stays within a stated bound, at a stated
// confidence, or it is said why no such promise can be made.
//
// Each calibration row has a loss in [0, 1] for either arm. A query goes strong if its score is at
// least tau, so as tau rises more rows go weak; a row that goes weak counts the larger of its two
// losses, which makes the risk rise with tau and both methods hold for finite samples.
//
//   Clopper-Pearson  losses 0 or 1: P(risk > bound) <= 1 - confidence over calibration samples.
//                    Clopper and Pearson 1934; choice of tau: Bates et al., RCPS (arXiv 2101.02703)
//   conformal        losses in [0, 1]: the expected loss of the next query is <= bound, on average
//                    over calibration samples too: (n R(tau) + 1) / (n + 1) <= bound. Angelopoulos
//                    et al., Conformal Risk Control (arXiv 2208.02814)
//
// Both need rows like the traffic to come, which trained nothing. They break when traffic drifts:
// live_share.h watches for that.
// Pure functions; safe from many threads.

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"

namespace rung::outcomes {

/// The highest failure rate that is not yet refuted, one-sided, by `failures` of n. `failures` <=
/// n, n > 0, confidence in (0, 1). 1 if all failed.
double clopper_pearson_upper(std::size_t failures, std::size_t n, double confidence);

/// The fewest rows that, without a single failure, bound the rate by `bound`; both in (0, 1).
std::size_t rows_for_clopper_pearson(double bound, double confidence);
/// The fewest rows for which conformal risk control can promise `bound`, in (0, 1).
std::size_t rows_for_conformal(double bound);

/// [n] each, borrowed.
struct RiskRows {
  std::span<const double> score;                   // in [0, 1]
  std::span<const double> weak_loss, strong_loss;  // in [0, 1]
};

/// The loss of going weak where strong would have scored more, as an event and as an amount; going
/// strong has none. [n]
std::vector<double> regret_events(std::span<const double> weak, std::span<const double> strong);
std::vector<double> regret_amounts(std::span<const double> weak, std::span<const double> strong);

struct RiskThreshold {
  double tau = 0;           // the highest that the promise allows: the fewest strong calls
  double strong_share = 0;  // of the calibration rows
  double observed = 0;      // risk on the calibration rows, weak rows with the larger loss
  double upper = 0;         // what is promised of it: at most the bound
  std::size_t rows = 0;
};

/// Errors: kInfeasible if the promise cannot be made even with all queries strong: too few rows
/// (says how many are needed), or too high a risk (says what was observed, and how many queries
/// would have to be declined); kInvalidArgument for sizes, bound or confidence out of range;
/// kInvalidData for scores or losses out of range (losses other than 0 and 1 included).
Result<RiskThreshold> clopper_pearson_threshold(const RiskRows& rows, double bound,
                                                double confidence);

/// The same errors; any losses in [0, 1].
Result<RiskThreshold> conformal_threshold(const RiskRows& rows, double bound);

}  // namespace rung::outcomes
