#include "gateway/fallback.h"

#include "gateway/upstream_request.h"
#include "wire/exchange.h"

namespace rung::gateway {

std::optional<Stand> Fallbacks::next() {
  if (choice_.is_pinned) return std::nullopt;
  return choice_.route != nullptr ? next_arm() : next_named();
}

std::optional<Stand> Fallbacks::next_arm() {
  if (asked_.empty()) {
    asked_.resize(choice_.outlook.size());
    for (std::size_t i = 0; i < asked_.size(); ++i)
      asked_[i] = choice_.outlook[i].arm == choice_.arm;
  }
  std::vector<decide::Candidate> left;
  std::vector<std::size_t> place;
  for (std::size_t i = 0; i < choice_.outlook.size(); ++i) {
    const ArmOutlook& look = choice_.outlook[i];
    if (asked_[i] || !look.why_not.empty()) continue;
    left.push_back({look.arm->label, look.quality, look.quality_se, look.cost_usd.value_or(0),
                    look.utility, look.arm->prior_quality, look.arm->prior_cost_usd});
    place.push_back(i);
  }
  if (left.empty()) return std::nullopt;
  std::unique_ptr<const decide::Policy> own;
  if (choice_.own_policy) {
    decide::PolicySpec spec = *choice_.own_policy;
    if (spec.kind == decide::PolicyKind::kTradeoff) spec.margin = choice_.route->policy_spec.margin;
    own = decide::make_policy(spec);
  }
  const decide::Policy& policy = own ? *own : *choice_.route->policy;
  // Trouble is no time to explore.
  const decide::Decision decision = policy.choose(left, {.seed = 0, .explore = 0});
  asked_[place[decision.pick]] = true;
  const Arm* arm = choice_.outlook[place[decision.pick]].arm;
  return Stand{arm->model, arm};
}

std::optional<Stand> Fallbacks::next_named() {
  if (named_ == nullptr) named_ = choice_.model;
  while (at_ < named_->fallback.size()) {
    const ModelConfig& model = snapshot_.config->models[named_->fallback[at_++]];
    if (!may_use(choice_.key, model)) continue;
    if (!decide::why_not(model.abilities, choice_.needs).empty()) continue;
    const UpstreamConfig& upstream = snapshot_.config->upstreams[model.upstream];
    if (!wire::why_not(request_, dialect_toward(upstream, request_.dialect)).empty()) continue;
    return Stand{&model, nullptr};
  }
  return std::nullopt;
}

}  // namespace rung::gateway
