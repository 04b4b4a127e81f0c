#pragma once
// What is said of a pair with a small and a large model: Hybrid-LLM's cost advantage and quality
// drop, and AutoMix's incremental benefit per cost (IBC), which also judges cascades.
//
// Sources: Ding et al., Hybrid-LLM (arXiv 2404.14618); Aggarwal et al., AutoMix (arXiv 2310.12963)
// and its code. Qualities and costs are means in any one unit. Undefined is empty.

#include <cmath>
#include <optional>

namespace rung::outcomes {

/// Drop of quality against always large, in percent of |large|: scores such as BART's are below 0.
/// Negative for a gain; empty if large is 0.
inline std::optional<double> quality_drop_percent(double quality, double large) {
  if (large == 0) return std::nullopt;
  return 100 * (large - quality) / std::abs(large);
}

/// Quality bought per cost beyond the small model; of the large model this is the base slope.
/// `cost` is all that was paid, discarded answers and verifiers included. Empty if it costs the
/// same as the small model.
inline std::optional<double> ibc(double quality, double cost, double small_quality,
                                 double small_cost) {
  if (cost == small_cost) return std::nullopt;
  return (quality - small_quality) / (cost - small_cost);
}

/// (router - base) / base of two IBCs; above 0 is better than mixing small and large at random.
/// Empty if one of them is, or if base is 0.
inline std::optional<double> ibc_lift(std::optional<double> router, std::optional<double> base) {
  if (!router || !base || *base == 0) return std::nullopt;
  return (*router - *base) / *base;
}

}  // namespace rung::outcomes
