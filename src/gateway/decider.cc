#include "gateway/decider.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gateway/yaml_section.h"

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

/// router-<name>-<threshold>: <name> is a route, or the predictor of one. Strong is the route's
/// reference arm, weak its cheapest. Split at the first two hyphens only, as RouteLLM's server
/// does; a route's own name may hold more.
Result<Target> routellm_target(const Snapshot& snapshot, std::string_view model) {
  const std::string_view rest = model.substr(std::string_view("router-").size());
  const std::size_t hyphen = rest.rfind('-');
  const auto threshold =
      hyphen == std::string_view::npos ? std::nullopt : parse_number(rest.substr(hyphen + 1));
  if (!threshold || *threshold < 0 || *threshold > 1)
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("model \"{}\": expected router-<name>-<threshold> with a threshold from 0 to 1",
                    model),
        "model"};
  const std::string_view name = rest.substr(0, hyphen);
  for (const auto& route : snapshot.routes) {
    const std::string stem = std::filesystem::path(route->predictor_name).stem().string();
    if (route->name != name && stem != name) continue;
    if (!route->reference || !route->cheapest || *route->reference == *route->cheapest)
      return Error{
          ErrorCode::kInfeasible,
          fmt::format(
              "route {} has no two arms with different prices to choose between by threshold",
              route->name),
          "model"};
    return Target{.route = route.get(),
                  .model = nullptr,
                  .policy = decide::PolicySpec{decide::PolicyKind::kThreshold, *threshold,
                                               route->arms[*route->reference].label,
                                               route->arms[*route->cheapest].label}};
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("model \"{}\": there is no route or predictor \"{}\"", model, name),
               "model"};
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

void score(const Route& route, const wire::ChatRequest& request, Choice& choice,
           DeciderScratch& scratch) {
  if (!route.predictor) return;
  scratch.estimates.resize(route.predictor->arms().size());
  route.predictor->estimate_for(route.known, request.prompt, scratch.estimates,
                                scratch.predictor);
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
    if (estimate.has_tokens) {
      // Tokens are predicted, the configured price turns them into money: a new price needs no
      // training.
      const double answer = request.max_tokens
                                ? std::min(static_cast<double>(estimate.completion_tokens),
                                           static_cast<double>(*request.max_tokens))
                                : static_cast<double>(estimate.completion_tokens);
      look.cost_usd = 1e-6 * (static_cast<double>(choice.prompt_tokens) * price.input.rate +
                              answer * static_cast<double>(request.choices) * price.output.rate);
    } else {
      look.cost_usd = estimate.cost_usd;
    }
    // A free local model still is an arm: the smallest positive number keeps ratios defined.
    look.cost_usd = std::max(*look.cost_usd, 1e-12);
  }
}

Result<void> pick(const Route& route, const decide::PolicySpec* own_policy, std::uint64_t seed,
                  Choice& choice, DeciderScratch& scratch) {
  scratch.candidates.clear();
  scratch.candidate_arm.clear();
  for (std::size_t i = 0; i < choice.outlook.size(); ++i) {
    const ArmOutlook& look = choice.outlook[i];
    if (!look.why_not.empty()) continue;
    scratch.candidates.push_back(
        {look.arm->label, look.quality, look.quality_se, look.cost_usd.value_or(0),
         look.arm->prior_quality, look.arm->prior_cost_usd});
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
  const decide::PolicySpec& spec = own_policy != nullptr ? *own_policy : route.policy_spec;
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

Result<Choice> decide_chat(const Snapshot& snapshot, const wire::ChatRequest& request,
                           const Overrides& overrides, std::uint64_t seed,
                           DeciderScratch& scratch) {
  auto target = find_target(snapshot, request.model);
  if (!target) return target.error();
  Choice choice;
  // Four bytes a token, the rule of thumb for English text; what is billed is what the provider
  // counts.
  choice.prompt_tokens = static_cast<std::int64_t>(request.text_bytes / 4 + 1);
  const decide::Needs needs{.tools = request.has_tools,
                            .json_schema = request.has_json_schema,
                            .vision = request.has_images,
                            .audio = request.has_audio,
                            .prompt_tokens = choice.prompt_tokens,
                            .max_tokens = request.max_tokens};
  if (target->model != nullptr) {
    // A named model is the user's own choice: only a fact that it states itself speaks against it.
    choice.model = target->model;
    choice.reason = "named directly";
    return choice;
  }
  const Route& route = *target->route;
  choice.route = &route;
  choice.outlook.reserve(route.arms.size());
  for (const Arm& arm : route.arms) {
    ArmOutlook look;
    look.arm = &arm;
    look.why_not = why_not(arm.model->abilities, needs);
    choice.outlook.push_back(std::move(look));
  }
  score(route, request, choice, scratch);
  if (!overrides.arm.empty()) {
    if (auto pinned = pin(route, overrides.arm, choice); !pinned) return pinned.error();
  } else {
    const decide::PolicySpec* own = overrides.policy ? &*overrides.policy
                                    : target->policy ? &*target->policy
                                                     : nullptr;
    if (auto picked = pick(route, own, seed, choice, scratch); !picked) return picked.error();
  }
  choice.model = choice.arm->model;
  return choice;
}

std::optional<Usd> cost_of(const ModelConfig& model, const wire::Usage& usage) {
  if (!model.price || !usage.prompt_tokens || !usage.completion_tokens) return std::nullopt;
  const Tokens cached{
      std::clamp<std::int64_t>(usage.cached_tokens.value_or(0), 0, *usage.prompt_tokens)};
  const Tokens fresh = Tokens{*usage.prompt_tokens} - cached;
  return fresh * model.price->input +
         cached * model.price->cached_input.value_or(model.price->input) +
         Tokens{*usage.completion_tokens} * model.price->output;
}

}  // namespace rung::gateway
