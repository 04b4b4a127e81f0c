#pragma once
// What an answer will cost, or how many tokens it will have: one positive number for each query and
// arm. For each arm the best, out of fold, of: its mean; a ridge on the design vector with the
// text's length; the same on the logarithm, with its mean corrected.
//
// How much longer a query makes every answer is learnt soon; how much longer it makes one arm's
// than another's takes many rows, and where it is not learnt well it does harm: within an arm long
// answers are often the good ones. So the arms' own part can be shrunk towards what they share.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "predict/dataset.h"

namespace rung::predict {

enum class AmountForm : std::uint8_t { kUnknown = 0, kMean = 1, kLinear = 2, kLog = 3 };

/// amount = clamp(form(weights . design), low, high); kLog: exp.
struct AmountModel {
  std::vector<AmountForm> form;  // [m]; kUnknown where training saw none
  std::vector<float> weights;    // [m, kDesignDims] row-major
  std::vector<float> low, high;  // [m] bounds: the smallest and largest seen
};

float amount(AmountForm form, std::span<const float> weights, float low, float high,
             std::span<const float> design);

struct AmountFit {
  AmountModel model;   // from all rows
  Matrix out_of_fold;  // [n, m]; the mean where a cell is missing
};

/// `values` [n, m], NaN where missing; positive.
AmountFit fit_amounts(const Dataset& data, const Matrix& values);

/// The same on the logarithm, with the arms' own part kept to each share of `own` (1: whole, 0: all
/// arms' answers grow alike), in their order.
std::vector<AmountFit> fit_shared_amounts(const Dataset& data, const Matrix& values,
                                          std::span<const double> own);

}  // namespace rung::predict
