#pragma once
// Quantiles by linear interpolation between order statistics (Hyndman and Fan 1996, type 7: the
// default of numpy and R). Source of every quantile of this folder.

#include <algorithm>
#include <cstddef>
#include <span>

namespace rung::outcomes {

/// The p-quantile of ascending values, p in [0, 1]; `sorted` is not empty.
inline double quantile_of_sorted(std::span<const double> sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace rung::outcomes
