#include "predict/methods/best_route.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "predict/methods/match_labels.h"

namespace rung::predict {
namespace {

/// Proxy rewards with NaN where the oracle's is missing.
std::vector<double> usable(std::span<const double> proxy, std::span<const double> oracle) {
  RUNG_CHECK(proxy.size() == oracle.size(), "each response has both rewards");
  std::vector<double> out(proxy.begin(), proxy.end());
  for (std::size_t i = 0; i < out.size(); ++i)
    if (std::isnan(oracle[i])) out[i] = std::numeric_limits<double>::quiet_NaN();
  return out;
}

/// Indices of the responses that are not NaN, by rising reward, equal ones by index.
std::vector<std::size_t> by_reward(std::span<const double> proxy) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < proxy.size(); ++i)
    if (!std::isnan(proxy[i])) order.push_back(i);
  std::ranges::stable_sort(order, [&](auto a, auto b) { return proxy[a] < proxy[b]; });
  return order;
}

}  // namespace

std::vector<double> best_of_n_weights(std::span<const double> proxy, std::uint32_t n) {
  RUNG_CHECK(n >= 1, "the best of at least one sample");
  const auto order = by_reward(proxy);
  std::vector<double> weight(proxy.size(), 0.0);
  const auto count = static_cast<double>(order.size());
  double below = 0;  // probability that all draws are below the present group
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && proxy[order[end]] == proxy[order[begin]]) ++end;
    const double upto = std::pow(static_cast<double>(end) / count, n);
    weight[order[begin]] = upto - below;
    below = upto;
  }
  return weight;
}

std::optional<double> expected_best_of_n(std::span<const double> proxy,
                                         std::span<const double> oracle, std::uint32_t n) {
  const auto weight = best_of_n_weights(usable(proxy, oracle), n);
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (weight[i] <= 0) continue;
    sum += weight[i] * oracle[i];
    total += weight[i];
  }
  if (total <= 0) return std::nullopt;
  return sum;
}

std::optional<BestOfN> draw_best_of_n(const ResponsePool& pool, std::uint32_t n, Rng& rng) {
  RUNG_CHECK(n >= 1, "the best of at least one sample");
  const auto proxy = usable(pool.proxy, pool.oracle);
  auto known = by_reward(proxy);
  if (known.empty()) return std::nullopt;
  std::ranges::sort(known);
  double best = -std::numeric_limits<double>::infinity(), tokens = 0;
  for (std::uint32_t draw = 0; draw < n; ++draw) {
    const std::size_t i = known[rng.below(known.size())];
    best = std::max(best, proxy[i]);
    tokens += i < pool.output_tokens.size() ? pool.output_tokens[i]
                                            : std::numeric_limits<double>::quiet_NaN();
  }
  const auto at = static_cast<std::size_t>(std::ranges::find(proxy, best) - proxy.begin());
  BestOfN out{pool.oracle[at], std::nullopt};
  if (!std::isnan(tokens)) out.output_tokens = tokens;
  return out;
}

std::optional<double> option_match(const ResponsePool& pool, std::uint32_t n,
                                   std::span<const double> reference, double t) {
  const auto weight = best_of_n_weights(usable(pool.proxy, pool.oracle), n);
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (weight[i] <= 0) continue;
    const auto match = match_probability({&pool.oracle[i], 1}, reference, t);
    if (!match) return std::nullopt;
    sum += weight[i] * *match;
    total += weight[i];
  }
  if (total <= 0) return std::nullopt;
  return std::clamp(sum, 0.0, 1.0);
}

std::optional<double> sampled_option_match(const ResponsePool& pool, std::uint32_t n,
                                           std::span<const double> reference, double t,
                                           std::uint32_t repeats, Rng& rng) {
  std::vector<double> drawn;
  for (std::uint32_t r = 0; r < repeats; ++r) {
    const auto best = draw_best_of_n(pool, n, rng);
    if (!best) return std::nullopt;
    drawn.push_back(best->oracle);
  }
  return match_probability(drawn, reference, t);
}

std::optional<double> option_cost(double prompt_tokens, double all_output_tokens,
                                  double usd_per_input, double usd_per_output, std::uint32_t n,
                                  PromptCharge charge) {
  const double prompts = charge == PromptCharge::kOnce ? 1 : n;
  const double cost = prompts * prompt_tokens * usd_per_input + all_output_tokens * usd_per_output;
  if (!std::isfinite(cost)) return std::nullopt;
  return cost;
}

std::size_t cheapest_above(std::span<const double> cost, std::span<const double> confidence,
                           double threshold, std::size_t reference) {
  RUNG_CHECK(cost.size() == confidence.size() && reference < cost.size(),
             "each option has a cost and a confidence, and the reference is one of them");
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < cost.size(); ++i) {
    if (std::isnan(cost[i]) || confidence[i] == kNoConfidence || !(confidence[i] >= threshold))
      continue;
    if (!best || cost[i] < cost[*best]) best = i;
  }
  return best.value_or(reference);
}

std::vector<double> threshold_sweep(std::span<const double> confidence, std::size_t points) {
  RUNG_CHECK(points >= 2, "a sweep has two ends");
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double c : confidence) {
    if (!std::isfinite(c)) continue;
    low = std::min(low, c);
    high = std::max(high, c);
  }
  if (low > high) return {};
  std::vector<double> out(points);
  for (std::size_t i = 0; i < points; ++i)
    out[i] = std::lerp(low, high, static_cast<double>(i) / static_cast<double>(points - 1));
  return out;
}

void BestRoute::confidences(std::span<const float> x, std::span<double> out) const {
  RUNG_CHECK(out.size() == heads.size() + 1, "a place for each option and the reference");
  for (std::size_t j = 0; j < heads.size(); ++j)
    out[j] = heads[j] ? 2 * heads[j]->probability(x) - 1 : kNoConfidence;
  out[heads.size()] = 1;
}

Result<BestRoute> fit_best_route(const Matrix& x, Index dims, std::span<const RouteOption> options,
                                 const MatrixD& labels, const LogisticOptions& logistic) {
  if (labels.rows() != x.rows() || labels.cols() != static_cast<Index>(options.size()))
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("labels are [{}, {}]; {} rows and {} options need [{}, {}]", labels.rows(),
                    labels.cols(), x.rows(), options.size(), x.rows(), options.size())};
  BestRoute out{{options.begin(), options.end()}, {}};
  out.heads.resize(options.size());
  std::vector<std::optional<Error>> errors(options.size());
  parallel_for(options.size(), [&](std::size_t j) {
    const VectorD target = labels.col(static_cast<Index>(j));
    if (!(target.array() == target.array()).any()) return;  // NaN throughout
    auto head = fit_logistic(x, dims, target, logistic);
    if (head)
      out.heads[j] = *std::move(head);
    else
      errors[j] = head.error().with(fmt::format("the head of option {}", j));
  });
  for (const auto& error : errors)
    if (error) return *error;
  if (std::ranges::none_of(out.heads, [](const auto& head) { return head.has_value(); }))
    return Error{ErrorCode::kInvalidData,
                 fmt::format("none of {} options has a label in {} rows; heads need one",
                             options.size(), x.rows())};
  return out;
}

}  // namespace rung::predict
