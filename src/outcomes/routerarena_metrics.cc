#include "outcomes/routerarena_metrics.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace rung::outcomes {
namespace {

std::optional<double> score_of(double accuracy, std::optional<double> c, double beta) {
  if (!c || !(accuracy >= 0 && accuracy <= 1)) return std::nullopt;
  const double below = beta * accuracy + *c;
  const double above = (1 + beta) * accuracy * *c;
  if (!(below > 0)) return std::nullopt;
  return above / below;
}

}  // namespace

std::optional<double> arena_cost_score(double usd_per_1000, const ArenaScale& scale) {
  if (!(usd_per_1000 > 0) || !std::isfinite(usd_per_1000)) return std::nullopt;
  return (std::log2(scale.most) - std::log2(usd_per_1000)) /
         (std::log2(scale.most) - std::log2(scale.least));
}

std::optional<double> arena_cost_score_clamped(double usd_per_1000, const ArenaScale& scale) {
  if (usd_per_1000 == 0) return 1.0;
  const auto c = arena_cost_score(usd_per_1000, scale);
  if (!c) return std::nullopt;
  return std::clamp(*c, 0.0, 1.0);
}

std::optional<double> arena_score(double accuracy, double usd_per_1000, const ArenaScale& scale) {
  return score_of(accuracy, arena_cost_score(usd_per_1000, scale), scale.beta);
}

std::optional<double> arena_score_clamped(double accuracy, double usd_per_1000,
                                          const ArenaScale& scale) {
  return score_of(accuracy, arena_cost_score_clamped(usd_per_1000, scale), scale.beta);
}

ArenaMeans arena_means(std::span<const double> accuracy, std::span<const double> cost) {
  RUNG_CHECK(accuracy.size() == cost.size(), "one accuracy and one cost for each entry");
  ArenaMeans out;
  out.entries = accuracy.size();
  double right = 0, spent = 0;
  for (std::size_t i = 0; i < accuracy.size(); ++i) {
    if (std::isfinite(accuracy[i])) {
      right += accuracy[i];
      ++out.scored;
    }
    if (std::isfinite(cost[i]) && cost[i] > 0) {
      spent += cost[i];
    } else {
      ++out.unpriced;
    }
  }
  if (out.scored > 0) out.accuracy = right / static_cast<double>(out.scored);
  if (out.unpriced < out.entries)
    out.usd_per_1000 = 1000 * spent / static_cast<double>(out.entries);
  return out;
}

OptimalMetrics optimal_metrics(const ArenaOutcomes& data, Optimality kind) {
  const std::size_t cells = data.rows * data.arms;
  RUNG_CHECK(data.accuracy.size() == cells && data.cost.size() == cells, "[rows * arms]");
  RUNG_CHECK(data.picks.size() == data.rows, "one pick for each row");
  OptimalMetrics out;
  double hits = 0, best_cost = 0, cost = 0, best_right = 0, right = 0;
  for (std::size_t row = 0; row < data.rows; ++row) {
    const std::size_t base = row * data.arms, pick = data.picks[row];
    std::size_t best = kNoPick;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      const std::size_t at = base + arm;
      if (!(data.accuracy[at] >= 1) || !std::isfinite(data.cost[at])) continue;
      if (best == kNoPick || data.cost[at] < data.cost[base + best]) best = arm;
    }
    if (best == kNoPick || pick >= data.arms) continue;
    const double got = data.accuracy[base + pick], paid = data.cost[base + pick];
    if (!std::isfinite(got) || !std::isfinite(paid)) continue;
    if (kind == Optimality::kConditional && !(got >= 1)) continue;
    ++out.queries;
    hits += pick == best ? 1 : 0;
    best_cost += data.cost[base + best];
    cost += paid;
    best_right += data.accuracy[base + best];
    right += got;
  }
  if (out.queries == 0) return out;
  out.selection = hits / static_cast<double>(out.queries);
  if (cost > 0) out.cost = best_cost / cost;
  out.accuracy = right / best_right;
  return out;
}

std::optional<double> arena_robustness(std::span<const std::size_t> clean,
                                       std::span<const std::size_t> perturbed) {
  RUNG_CHECK(clean.size() == perturbed.size(), "one pick of each side for each prompt");
  double matched = 0, flips = 0;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] == kNoPick || perturbed[i] == kNoPick) continue;
    matched += 1;
    flips += clean[i] == perturbed[i] ? 0 : 1;
  }
  if (matched == 0) return std::nullopt;
  return 1 - flips / matched;
}

}  // namespace rung::outcomes
