#pragma once
// BEST-Route (arXiv 2506.22716, section 3; code microsoft/best-route-llm): Hybrid-LLM over options
// (model, number of samples n). One head for each cheap option predicts the probability that its
// answer matches the reference model's; the cheapest option that is sure enough is taken.
//
//   responses ─► best-of-n labels ─► heads ─► confidences ─► cheapest above t
//
// Where we differ from the reference code: labels are exact expectations instead of averages over
// 10 draws (`sampled_option_match` is that average); heads are linear on the router's embedding and
// fitted one by one, which minimises the same mean of cross-entropies; a missing cost or a missing
// head takes an option out instead of making it free; whether a prompt is paid once or for each
// sample is the caller's choice.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "predict/methods/soft_logistic.h"

namespace rung::predict {

/// What the responses of one model to one query were: three lists of one length. `proxy` is the
/// reward that picks among drawn responses, `oracle` the quality that counts. A response without
/// both (NaN) is left out; NaN tokens are unknown.
struct ResponsePool {
  std::vector<double> proxy, oracle, output_tokens;
};

/// Probability of each response to be the best of n draws with replacement, by `proxy`; 0 where
/// NaN. Equal rewards: the earliest of the pool gets it all, drawn or not, as in the reference.
/// They sum to 1, or are all 0 without a response. n >= 1.
std::vector<double> best_of_n_weights(std::span<const double> proxy, std::uint32_t n);
/// Expected oracle reward of the best of n, exactly. None without a response.
std::optional<double> expected_best_of_n(std::span<const double> proxy,
                                         std::span<const double> oracle, std::uint32_t n);

struct BestOfN {
  double oracle = 0;
  std::optional<double> output_tokens;  // of all n draws: all are paid
};
/// One draw of the same. None without a response.
std::optional<BestOfN> draw_best_of_n(const ResponsePool& pool, std::uint32_t n, Rng& rng);

/// y(t) of an option (match_labels.h): P(best of n >= a sample of the reference - t), exactly. For
/// n = 1 it is Hybrid-LLM's match_probability. None if one side has no sample.
std::optional<double> option_match(const ResponsePool& pool, std::uint32_t n,
                                   std::span<const double> reference, double t = 0);
/// The same as an average over `repeats` draws: 10 in the reference for training, 1 for tests.
std::optional<double> sampled_option_match(const ResponsePool& pool, std::uint32_t n,
                                           std::span<const double> reference, double t,
                                           std::uint32_t repeats, Rng& rng);

enum class PromptCharge : std::uint8_t {
  kOnce,        // a cached prefix, or the API's `n`: what the reference assumes
  kEachSample,  // n separate calls
};
/// USD of an option: prompt tokens once or n times, and the output tokens of all n samples; prices
/// in USD per token. None if a number is NaN: an unknown cost is not 0.
std::optional<double> option_cost(double prompt_tokens, double all_output_tokens,
                                  double usd_per_input, double usd_per_output, std::uint32_t n,
                                  PromptCharge charge);

/// No head, no confidence: never chosen, whatever the threshold.
inline constexpr double kNoConfidence = -std::numeric_limits<double>::infinity();

/// Index of the cheapest option with confidence >= threshold (of equal costs the first);
/// `reference` if there is none. An option whose cost is NaN or confidence kNoConfidence or NaN is
/// passed over. The reference's own confidence should be 1: then nothing dearer is chosen.
std::size_t cheapest_above(std::span<const double> cost, std::span<const double> confidence,
                           double threshold, std::size_t reference);
/// `points` >= 2 thresholds evenly from the least to the greatest finite confidence: 21 in the
/// reference. Empty if there is none.
std::vector<double> threshold_sweep(std::span<const double> confidence, std::size_t points = 21);

/// A cheap option; the reference model is not one of them.
struct RouteOption {
  std::uint32_t arm = 0, samples = 1;
};

struct BestRoute {
  std::vector<RouteOption> options;
  std::vector<std::optional<LogisticHead>> heads;  // none: no row had a label for the option

  /// p0 - p1 = 2p - 1 of each option, then the reference's 1; `out` [options + 1]. kNoConfidence
  /// without a head.
  void confidences(std::span<const float> x, std::span<double> out) const;
};

/// `labels` [n, options], y(t) in [0, 1] or NaN. `x` and `dims` as in fit_logistic. Options without
/// a label get no head. Errors: kInvalidArgument (shapes, l2), kInvalidData (no label at all, a
/// label outside [0, 1]).
Result<BestRoute> fit_best_route(const Matrix& x, Index dims, std::span<const RouteOption> options,
                                 const MatrixD& labels, const LogisticOptions& logistic = {});

}  // namespace rung::predict
