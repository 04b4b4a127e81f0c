#include "gateway/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "gateway/yaml_section.h"

namespace rung::gateway {
namespace {

std::optional<std::size_t> find_arm(std::span<const predict::ArmInfo> arms, std::string_view name) {
  for (std::size_t i = 0; i < arms.size(); ++i)
    if (arms[i].name == name) return i;
  return std::nullopt;
}

/// Which of the predictor's arms this one is: by its label, its model's `like`, its model's names,
/// in this order.
/// `costs`: the route's policy looks at them.
Result<void> match(Arm& arm, const predict::Router& router, const std::string& route, bool costs) {
  const auto known = router.arms();
  if (auto found = find_arm(known, arm.label)) {
    arm.known_as = found;
  } else if (!arm.model->like.empty()) {
    arm.known_as = find_arm(known, arm.model->like);
    if (!arm.known_as) {
      std::vector<std::string> names;
      for (const auto& info : known) names.push_back(info.name);
      const std::string guess = nearest(arm.model->like, names);
      return Error{
          ErrorCode::kInvalidConfig,
          fmt::format("models.{}.like is \"{}\", which the predictor of route {} does not know; {}",
                      arm.model->name, arm.model->like, route,
                      guess.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                                    : fmt::format("did you mean {}?", guess))};
    }
  } else if (arm.effort.empty()) {
    arm.known_as = find_arm(known, arm.model->upstream_name);
  }
  if (!arm.known_as) {
    arm.why_unscored = "the predictor does not know it and it says no `like`";
  } else if (costs && !known[*arm.known_as].has_tokens && !known[*arm.known_as].has_cost) {
    arm.why_unscored = "the predictor knows neither its tokens nor its cost";
  } else if (!arm.model->price) {
    arm.why_unscored = "it has no `price`: an unknown cost is never taken for free";
  }
  return {};
}

/// Whether what the predictor says is what the policy reads.
Result<void> check_policy(const predict::Router& router, const RouteConfig& config) {
  const auto refuse = [&](std::string_view says, std::string_view expected) {
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("routes.{}.policy is of the kind {}, but its predictor {} ({}) {}; "
                             "expected {}",
                             config.name, decide::name(config.policy.kind),
                             config.predictor.filename().string(), router.metadata("method"), says,
                             expected)};
  };
  const auto kind = config.policy.kind;
  if (!policy_reads(kind, router.quality_scale())) {
    if (router.quality_scale() == predict::QualityScale::kWinChance)
      return refuse("gives the chance that one arm beats the other, not expected scores",
                    "{kind: threshold, threshold: 0 to 1, strong: ARM, weak: ARM}");
    return refuse("gives the chance that an arm matches the reference, not expected scores",
                  "{kind: target_quality, target_quality: 0 to 1}");
  }
  if (kind != decide::PolicyKind::kAlpha) return {};
  predict::Scratch scratch;
  std::vector<float> utility(router.arms().size());
  if (!router.utilities("", static_cast<float>(config.policy.parameter), {}, utility, scratch))
    return refuse("has no scores by alpha",
                  "a router of the methods avengers-pro, avengers-pro-rank or avengers");
  if (router.metadata("method") == "avengers" && config.policy.parameter != 1)
    return refuse("looks at quality alone", "alpha: 1");
  return {};
}

/// Means of the arms. Training knows their cost at its own prices: the ratio of the configured
/// price to these comes from a few texts of usual length.
void set_priors(Route& route) {
  constexpr std::string_view kTypical[] = {
      "What is the capital of Australia?",
      "Write a Python function that returns the n-th Fibonacci number, and explain its running "
      "time in two sentences.",
      "A shop sells pens at 3 for 2 dollars and notebooks at 4 dollars each. Anna buys 12 pens and "
      "some notebooks and pays 28 dollars. How many notebooks did she buy? Think step by step, and "
      "give the number alone on the last line."};
  if (!route.predictor) return;
  const auto known = route.predictor->arms();
  std::vector<double> ours(route.arms.size()), theirs(route.arms.size());
  std::vector<predict::Estimate> estimates(known.size());
  predict::Scratch scratch;
  for (const std::string_view text : kTypical) {
    route.predictor->estimate_for(route.known, text, estimates, scratch);
    for (std::size_t i = 0; i < route.arms.size(); ++i) {
      const Arm& arm = route.arms[i];
      if (!arm.why_unscored.empty()) continue;
      const predict::Estimate& e = estimates[*arm.known_as];
      theirs[i] += e.cost_usd;
      ours[i] += 1e-6 * (static_cast<double>(text.size() / 4 + 1) * arm.model->price->input.rate +
                         static_cast<double>(e.completion_tokens) * arm.model->price->output.rate);
    }
  }
  for (std::size_t i = 0; i < route.arms.size(); ++i) {
    Arm& arm = route.arms[i];
    if (!arm.why_unscored.empty()) continue;
    const predict::ArmInfo& info = known[*arm.known_as];
    arm.prior_quality = info.mean_quality;
    if (!info.has_tokens)
      arm.prior_cost_usd = info.mean_cost_usd;
    else if (info.has_cost && theirs[i] > 0)
      arm.prior_cost_usd = info.mean_cost_usd * ours[i] / theirs[i];
    else
      arm.prior_cost_usd = ours[i] / static_cast<double>(std::size(kTypical));
  }
}

Result<std::unique_ptr<const Route>> make_route(
    const RouteConfig& config, const Config& all,
    std::map<std::filesystem::path, std::shared_ptr<const predict::Router>>& loaded,
    const LoadRouter& load) {
  auto route = std::make_unique<Route>();
  route->name = config.name;
  route->index = static_cast<std::size_t>(&config - all.routes.data());
  route->policy_spec = config.policy;
  route->policy = decide::make_policy(config.policy);
  route->explore = config.explore;
  if (!config.predictor.empty()) {
    auto& router = loaded[config.predictor];
    if (!router) {
      auto result = load(config.predictor);
      if (!result) return result.error().with(fmt::format("predictor of route {}", config.name));
      router = *std::move(result);
    }
    if (auto fits = check_policy(*router, config); !fits) return fits.error();
    route->predictor = router;
    route->predictor_name = config.predictor.filename().string();
  }
  if (config.classifier) {
    Classifier classifier{&*config.classifier, &all.models[config.classifier->model], 0, 0};
    for (std::size_t i = 0; i < config.arms.size(); ++i) {
      if (config.arms[i].label == config.policy.strong) classifier.strong = i;
      if (config.arms[i].label == config.policy.weak) classifier.weak = i;
    }
    route->classifier = classifier;
    route->predictor_name = config.classifier->name;
  }
  for (const ArmConfig& item : config.arms) {
    Arm arm{.label = item.label,
            .model = &all.models[item.model],
            .effort = item.effort,
            .strategy = item.strategy,
            .known_as = {},
            .why_unscored = {}};
    if (route->predictor)
      if (auto matched =
              match(arm, *route->predictor, config.name, decide::needs_costs(config.policy.kind));
          !matched)
        return matched.error();
    if (config.classifier && arm.label != config.policy.strong && arm.label != config.policy.weak)
      arm.why_unscored = fmt::format("the classifier chooses between {} and {}",
                                     config.policy.strong, config.policy.weak);
    if (arm.known_as) route->known.push_back(static_cast<std::uint32_t>(*arm.known_as));
    route->arms.push_back(std::move(arm));
  }
  if (route->predictor && std::all_of(route->arms.begin(), route->arms.end(),
                                      [](const Arm& a) { return !a.why_unscored.empty(); }))
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("routes.{}: none of its arms can be scored; the first, {}: {}. `rung "
                             "models` lists the reference "
                             "arms that a model can be `like`",
                             config.name, route->arms[0].label, route->arms[0].why_unscored)};
  if (config.policy.margin > 0) set_priors(*route);
  // What a user would pay without a router is the dearest arm, unless the route says otherwise.
  const auto output_price = [&](std::size_t i) { return route->arms[i].model->price->output; };
  for (std::size_t i = 0; i < route->arms.size(); ++i) {
    if (!route->arms[i].model->price) continue;
    if (!route->reference || output_price(i) > output_price(*route->reference))
      route->reference = i;
    if (!route->cheapest || output_price(i) < output_price(*route->cheapest)) route->cheapest = i;
  }
  if (config.reference) route->reference = config.reference;
  return std::unique_ptr<const Route>(std::move(route));
}

}  // namespace

bool policy_reads(decide::PolicyKind kind, predict::QualityScale scale) {
  switch (scale) {
    case predict::QualityScale::kExpectedScore:
      return true;
    case predict::QualityScale::kWinChance:
      return kind == decide::PolicyKind::kThreshold;
    case predict::QualityScale::kMatchChance:
      return kind == decide::PolicyKind::kTargetQuality;
  }
  return false;
}

Result<std::shared_ptr<const Snapshot>> make_snapshot(Config config, const LoadRouter& load) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->config = std::make_shared<const Config>(std::move(config));
  std::map<std::filesystem::path, std::shared_ptr<const predict::Router>> loaded;
  for (const RouteConfig& item : snapshot->config->routes) {
    auto route = make_route(item, *snapshot->config, loaded, load);
    if (!route) return route.error();
    snapshot->looks_ahead = snapshot->looks_ahead || (*route)->classifier ||
                            ((*route)->predictor && (*route)->predictor->is_slow());
    snapshot->route_by_name.emplace(item.name, route->get());
    snapshot->routes.push_back(*std::move(route));
  }
  for (const ModelConfig& model : snapshot->config->models)
    snapshot->model_by_name.emplace(model.name, &model);
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace rung::gateway
