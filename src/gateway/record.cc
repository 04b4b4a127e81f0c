#include "gateway/record.h"

namespace rung::gateway {

void record_choice(const Choice& choice, state::RequestRecord& record) {
  record.arm = choice.arm != nullptr ? choice.arm->label : choice.model->name;
  record.strategy = choice.arm != nullptr ? choice.arm->strategy : "single";
  record.served_model = choice.model->name;
  record.reason = choice.reason;
  record.propensity = choice.propensity;
  if (choice.route == nullptr) return;
  const Route& route = *choice.route;
  record.route = route.name;
  record.predictor = route.predictor_name;
  record.policy = choice.policy;
  if (!choice.policy.empty()) record.policy_parameter = choice.policy_parameter;
  if (choice.runner_up) record.runner_up = choice.outlook[*choice.runner_up].arm->label;
  record.arms.reserve(choice.outlook.size());
  for (const ArmOutlook& look : choice.outlook) {
    state::ArmEstimate estimate;
    estimate.arm = look.arm->label;
    estimate.why_not = look.why_not;
    if (look.is_scored) {
      estimate.quality = static_cast<float>(look.quality);
      estimate.quality_se = static_cast<float>(look.quality_se);
      if (look.has_tokens) estimate.completion_tokens = static_cast<float>(look.completion_tokens);
      if (look.cost_usd) estimate.cost = state::nano_usd(Usd{*look.cost_usd});
    }
    record.arms.push_back(std::move(estimate));
  }
  if (route.reference) {
    record.reference_arm = route.arms[*route.reference].label;
    record.reference_estimate = record.arms[*route.reference].cost;
  }
}

void record_usage(const Choice& choice, const std::optional<wire::Usage>& usage,
                  std::int64_t produced_chunks, state::CallRecord& call) {
  wire::Usage counted;
  if (usage) {
    counted = *usage;
    call.usage_source = state::UsageSource::kProvider;
    call.usage = usage->raw;
    if (!counted.completion_tokens && produced_chunks > 0) {
      // A Messages stream that was cut has counted its prompt, but not yet its answer.
      counted.completion_tokens = produced_chunks;
      call.usage_source = state::UsageSource::kEstimate;
    }
  } else if (produced_chunks > 0) {
    // Providers stream about a token in each chunk; the prompt is counted by our rule of thumb.
    counted.prompt_tokens = choice.prompt_tokens;
    counted.completion_tokens = produced_chunks;
    call.usage_source = state::UsageSource::kEstimate;
  }
  call.prompt_tokens = counted.prompt_tokens;
  call.completion_tokens = counted.completion_tokens;
  call.cached_tokens = counted.cached_tokens;
  call.reasoning_tokens = counted.reasoning_tokens;
  if (const auto cost = cost_of(*choice.model, counted)) call.cost = state::nano_usd(*cost);
}

void record_reference(const Choice& choice, const state::CallRecord& call,
                      state::RequestRecord& record) {
  if (choice.route == nullptr || !choice.route->reference) return;
  const Arm& reference = choice.route->arms[*choice.route->reference];
  if (reference.model == choice.model) {
    record.reference_cost = call.cost;
    return;
  }
  // The same tokens at its prices, without a cache that it would not have had: the plain question
  // "what if we had always used it?". docs/ledger.md says what this leaves out.
  wire::Usage usage;
  usage.prompt_tokens = call.prompt_tokens;
  usage.completion_tokens = call.completion_tokens;
  if (const auto cost = cost_of(*reference.model, usage))
    record.reference_cost = state::nano_usd(*cost);
}

}  // namespace rung::gateway
