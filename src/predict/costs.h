#pragma once
// What an answer will cost, or how many tokens it will have: one positive number for each query and
// arm. For each arm the better, out of fold, of: its mean; a ridge on the design vector with the
// text's length; the same on the logarithm, with its mean corrected.

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

/// `values` [n, m], NaN where missing; positive. Fills `out_of_fold` [n, m] (the mean where a cell
/// is missing).
AmountModel fit_amounts(const Dataset& data, const Matrix& values, Matrix& out_of_fold);

}  // namespace rung::predict
