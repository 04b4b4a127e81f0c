#pragma once
// A policy picks one arm among the eligible ones, from their estimates and under its constraint.
//
//   tradeoff        the best quality minus money, at a stated exchange rate
//   target_quality  the cheapest arm expected to reach a quality
//   max_cost        the best arm expected to stay within a cost
//   threshold       strong or weak, by the chance that strong beats weak (RouteLLM's form)
//   alpha           the greatest score of the router's own rule (Avengers-Pro's form)
//
// Const and thread-safe: all workers share one instance. The same candidates and seed give the same
// decision.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung::decide {

/// An eligible arm with what is expected of it for this request.
struct Candidate {
  std::string_view name;  // the arm's label, such as "large@low"
  double quality = 0;     // expected score in [0, 1]
  double quality_se = 0;  // its standard error
  double cost_usd = 0;  // expected cost, > 0; an arm without a known cost is no candidate, but for
                        // threshold and alpha, which do not look at it
  double utility = 0;   // by the router's own rule; alpha only
  // Means over prompts, for the margin of a tradeoff; empty: not known.
  std::optional<double> prior_quality = {}, prior_cost_usd = {};
};

struct Context {
  std::uint64_t seed = 0;  // of this decision's chance
  double explore =
      0;  // probability of a uniformly random eligible arm instead, for off-policy evaluation
};

struct Decision {
  std::size_t pick = 0;  // index into the candidates
  std::optional<std::size_t> runner_up =
      {};                   // who would have been next; empty: there was one candidate
  double propensity = 1;    // probability that this pick was made
  std::string reason = {};  // a sentence with the numbers that decided
  /// threshold: what was held against it; empty where one of the pair is not eligible.
  std::optional<double> score = {};
};

enum class PolicyKind : std::uint8_t { kTradeoff, kTargetQuality, kMaxCost, kThreshold, kAlpha };
std::string_view name(PolicyKind kind);  // "tradeoff", "target_quality", "max_cost", ...
std::optional<PolicyKind> parse_policy_kind(std::string_view name);

struct PolicySpec {
  PolicyKind kind = PolicyKind::kTradeoff;
  /// tradeoff: USD that one point (0.01) of quality is worth, > 0. target_quality: 0..1. max_cost:
  /// USD per request, > 0. threshold: 0..1, strong if the chance that strong beats weak is at least
  /// this. alpha: 0..1, what quality weighs against cost; the candidates carry what came of it.
  double parameter = 0.0005;
  std::string strong = {}, weak = {};  // arm labels; threshold only
  /// tradeoff only: points by which an arm must be ahead of the default arm, the one that is best
  /// on average at the same exchange rate, to be picked instead; 0 to 100, 0 is off. It keeps picks
  /// from turning on a typing error, and costs what small advantages are worth (docs/metrics.md).
  double margin = 0;
  /// threshold only: the share of requests that calibration expects to go strong, with its standard
  /// error, and how many requests are judged by it at a time; empty: nobody knows. It decides
  /// nothing.
  std::optional<double> share = {};
  double share_se = 0;
  std::size_t share_window = 1000;
};
/// True for policies that look at the expected cost.
bool needs_costs(PolicyKind kind);
/// Error kInvalidConfig: the parameter's range.
Result<void> validate(const PolicySpec& spec);

/// The score of the threshold policy: the chance that strong beats weak, ties counted half, from
/// their expected scores in [0, 1]. For scores in {0, 1} it is (1 + strong - weak) / 2, whatever
/// their correlation. Calibrate thresholds with this (rung calibrate does).
double win_chance(double strong_quality, double weak_quality);

class Policy {
 public:
  virtual ~Policy() = default;
  /// `eligible` is not empty and holds finite numbers. Ties are broken by price, then by order.
  virtual Decision choose(std::span<const Candidate> eligible, const Context& context) const = 0;
};

/// Requires validate(spec).
std::unique_ptr<const Policy> make_policy(const PolicySpec& spec);

}  // namespace rung::decide
