#include "predict/methods/label_logits.h"

#include <algorithm>
#include <cmath>

namespace rung::predict {
namespace {

constexpr double kFailToStrong = 1;

/// The share of the first `count` labels in the softmax; kFailToStrong if a logit is not finite.
template <std::size_t n>
double share_of_first(const std::array<double, n>& logits, std::size_t count) {
  const double top = *std::ranges::max_element(logits);
  double first = 0, all = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(logits[i])) return kFailToStrong;
    const double weight = std::exp(logits[i] - top);
    all += weight;
    if (i < count) first += weight;
  }
  return first / all;
}

}  // namespace

double bert_strong_probability(const std::array<double, 3>& logits) {
  return share_of_first(logits, 1);
}

double causal_strong_probability(const std::optional<std::array<double, 5>>& label_logits) {
  return label_logits ? share_of_first(*label_logits, 3) : kFailToStrong;
}

std::optional<std::size_t> first_label(std::span<const std::int64_t> generated,
                                       std::int64_t original_vocabulary) {
  for (std::size_t i = 0; i < generated.size(); ++i)
    if (generated[i] >= original_vocabulary) return i;
  return std::nullopt;
}

}  // namespace rung::predict
