#include "gateway/session_hold.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "decide/session.h"
#include "gateway/ask_classifier.h"
#include "wire/session_facts.h"

namespace rung::gateway {
namespace {

decide::SessionPrices prices_of(const PriceConfig& price) {
  decide::SessionPrices out;
  out.input = price.input;
  out.output = price.output;
  out.cached_input = price.cached_input.value_or(price.input);
  out.cache_write = price.cache_write.value_or(price.input);
  return out;
}

/// Tokens of a prompt that is warm at a model now.
std::int64_t warm_of(const Session& session, const ModelConfig& model, std::int64_t now_us,
                     double ttl_s, std::int64_t prompt_tokens) {
  const WarmModel* warm = session.find(hash64(model.name));
  if (warm == nullptr) return 0;
  const std::optional<double> share =
      warm->hit_share < 0 ? std::nullopt
                          : std::optional<double>(static_cast<double>(warm->hit_share));
  const double idle_s = static_cast<double>(now_us - warm->at_us) * 1e-6;
  return decide::warm_tokens(warm->tokens, idle_s, ttl_s, share, prompt_tokens);
}

std::uint64_t key_of(std::string_view route, std::string_view key_name, std::string_view id,
                     std::uint64_t prefix) {
  const std::uint64_t owner = hash64(route, hash64(key_name));
  const std::uint64_t key = id.empty() ? hash64("prefix", owner ^ prefix) : hash64(id, owner);
  return key == 0 ? 1 : key;
}

void take(const ArmOutlook& look, std::string reason, Choice& choice) {
  choice.arm = look.arm;
  choice.model = look.arm->model;
  choice.reason = std::move(reason);
  choice.propensity = 1;  // no chance takes part in it: the session's state decides
}

std::size_t index_of(const Choice& choice, const Arm* arm) {
  for (std::size_t i = 0; i < choice.outlook.size(); ++i)
    if (choice.outlook[i].arm == arm) return i;
  return choice.outlook.size();
}

}  // namespace

void SessionHold::apply(Sessions* sessions, const wire::Request& request, std::string_view named,
                        std::string_view key_name, bool is_pinned, std::int64_t now_us,
                        Choice& choice) {
  if (sessions == nullptr || choice.route == nullptr || choice.route->arms.size() < 2) return;
  const wire::SessionFacts facts = wire::read_session_facts(request.root);
  const std::string_view id = named.empty() ? std::string_view(facts.id) : named;
  if (id.empty() && facts.prefix == 0) return;
  sessions_ = sessions;
  key_ = key_of(choice.route->name, key_name, id, facts.prefix);
  estimated_tokens_ = prompt_tokens_ = choice.prompt_tokens;
  // Another conversation may begin with the same words: only one that has a history goes on. Who
  // names a session may leave the history to the provider.
  begins_ = id.empty() && !facts.has_history;
  if (begins_) return;
  before_ = sessions->find(key_, now_us);
  if (!before_) return;
  if (before_->prompt_tokens > 0 && before_->estimated_tokens > 0)
    prompt_tokens_ = std::llround(static_cast<double>(choice.prompt_tokens) *
                                  static_cast<double>(before_->prompt_tokens) /
                                  static_cast<double>(before_->estimated_tokens));
  if (is_pinned) return;
  std::size_t current = choice.outlook.size();
  for (std::size_t i = 0; i < choice.outlook.size(); ++i)
    if (hash64(choice.outlook[i].arm->label) == before_->arm) current = i;
  if (current == choice.outlook.size()) return;  // a reload took it away
  const ArmOutlook& in_use = choice.outlook[current];
  if (!in_use.why_not.empty() && in_use.why_not != in_use.arm->why_unscored) {
    choice.reason += fmt::format("; the session leaves {}: {}", in_use.arm->label, in_use.why_not);
  } else if (facts.tool_call_open) {
    lock("a tool call is open", current, choice);
  } else if (!facts.provider_state.empty()) {
    lock(fmt::format("the conversation holds {}", facts.provider_state), current, choice);
  } else {
    price(*before_, now_us, current, choice);
  }
  if (choice.arm != in_use.arm) sessions->left.fetch_add(1, std::memory_order_relaxed);
}

void SessionHold::lock(std::string_view why, std::size_t current, Choice& choice) const {
  const std::size_t wanted = index_of(choice, choice.arm);
  sessions_->locked.fetch_add(1, std::memory_order_relaxed);
  take(choice.outlook[current],
       fmt::format("session stays with {}: {}", choice.outlook[current].arm->label, why), choice);
  if (wanted != current) choice.runner_up = wanted;
}

void SessionHold::price(const Session& session, std::int64_t now_us, std::size_t current,
                        Choice& choice) const {
  const bool trades = choice.policy == name(decide::PolicyKind::kTradeoff);
  const bool targets = choice.policy == name(decide::PolicyKind::kTargetQuality);
  if (!trades && !targets) return;  // the others ask for no money: there is nothing to weigh
  const SessionOptions& options = sessions_->options();
  std::vector<decide::SessionArm> arms;
  std::vector<std::size_t> places;
  std::optional<std::size_t> in_use;
  for (std::size_t i = 0; i < choice.outlook.size(); ++i) {
    const ArmOutlook& look = choice.outlook[i];
    if (!look.why_not.empty() || !look.is_scored || !look.has_tokens || !look.arm->model->price)
      continue;
    if (targets && look.quality < choice.policy_parameter) continue;
    if (i == current) in_use = arms.size();
    arms.push_back({.name = look.arm->label,
                    .quality = look.quality,
                    .price = prices_of(*look.arm->model->price),
                    .completion_tokens = look.completion_tokens,
                    .warm_tokens = warm_of(session, *look.arm->model, now_us, options.cache_ttl_s,
                                           prompt_tokens_)});
    places.push_back(i);
  }
  if (!in_use) return;  // it does not keep the policy's constraint, or nothing is known of it
  const decide::SessionQuestion question{
      .prompt_tokens = prompt_tokens_,
      .growth_tokens = session.growth >= 0 ? static_cast<double>(session.growth)
                                           : static_cast<double>(std::max<std::int64_t>(
                                                 0, prompt_tokens_ - session.prompt_tokens)),
      .turns = decide::expected_turns(session.turns),
      .usd_per_point = trades ? choice.policy_parameter : 0,
      .drift_points = options.drift_points};
  const decide::SessionAnswer answer = decide::choose_in_session(question, arms, *in_use);
  const std::size_t wanted = index_of(choice, choice.arm), taken = places[answer.pick];
  if (taken == current && wanted != current) {
    sessions_->held.fetch_add(1, std::memory_order_relaxed);
    choice.runner_up = wanted;
  } else if (taken != current) {
    choice.runner_up = current;
  }
  take(choice.outlook[taken], answer.why, choice);
}

void SessionHold::claim(const state::RequestRecord& record, std::int64_t now_us) const {
  if (sessions_ != nullptr) sessions_->claim(key_, hash64(record.arm), now_us);
}

void SessionHold::note(const state::RequestRecord& record, std::int64_t now_us) const {
  if (sessions_ == nullptr || record.outcome != state::Outcome::kOk) return;
  const auto last = std::find_if(
      record.calls.rbegin(), record.calls.rend(),
      [](const state::CallRecord& call) {
        return call.outcome == state::Outcome::kOk && call.step != kClassifyStep;
      });
  if (last == record.calls.rend()) return;
  const state::CallRecord& call = *last;
  SessionTurn turn;
  turn.arm = hash64(record.arm);
  turn.model = hash64(record.served_model);
  turn.begins = begins_;
  turn.now_us = now_us;
  turn.estimated_tokens = estimated_tokens_;
  if (call.usage_source == state::UsageSource::kProvider) {
    turn.prompt_tokens = call.prompt_tokens;
    turn.cached_tokens = call.cached_tokens;
  }
  if (before_)
    if (const WarmModel* warm = before_->find(turn.model);
        warm != nullptr &&
        static_cast<double>(now_us - warm->at_us) * 1e-6 < sessions_->options().cache_ttl_s)
      turn.expected_warm = std::min(warm->tokens, turn.prompt_tokens.value_or(0));
  sessions_->note(key_, turn);
}

}  // namespace rung::gateway
