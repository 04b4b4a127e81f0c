#include "gateway/decider.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gateway/upstream_request.h"
#include "gateway/yaml_section.h"
#include "wire/exchange.h"

namespace rung::gateway {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What was asked for: a route (with a policy of its own for RouteLLM's form) or a model.
struct Target {
  const Route* route = nullptr;
  const ModelConfig* model = nullptr;
  std::optional<decide::PolicySpec> policy;
};

/// Strong and weak of a route: the pair of its predictor, where it is made for one; else its
/// reference arm and its cheapest.
Result<std::pair<std::size_t, std::size_t>> pair_of(const Route& route) {
  if (route.classifier) return std::pair{route.classifier->strong, route.classifier->weak};
  const auto scale =
      route.predictor ? route.predictor->quality_scale() : predict::QualityScale::kExpectedScore;
  if (scale == predict::QualityScale::kMatchChance)
    return Error{ErrorCode::kInfeasible,
                 fmt::format("route {} chooses among options of one reference arm, not between two "
                             "arms by threshold",
                             route.name),
                 "model"};
  if (scale != predict::QualityScale::kWinChance) {
    if (route.reference && route.cheapest && *route.reference != *route.cheapest)
      return std::pair{*route.reference, *route.cheapest};
    return Error{
        ErrorCode::kInfeasible,
        fmt::format("route {} has no two arms with different prices to choose between by threshold",
                    route.name),
        "model"};
  }
  std::optional<std::size_t> strong, weak;  // the router's first arm and its second
  for (std::size_t i = 0; i < route.arms.size(); ++i) {
    if (!route.arms[i].known_as) continue;
    auto& place = *route.arms[i].known_as == 0 ? strong : weak;
    if (!place) place = i;
  }
  if (strong && weak) return std::pair{*strong, *weak};
  return Error{ErrorCode::kInfeasible,
               fmt::format("route {} has no arm that is {}, which its predictor chooses between {} "
                           "and {}",
                           route.name, route.predictor->arms()[strong ? 1 : 0].name,
                           route.predictor->arms()[0].name, route.predictor->arms()[1].name),
               "model"};
}

/// router-<name>-<threshold>: <name> is a route, or the predictor of one. RouteLLM's server splits
/// at the first two hyphens; names here may hold more, so the longest that is known is taken, and
/// what follows its hyphen is the threshold: "-0.1" and "1e-1" hold hyphens too.
Result<Target> routellm_target(const Snapshot& snapshot, std::string_view model) {
  const std::string_view rest = model.substr(std::string_view("router-").size());
  const Route* route = nullptr;
  std::size_t length = 0;
  for (const auto& candidate : snapshot.routes) {
    const std::string stem = std::filesystem::path(candidate->predictor_name).stem().string();
    std::string hyphens = stem;  // causal-llm for causal_llm
    std::replace(hyphens.begin(), hyphens.end(), '_', '-');
    for (const std::string& name : {candidate->name, stem, hyphens}) {
      if (name.size() <= length || !rest.starts_with(name)) continue;
      if (rest.size() > name.size() && rest[name.size()] != '-') continue;
      route = candidate.get();
      length = name.size();
    }
  }
  const std::size_t hyphen = route != nullptr ? length : rest.rfind('-');
  const auto threshold =
      hyphen >= rest.size() ? std::nullopt : parse_number(rest.substr(hyphen + 1));
  if (!threshold || !(*threshold >= 0 && *threshold <= 1))
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("model \"{}\": expected router-<name>-<threshold> with a threshold from 0 to 1",
                    model),
        "model"};
  if (route == nullptr)
    return Error{ErrorCode::kNotFound,
                 fmt::format("model \"{}\": there is no route or predictor \"{}\"", model,
                             rest.substr(0, hyphen)),
                 "model"};
  const auto pair = pair_of(*route);
  if (!pair) return pair.error();
  return Target{.route = route,
                .model = nullptr,
                .policy = decide::PolicySpec{decide::PolicyKind::kThreshold, *threshold,
                                             route->arms[pair->first].label,
                                             route->arms[pair->second].label}};
}

Result<Target> find_target(const Snapshot& snapshot, const std::string& name) {
  if (const auto it = snapshot.route_by_name.find(name); it != snapshot.route_by_name.end())
    return Target{it->second, nullptr, {}};
  if (const auto it = snapshot.model_by_name.find(name); it != snapshot.model_by_name.end())
    return Target{nullptr, it->second, {}};
  if (name.starts_with("router-")) return routellm_target(snapshot, name);
  std::vector<std::string> names;
  for (const auto& [known, route] : snapshot.route_by_name) names.push_back(known);
  for (const auto& [known, model] : snapshot.model_by_name) names.push_back(known);
  std::sort(names.begin(), names.end());
  const std::string guess = nearest(name, names);
  return Error{ErrorCode::kNotFound,
               fmt::format("there is no model or route \"{}\"; {}", name,
                           guess.empty() ? "GET /v1/models lists them"
                                         : fmt::format("did you mean {}?", guess)),
               "model"};
}

bool lists(const std::optional<std::vector<std::string>>& names, const std::string& name) {
  return !names || std::find(names->begin(), names->end(), name) != names->end();
}

/// What a key may name. Arms of a route are looked at one by one.
Result<void> permit(const Target& target, const state::KeySpec* key) {
  if (key == nullptr) return {};
  const auto refuse = [&](const char* what, const std::string& name) {
    return Error{ErrorCode::kForbidden,
                 fmt::format("the key {} may not use the {} {}", key->name, what, name), "model"};
  };
  if (target.route != nullptr && !lists(key->routes, target.route->name))
    return refuse("route", target.route->name);
  if (target.model != nullptr && !may_use(key, *target.model))
    return refuse("model", target.model->name);
  return {};
}

/// By the classifier: s and 1 - s. Where it failed s is 1, which nobody has measured.
void score_pair(const Classifier& classifier, Choice& choice, const Ahead* ahead) {
  for (ArmOutlook& look : choice.outlook)
    if (look.why_not.empty()) look.why_not = look.arm->why_unscored;
  const bool measured = ahead != nullptr && ahead->win_chance;
  const double win = measured ? *ahead->win_chance : 1.0;
  choice.outlook[classifier.strong].quality = win;
  choice.outlook[classifier.weak].quality = 1 - win;
  for (const std::size_t arm : {classifier.strong, classifier.weak})
    choice.outlook[arm].is_scored = measured;
}

/// Says so where strong was taken because the classifier failed.
void explain_failure(const Route& route, const Ahead* ahead, Choice& choice) {
  if (!route.classifier || ahead == nullptr || ahead->failure.empty()) return;
  if (choice.threshold) choice.threshold->score.reset();
  const Arm& strong = route.arms[route.classifier->strong];
  if (choice.arm == &strong)
    choice.reason = fmt::format("{}, since {}", strong.label, ahead->failure);
  else  // drawn at random
    choice.reason += fmt::format(" ({})", ahead->failure);
}

void score(const Route& route, const wire::ChatRequest& request, Choice& choice,
           DeciderScratch& scratch, const Ahead* ahead) {
  if (route.classifier) return score_pair(*route.classifier, choice, ahead);
  if (!route.predictor) return;
  if (ahead != nullptr && !ahead->estimates.empty()) {
    scratch.estimates = ahead->estimates;
  } else {
    scratch.estimates.resize(route.predictor->arms().size());
    route.predictor->estimate_for(route.known, request.prompt, scratch.estimates,
                                  scratch.predictor);
  }
  for (ArmOutlook& look : choice.outlook) {
    if (!look.arm->why_unscored.empty()) {
      if (look.why_not.empty()) look.why_not = look.arm->why_unscored;
      continue;
    }
    const predict::Estimate& estimate = scratch.estimates[*look.arm->known_as];
    look.is_scored = true;
    look.quality = estimate.quality;
    look.quality_se = estimate.quality_se;
    look.has_tokens = estimate.has_tokens;
    look.completion_tokens = estimate.completion_tokens;
    const PriceConfig& price = *look.arm->model->price;
    if (!estimate.has_tokens && !estimate.has_cost) {
      // Trained without costs: only a policy that does not look at them gets here.
      look.cost_usd = std::nullopt;
      continue;
    }
    if (estimate.has_tokens) {
      // Tokens are predicted, the configured price turns them into money: a new price needs no
      // training.
      const double answer = request.max_tokens
                                ? std::min(static_cast<double>(estimate.completion_tokens),
                                           static_cast<double>(*request.max_tokens))
                                : static_cast<double>(estimate.completion_tokens);
      look.cost_usd =
          expected_usd(price, choice.prompt_tokens, answer * static_cast<double>(request.choices));
    } else {
      look.cost_usd = estimate.cost_usd;
    }
    // A free local model still is an arm: the smallest positive number keeps ratios defined.
    look.cost_usd = std::max(*look.cost_usd, 1e-12);
  }
}

/// The scores of the router's own rule for the arms that may still be chosen: what lacks a
/// capability is out before anything is scaled. Gives one for each arm of the route's predictor.
std::span<const float> utilities(const Route& route, std::string_view prompt, double alpha,
                                 Choice& choice, DeciderScratch& scratch) {
  if (!route.predictor) return {};
  scratch.capable.assign(route.predictor->arms().size(), 0);
  scratch.utilities.resize(scratch.capable.size());
  for (const ArmOutlook& look : choice.outlook)
    if (look.why_not.empty()) scratch.capable[*look.arm->known_as] = 1;
  if (!route.predictor->utilities(prompt, static_cast<float>(alpha), scratch.capable,
                                  scratch.utilities, scratch.predictor))
    return {};  // make_snapshot has refused that
  for (ArmOutlook& look : choice.outlook)
    if (look.why_not.empty() && !std::isfinite(scratch.utilities[*look.arm->known_as]))
      look.why_not = "the predictor has no score of it for prompts like this";
  return scratch.utilities;
}

Result<void> pick(const Route& route, const decide::PolicySpec* own_policy, std::string_view prompt,
                  std::uint64_t seed, Choice& choice, DeciderScratch& scratch) {
  scratch.candidates.clear();
  scratch.candidate_arm.clear();
  const decide::PolicySpec& spec = own_policy != nullptr ? *own_policy : route.policy_spec;
  std::span<const float> utility;
  if (spec.kind == decide::PolicyKind::kAlpha)
    utility = utilities(route, prompt, spec.parameter, choice, scratch);
  for (ArmOutlook& look : choice.outlook)
    if (look.why_not.empty() && look.is_scored && !look.cost_usd && needs_costs(spec.kind))
      look.why_not = "its cost is not known, and an unknown cost is never taken for free";
  for (std::size_t i = 0; i < choice.outlook.size(); ++i) {
    ArmOutlook& look = choice.outlook[i];
    if (!look.why_not.empty()) continue;
    if (!utility.empty()) look.utility = static_cast<double>(utility[*look.arm->known_as]);
    scratch.candidates.push_back({look.arm->label, look.quality, look.quality_se,
                                  look.cost_usd.value_or(0), look.utility, look.arm->prior_quality,
                                  look.arm->prior_cost_usd});
    scratch.candidate_arm.push_back(i);
  }
  if (scratch.candidates.empty()) {
    std::string why;
    for (const ArmOutlook& look : choice.outlook)
      why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", look.arm->label, look.why_not);
    return Error{ErrorCode::kInfeasible,
                 fmt::format("no arm of route {} can serve this request ({})", route.name, why),
                 "model"};
  }
  std::unique_ptr<const decide::Policy> made;
  if (own_policy != nullptr) {
    // A request may name another exchange rate; the margin stays the route's.
    decide::PolicySpec own = *own_policy;
    if (own.kind == decide::PolicyKind::kTradeoff) own.margin = route.policy_spec.margin;
    made = decide::make_policy(own);
  }
  const decide::Policy& policy = made ? *made : *route.policy;
  decide::Decision decision =
      policy.choose(scratch.candidates, {.seed = seed, .explore = route.explore});
  choice.arm = choice.outlook[scratch.candidate_arm[decision.pick]].arm;
  if (decision.runner_up) choice.runner_up = scratch.candidate_arm[*decision.runner_up];
  choice.policy = name(spec.kind);
  choice.policy_parameter = spec.parameter;
  choice.propensity = decision.propensity;
  choice.reason = std::move(decision.reason);
  if (own_policy == nullptr && decision.score)
    choice.threshold = {*decision.score >= spec.parameter, decision.score};
  return {};
}

Result<void> pin(const Route& route, const std::string& label, Choice& choice) {
  for (const ArmOutlook& look : choice.outlook) {
    if (look.arm->label != label) continue;
    // A pinned arm need not be scored, but it must be able to serve the request.
    if (!look.why_not.empty() && look.why_not != look.arm->why_unscored)
      return Error{ErrorCode::kInfeasible,
                   fmt::format("x-rung-arm asks for {}, but {}", label, look.why_not),
                   "x-rung-arm"};
    choice.arm = look.arm;
    choice.reason = "pinned by the x-rung-arm header";
    return {};
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("x-rung-arm is \"{}\", which route {} does not have", label, route.name),
               "x-rung-arm"};
}

decide::Needs needs_of(const wire::ChatRequest& request) {
  // Four bytes a token, the rule of thumb for English text; what is billed is what the provider
  // counts.
  return {.tools = request.has_tools,
          .json_schema = request.has_json_schema,
          .vision = request.has_images,
          .audio = request.has_audio,
          .prompt_tokens = static_cast<std::int64_t>(request.text_bytes / 4 + 1),
          .max_tokens = request.max_tokens};
}

/// The hard fact that rules an arm out; empty: it can serve the request.
std::string ruled_out(const Snapshot& snapshot, const Arm& arm, const wire::ChatRequest& request,
                      const decide::Needs& needs) {
  std::string fact = why_not(arm.model->abilities, needs);
  if (!fact.empty()) return fact;
  const UpstreamConfig& upstream = snapshot.config->upstreams[arm.model->upstream];
  return wire::why_not(request, dialect_toward(upstream, request.dialect));
}

}  // namespace

Result<Overrides> parse_overrides(std::string_view usd_per_point, std::string_view target_quality,
                                  std::string_view max_cost, std::string_view arm) {
  Overrides overrides;
  overrides.arm = std::string(arm);
  const auto take = [&](std::string_view header, std::string_view value,
                        decide::PolicyKind kind) -> Result<void> {
    if (value.empty()) return {};
    const auto number = parse_number(value);
    if (!number)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("{} is \"{}\"; expected a number", header, value),
                   std::string(header)};
    if (overrides.policy)
      return Error{ErrorCode::kInvalidArgument,
                   "more than one x-rung header chooses the policy; expected at most one",
                   std::string(header)};
    overrides.policy = decide::PolicySpec{kind, *number, {}, {}};
    if (auto valid = validate(*overrides.policy); !valid)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("{}: {}", header, valid.error().message), std::string(header)};
    return {};
  };
  if (auto r = take("x-rung-usd-per-point", usd_per_point, decide::PolicyKind::kTradeoff); !r)
    return r.error();
  if (auto r = take("x-rung-target-quality", target_quality, decide::PolicyKind::kTargetQuality);
      !r)
    return r.error();
  if (auto r = take("x-rung-max-cost", max_cost, decide::PolicyKind::kMaxCost); !r)
    return r.error();
  return overrides;
}

const Route* looks_ahead(const Snapshot& snapshot, const wire::ChatRequest& request,
                         const Overrides& overrides) {
  if (!snapshot.looks_ahead || request.dialect == wire::Dialect::kEmbeddings) return nullptr;
  const auto target = find_target(snapshot, request.model);
  if (!target || target->route == nullptr || !permit(*target, overrides.key)) return nullptr;
  if (target->route->predictor)
    return target->route->predictor->is_slow() ? target->route : nullptr;
  if (!target->route->classifier || !overrides.arm.empty() || overrides.policy) return nullptr;
  const Classifier& classifier = *target->route->classifier;
  const decide::Needs needs = needs_of(request);
  for (const std::size_t arm : {classifier.strong, classifier.weak})
    if (!ruled_out(snapshot, target->route->arms[arm], request, needs).empty()) return nullptr;
  return target->route;
}

Result<Choice> decide_chat(const Snapshot& snapshot, const wire::ChatRequest& request,
                           const Overrides& overrides, std::uint64_t seed, DeciderScratch& scratch,
                           const Ahead* ahead) {
  auto target = find_target(snapshot, request.model);
  if (!target) return target.error();
  if (auto permitted = permit(*target, overrides.key); !permitted) return permitted.error();
  Choice choice;
  choice.key = overrides.key;
  choice.images = request.images;
  const decide::Needs needs = needs_of(request);
  choice.needs = needs;
  choice.prompt_tokens = needs.prompt_tokens;
  if (target->model != nullptr) {
    // A named model is the user's own choice: only a fact that it states itself speaks against it.
    choice.model = target->model;
    choice.reason = "named directly";
    return choice;
  }
  const Route& route = *target->route;
  if (request.dialect == wire::Dialect::kEmbeddings && route.arms.size() > 1)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("route {} chooses among {} models, whose embeddings do not compare; "
                             "name one of them",
                             route.name, route.arms.size()),
                 "model"};
  choice.route = &route;
  if (overrides.policy && route.classifier)
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("an x-rung header asks for the policy {}, which needs expected scores; "
                    "the classifier of route {} ({}) gives chances: leave it out",
                    name(overrides.policy->kind), route.name, route.predictor_name),
        "model"};
  if (overrides.policy && route.predictor &&
      !policy_reads(overrides.policy->kind, route.predictor->quality_scale()))
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("an x-rung header asks for the policy {}, which needs expected scores; "
                    "the predictor of route {} ({}) gives chances: leave it out",
                    name(overrides.policy->kind), route.name, route.predictor->metadata("method")),
        "model"};
  choice.outlook.reserve(route.arms.size());
  for (const Arm& arm : route.arms) {
    ArmOutlook look;
    look.arm = &arm;
    look.why_not = ruled_out(snapshot, arm, request, needs);
    if (look.why_not.empty() && !may_use(overrides.key, *arm.model))
      look.why_not = "the key may not use this model";
    choice.outlook.push_back(std::move(look));
  }
  score(route, request, choice, scratch, ahead);
  if (!overrides.arm.empty()) {
    if (auto pinned = pin(route, overrides.arm, choice); !pinned) return pinned.error();
    choice.is_pinned = true;
  } else {
    const decide::PolicySpec* own = overrides.policy ? &*overrides.policy
                                    : target->policy ? &*target->policy
                                                     : nullptr;
    if (auto picked = pick(route, own, request.prompt, seed, choice, scratch); !picked)
      return picked.error();
    if (own != nullptr) choice.own_policy = *own;
    explain_failure(route, ahead, choice);
  }
  choice.model = choice.arm->model;
  return choice;
}

bool may_use(const state::KeySpec* key, const ModelConfig& model) {
  return key == nullptr || lists(key->models, model.name);
}

std::optional<state::NanoUsd> cost_of(const ModelConfig& model, const wire::Usage& usage,
                                      std::int64_t images) {
  if (!model.price) return std::nullopt;
  BilledTokens tokens = billed_tokens(usage);
  tokens.images = images;
  return cost_of(*model.price, tokens);
}

}  // namespace rung::gateway
