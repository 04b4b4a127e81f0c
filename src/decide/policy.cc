#include "decide/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"

namespace rung::decide {
namespace {

/// Orders candidates by a key (greater is better), then by price, then by place; returns the best
/// two.
struct BestTwo {
  std::size_t first = 0;
  std::optional<std::size_t> second;
};

template <class Key>
BestTwo best_two(std::span<const Candidate> eligible, Key key) {
  const auto better = [&](std::size_t a, std::size_t b) {
    const auto ka = key(eligible[a]), kb = key(eligible[b]);
    if (ka != kb) return ka > kb;
    return eligible[a].cost_usd < eligible[b].cost_usd;
  };
  BestTwo best;
  for (std::size_t i = 1; i < eligible.size(); ++i) {
    if (better(i, best.first)) {
      best.second = best.first;
      best.first = i;
    } else if (!best.second || better(i, *best.second)) {
      best.second = i;
    }
  }
  return best;
}

/// Three significant digits and never an exponent: 0.00007, which people read faster than 7e-05.
std::string money(double amount) {
  if (!(amount > 0)) return "0";
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(amount))), 0, 15);
  std::string text = fmt::format("{:.{}f}", amount, decimals);
  if (decimals > 0) text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string describe(const Candidate& c) {
  return fmt::format("{} (quality {:.3f} ± {:.3f}, {} USD)", c.name, c.quality, c.quality_se,
                     money(c.cost_usd));
}

/// A share of requests goes to a random arm instead: known propensities are what off-policy
/// evaluation needs.
void explore(std::span<const Candidate> eligible, const Context& context, Decision& decision) {
  if (context.explore <= 0 || eligible.size() < 2) return;
  const double uniform = context.explore / static_cast<double>(eligible.size());
  Rng rng(context.seed);
  if (rng.uniform() < context.explore) {
    const std::size_t best = decision.pick;
    decision.pick = rng.below(eligible.size());
    if (decision.pick != best) {
      decision.runner_up = best;
      decision.reason = fmt::format("{}: drawn at random, as {:.1f} % of requests are",
                                    eligible[decision.pick].name, context.explore * 100);
      decision.propensity = uniform;
      return;
    }
  }
  decision.propensity = 1 - context.explore + uniform;
}

class Tradeoff final : public Policy {
 public:
  explicit Tradeoff(double usd_per_point, double margin = 0)
      : usd_per_point_(usd_per_point), margin_(margin) {}
  Decision choose(std::span<const Candidate> eligible, const Context& context) const override {
    const auto points = [&](const Candidate& c) {
      return 100 * c.quality - c.cost_usd / usd_per_point_;
    };
    const BestTwo best = best_two(eligible, points);
    Decision decision{.pick = best.first, .runner_up = best.second};
    const Candidate& pick = eligible[best.first];
    decision.reason = fmt::format("{} has the best quality for its cost at {} USD a point",
                                  describe(pick), money(usd_per_point_));
    if (best.second)
      decision.reason +=
          fmt::format(", {:.2f} points ahead of {}", points(pick) - points(eligible[*best.second]),
                      describe(eligible[*best.second]));
    if (const auto stay = default_arm(eligible); stay && *stay != best.first)
      if (const double ahead = points(pick) - points(eligible[*stay]); ahead <= margin_) {
        decision.pick = *stay;
        decision.runner_up = best.first;
        decision.reason = fmt::format(
            "{} is the best on average at {} USD a point; {} is ahead by {:.2f} points on this "
            "request, within the margin of {:g}",
            describe(eligible[*stay]), money(usd_per_point_), describe(pick), ahead, margin_);
      }
    explore(eligible, context, decision);
    return decision;
  }

 private:
  /// The eligible arm that is best on average; empty without a margin or without means.
  std::optional<std::size_t> default_arm(std::span<const Candidate> eligible) const {
    if (margin_ <= 0) return std::nullopt;
    std::optional<std::size_t> best;
    double most = 0;
    for (std::size_t i = 0; i < eligible.size(); ++i) {
      const Candidate& c = eligible[i];
      if (!c.prior_quality || !c.prior_cost_usd) continue;
      const double points = 100 * *c.prior_quality - *c.prior_cost_usd / usd_per_point_;
      if (!best || points > most ||
          (points == most && *c.prior_cost_usd < *eligible[*best].prior_cost_usd))
        best = i, most = points;
    }
    return best;
  }

  double usd_per_point_, margin_;
};

/// Shared by the two policies that have a constraint: those that keep it come first, by one key; if
/// none does, the least bad by another.
template <class Keeps, class Key, class LeastBad>
Decision choose_within(std::span<const Candidate> eligible, Keeps keeps, Key key,
                       LeastBad least_bad, std::string_view kept, std::string_view broken) {
  // A lexicographic key: keeping the constraint outweighs everything.
  using Order = std::pair<bool, double>;
  const BestTwo best = best_two(eligible, [&](const Candidate& c) {
    return keeps(c) ? Order{true, key(c)} : Order{false, least_bad(c)};
  });
  const Candidate& pick = eligible[best.first];
  Decision decision{.pick = best.first, .runner_up = best.second};
  decision.reason = fmt::format("{} {}", describe(pick), keeps(pick) ? kept : broken);
  return decision;
}

class TargetQuality final : public Policy {
 public:
  explicit TargetQuality(double quality) : quality_(quality) {}
  Decision choose(std::span<const Candidate> eligible, const Context& context) const override {
    Decision decision = choose_within(
        eligible, [&](const Candidate& c) { return c.quality >= quality_; },
        [](const Candidate& c) { return -c.cost_usd; },
        [](const Candidate& c) { return c.quality; },
        fmt::format("is the cheapest arm expected to reach quality {:g}", quality_),
        fmt::format("is the best there is: no arm is expected to reach quality {:g}", quality_));
    explore(eligible, context, decision);
    return decision;
  }

 private:
  double quality_;
};

class MaxCost final : public Policy {
 public:
  explicit MaxCost(double usd) : usd_(usd) {}
  Decision choose(std::span<const Candidate> eligible, const Context& context) const override {
    Decision decision = choose_within(
        eligible, [&](const Candidate& c) { return c.cost_usd <= usd_; },
        [](const Candidate& c) { return c.quality; },
        [](const Candidate& c) { return -c.cost_usd; },
        fmt::format("is the best arm expected to cost at most {} USD", money(usd_)),
        fmt::format("is the cheapest there is: no arm is expected to stay within {} USD",
                    money(usd_)));
    explore(eligible, context, decision);
    return decision;
  }

 private:
  double usd_;
};

/// Ong et al., RouteLLM (arXiv 2406.18665): strong if s >= tau, with s = win_chance().
class Threshold final : public Policy {
 public:
  explicit Threshold(const PolicySpec& spec) : spec_(spec) {}
  Decision choose(std::span<const Candidate> eligible, const Context& context) const override {
    std::optional<std::size_t> strong, weak;
    for (std::size_t i = 0; i < eligible.size(); ++i) {
      if (eligible[i].name == spec_.strong) strong = i;
      if (eligible[i].name == spec_.weak) weak = i;
    }
    Decision decision;
    if (strong && weak) {
      const double win = win_chance(eligible[*strong].quality, eligible[*weak].quality);
      const bool take_strong = win >= spec_.parameter;
      decision.score = win;
      decision.pick = take_strong ? *strong : *weak;
      decision.runner_up = take_strong ? *weak : *strong;
      decision.reason =
          fmt::format("{} beats {} with chance {:.3f}, {} the threshold {:g}", spec_.strong,
                      spec_.weak, win, take_strong ? "at or above" : "below", spec_.parameter);
    } else if (strong || weak) {
      decision.pick = strong ? *strong : *weak;
      decision.reason = fmt::format("{} is the only eligible one of the pair {}, {}",
                                    eligible[decision.pick].name, spec_.strong, spec_.weak);
    } else {
      decision = Tradeoff(PolicySpec{}.parameter).choose(eligible, {});
      decision.reason = fmt::format("neither {} nor {} is eligible; {}", spec_.strong, spec_.weak,
                                    decision.reason);
    }
    explore(eligible, context, decision);
    return decision;
  }

 private:
  PolicySpec spec_;
};

/// Zhang et al., Avengers-Pro (arXiv 2508.12631): argmax of the scores of its near clusters.
class Alpha final : public Policy {
 public:
  explicit Alpha(double alpha) : alpha_(alpha) {}
  Decision choose(std::span<const Candidate> eligible, const Context& context) const override {
    const BestTwo best = best_two(eligible, [](const Candidate& c) { return c.utility; });
    Decision decision{.pick = best.first, .runner_up = best.second};
    const Candidate& pick = eligible[best.first];
    decision.reason =
        fmt::format("{} (quality {:.3f}) has the greatest score at alpha {:g}, {:.3f}", pick.name,
                    pick.quality, alpha_, pick.utility);
    if (best.second)
      decision.reason += fmt::format(", ahead of {} with {:.3f}", eligible[*best.second].name,
                                     eligible[*best.second].utility);
    explore(eligible, context, decision);
    return decision;
  }

 private:
  double alpha_;
};

}  // namespace

bool needs_costs(PolicyKind kind) {
  return kind != PolicyKind::kThreshold && kind != PolicyKind::kAlpha;
}

double win_chance(double strong_quality, double weak_quality) {
  return (1 + strong_quality - weak_quality) / 2;
}

std::string_view name(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kTradeoff:
      return "tradeoff";
    case PolicyKind::kTargetQuality:
      return "target_quality";
    case PolicyKind::kMaxCost:
      return "max_cost";
    case PolicyKind::kThreshold:
      return "threshold";
    case PolicyKind::kAlpha:
      return "alpha";
  }
  return "unknown";
}

std::optional<PolicyKind> parse_policy_kind(std::string_view text) {
  for (const PolicyKind kind : {PolicyKind::kTradeoff, PolicyKind::kTargetQuality,
                                PolicyKind::kMaxCost, PolicyKind::kThreshold, PolicyKind::kAlpha})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

Result<void> validate(const PolicySpec& spec) {
  const bool is_share = spec.kind != PolicyKind::kTradeoff && spec.kind != PolicyKind::kMaxCost;
  const double p = spec.parameter;
  if (is_share && !(p >= 0 && p <= 1))
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("{} is {:g}; expected 0 to 1", name(spec.kind), p)};
  if (!is_share && !(p > 0 && p <= 1e6))
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("{} is {:g}; expected USD above 0",
                             spec.kind == PolicyKind::kTradeoff ? "usd_per_point" : "max_cost", p)};
  if (spec.kind == PolicyKind::kThreshold &&
      (spec.strong.empty() || spec.weak.empty() || spec.strong == spec.weak))
    return Error{ErrorCode::kInvalidConfig,
                 "a threshold policy names two different arms, `strong` and `weak`"};
  if (!(spec.margin >= 0 && spec.margin <= 100))
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("margin is {:g}; expected 0 to 100 points", spec.margin)};
  if (spec.share && !(*spec.share >= 0 && *spec.share <= 1 && spec.share_se >= 0 &&
                      spec.share_se <= 0.5 && spec.share_window > 0))
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("share is {:g} with share_se {:g}; expected 0 to 1, and 0 to 0.5",
                             *spec.share, spec.share_se)};
  if (spec.margin > 0 && spec.kind != PolicyKind::kTradeoff)
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("margin is {:g}; only a tradeoff policy has one", spec.margin)};
  return {};
}

std::unique_ptr<const Policy> make_policy(const PolicySpec& spec) {
  switch (spec.kind) {
    case PolicyKind::kTradeoff:
      return std::make_unique<Tradeoff>(spec.parameter, spec.margin);
    case PolicyKind::kTargetQuality:
      return std::make_unique<TargetQuality>(spec.parameter);
    case PolicyKind::kMaxCost:
      return std::make_unique<MaxCost>(spec.parameter);
    case PolicyKind::kThreshold:
      return std::make_unique<Threshold>(spec);
    case PolicyKind::kAlpha:
      return std::make_unique<Alpha>(spec.parameter);
  }
  RUNG_CHECK(false, "a policy kind without a policy");
  return nullptr;
}

}  // namespace rung::decide
