// rung route: what is expected of each arm on one prompt, and which one a policy would pick.

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "commands.h"
#include "decide/policy.h"
#include "gateway/snapshot.h"
#include "json/write.h"
#include "predict/router.h"
#include "router_file.h"

namespace rung::cli {
namespace {

struct RouteCommand {
  std::string prompt, router;
  std::optional<double> usd_per_point, target_quality, max_cost, threshold, alpha;
  bool json = false;
};

/// What was asked, else what the router is made for: tradeoff, for chances the middle.
decide::PolicySpec policy_of(const RouteCommand& command, const predict::Router& router) {
  const auto scale = router.quality_scale();
  const bool asked = command.target_quality || command.max_cost || command.usd_per_point ||
                     command.threshold || command.alpha;
  if (command.threshold || (!asked && scale == predict::QualityScale::kWinChance))
    return {decide::PolicyKind::kThreshold, command.threshold.value_or(0.5),
            router.arms().front().name, router.arms().back().name};
  if (!asked && scale == predict::QualityScale::kMatchChance)
    return {decide::PolicyKind::kTargetQuality, 0.5, {}, {}};
  if (command.alpha) return {decide::PolicyKind::kAlpha, *command.alpha, {}, {}};
  if (command.target_quality)
    return {decide::PolicyKind::kTargetQuality, *command.target_quality, {}, {}};
  if (command.max_cost) return {decide::PolicyKind::kMaxCost, *command.max_cost, {}, {}};
  if (command.usd_per_point) return {decide::PolicyKind::kTradeoff, *command.usd_per_point, {}, {}};
  return {};
}

struct Answer {
  std::span<const predict::ArmInfo> arms;
  std::vector<predict::Estimate> estimates;
  std::size_t pick = 0;
  decide::Decision decision;
};

std::string as_json(const Answer& answer, const decide::PolicySpec& spec,
                    const std::string& router) {
  json::Writer w;
  w.begin_object()
      .key("pick")
      .string(answer.arms[answer.pick].name)
      .key("reason")
      .string(answer.decision.reason);
  w.key("policy")
      .begin_object()
      .key("kind")
      .string(decide::name(spec.kind))
      .key("parameter")
      .number(spec.parameter);
  w.end_object().key("router").string(router).key("arms").begin_object();
  for (std::size_t j = 0; j < answer.arms.size(); ++j) {
    const predict::Estimate& e = answer.estimates[j];
    w.key(answer.arms[j].name).begin_object().key("quality").number(static_cast<double>(e.quality));
    w.key("quality_se").number(static_cast<double>(e.quality_se)).key("cost");
    e.has_cost ? w.number(static_cast<double>(e.cost_usd)) : w.null();
    w.key("completion_tokens");
    e.has_tokens ? w.number(static_cast<double>(e.completion_tokens)) : w.null();
    w.end_object();
  }
  w.end_object().end_object();
  return w.take() + "\n";
}

std::string as_text(const Answer& answer) {
  std::size_t width = 3;
  for (const auto& arm : answer.arms) width = std::max(width, arm.name.size());
  std::string out = fmt::format("  {:<{}}  {:>15}  {:>12}  {:>7}\n", "arm", width, "quality",
                                "USD / 1000", "tokens");
  for (std::size_t j = 0; j < answer.arms.size(); ++j) {
    const predict::Estimate& e = answer.estimates[j];
    out +=
        fmt::format("{} {:<{}}  {:>6.3f} ± {:>6.3f}  {:>12}  {:>7}\n", j == answer.pick ? '>' : ' ',
                    answer.arms[j].name, width, e.quality, e.quality_se,
                    e.has_cost ? fmt::format("{:.4f}", 1000 * e.cost_usd) : "unknown",
                    e.has_tokens ? fmt::format("{:.0f}", e.completion_tokens) : "unknown");
  }
  return out + fmt::format("\n{}: {}\n", answer.arms[answer.pick].name, answer.decision.reason);
}

Result<void> route(const RouteCommand& command) {
  const std::string file = router_file(command.router);
  auto router = predict::Router::load(file);
  if (!router) return router.error();
  if (command.threshold && (*router)->quality_scale() != predict::QualityScale::kWinChance)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--threshold is for routers of two arms, by a pair method; {} is {}",
                             file, (*router)->metadata("method"))};
  const decide::PolicySpec spec = policy_of(command, **router);
  if (auto valid = decide::validate(spec); !valid) return valid;
  if (!gateway::policy_reads(spec.kind, (*router)->quality_scale()))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("the policy {} needs expected scores; {} ({}) gives chances: leave it "
                             "out, or ask for --threshold or, of best-route, --target-quality",
                             decide::name(spec.kind), file, (*router)->metadata("method"))};
  std::string prompt = command.prompt;
  if (prompt == "-") prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (prompt.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "the prompt is empty; expected a text, or - and a text on standard input"};

  Answer answer;
  answer.arms = (*router)->arms();
  answer.estimates.resize(answer.arms.size());
  predict::Scratch scratch;
  (*router)->estimate(prompt, answer.estimates, scratch);
  std::vector<float> utility(answer.arms.size());
  if (spec.kind == decide::PolicyKind::kAlpha &&
      !(*router)->utilities(prompt, static_cast<float>(spec.parameter), {}, utility, scratch))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--alpha is for routers of the avengers methods; {} is {}", file,
                             (*router)->metadata("method"))};
  std::vector<decide::Candidate> candidates;
  std::vector<std::size_t> arm_of;
  for (std::size_t j = 0; j < answer.arms.size(); ++j) {
    const predict::Estimate& e = answer.estimates[j];
    if ((needs_costs(spec.kind) && !e.has_cost) || !std::isfinite(utility[j])) continue;
    candidates.push_back({answer.arms[j].name, static_cast<double>(e.quality),
                          static_cast<double>(e.quality_se), static_cast<double>(e.cost_usd),
                          static_cast<double>(utility[j])});
    arm_of.push_back(j);
  }
  if (candidates.empty())
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: no arm has a known cost, so none can be picked", file)};
  answer.decision = decide::make_policy(spec)->choose(candidates, {});
  answer.pick = arm_of[answer.decision.pick];
  const std::string out = command.json ? as_json(answer, spec, file) : as_text(answer);
  std::fwrite(out.data(), 1, out.size(), stdout);
  return {};
}

}  // namespace

void add_route(CLI::App& app, Action& action) {
  auto command = std::make_shared<RouteCommand>();
  CLI::App* sub = app.add_subcommand(
      "route", "Show what is expected of each model on one prompt, and the pick");
  sub->add_option("prompt", command->prompt, "The prompt; - reads it from standard input")
      ->required();
  sub->add_option("--router", command->router,
                  "Artefact of rung train; default: RUNG_ROUTER, or the shipped one");
  auto* tradeoff =
      sub->add_option("--usd-per-point", command->usd_per_point,
                      "What one point of quality (0.01) is worth; the default policy, at 0.0005");
  auto* target = sub->add_option("--target-quality", command->target_quality,
                                 "The cheapest that is expected to reach this, 0 to 1");
  auto* cost = sub->add_option("--max-cost", command->max_cost,
                               "The best that is expected to cost at most this, in USD");
  auto* threshold = sub->add_option("--threshold", command->threshold,
                                    "Of a pair method: strong if its chance is at least this");
  auto* alpha = sub->add_option("--alpha", command->alpha,
                                "Of an avengers method: weight of quality against cost, 0 to 1");
  tradeoff->excludes(target)->excludes(cost)->excludes(threshold)->excludes(alpha);
  target->excludes(cost)->excludes(threshold)->excludes(alpha);
  cost->excludes(threshold)->excludes(alpha);
  threshold->excludes(alpha);
  sub->add_flag("--json", command->json, "Print one JSON object");
  sub->callback([command, &action] {
    action = [command] {
      auto done = route(*command);
      if (done) return kDone;
      fmt::print(stderr, "rung route: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
