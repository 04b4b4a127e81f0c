#pragma once
// Whether a request may spend: what it can cost at most is reserved from the accounts of its key
// and its route before a call, and settled with what it did cost after it.
//
//   Admission admission;
//   if (auto admitted = admission.reserve(key, accounts, facts, model, wall_us); !admitted) ...
//   ... the call; admission.cover(record, next_model, wall_us) before each further one ...
//   admission.settle(record, wall_us);        // or the destructor, which gives all back
//
// Costs nothing where a request has neither a key nor a route with limits. One request; not
// thread-safe, but the accounts are.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gateway/auth.h"
#include "gateway/decider.h"
#include "net/http_parser.h"
#include "state/limits.h"
#include "wire/request.h"

namespace rung::gateway {

/// What bounds the cost of a call, whoever answers it.
struct SpendFacts {
  std::int64_t prompt_tokens = 0;  // at most; empty context windows bound it further
  std::int64_t likely_tokens = 0;  // of prompt and answer together: what a rate limit reserves
  std::optional<double> likely_answer = {};  // tokens, over all choices
  std::int64_t likely_prompt = 0;
  std::optional<std::int64_t> max_tokens = {};  // of each answer, as the client limits it
  std::int64_t choices = 1, images = 0;
  bool is_open_ended = false;  // the prompt holds what only the host has: bounded by the window
  bool writes_cache = false, has_audio = false;
};
SpendFacts spend_facts(const wire::Request& request, std::string_view body, const Choice& choice);

/// The most that one call of a model can cost; nullopt if its price is not known.
std::optional<state::NanoUsd> most_of(const ModelConfig& model, const SpendFacts& facts,
                                      std::int64_t reserve_output_tokens);

class Admission {
 public:
  Admission() = default;
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Before the first call. Errors: kRateLimited (waiting helps, see retry_after), kOverBudget,
  /// kForbidden (a budget in dollars and a model without a price).
  Result<void> reserve(const std::shared_ptr<const Key>& key, const KeyRing& ring,
                       const Choice& choice, const wire::Request& request, std::string_view body,
                       const Config& config, std::int64_t wall_us);
  /// Before another call of the same request, to `model`: what the ended calls of `record` cost,
  /// and the most that this one can, are held. Errors as above; what is held stays.
  Result<void> cover(const state::RequestRecord& record, const ModelConfig& model,
                     std::int64_t wall_us);
  /// At the end of the request. Sets record.charged where a budget is not charged the known costs
  /// alone.
  void settle(state::RequestRecord& record, std::int64_t wall_us);

  /// Of the last refusal, seconds; empty: waiting does not help, or nothing was refused.
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
  /// x-ratelimit-... as OpenAI names them, of the tighter account, instead of the upstream's; and
  /// what is left of the budget. Views hold until the next call.
  void add_headers(std::vector<HttpHeader>& headers, std::int64_t wall_us);

 private:
  struct Part {
    std::shared_ptr<state::Account> account;
    bool has_limits = false;
    std::string who;  // "key alice", for sentences
    state::Hold hold = {};
  };
  Error refuse(const Part& part, const state::Refusal& refusal);
  Result<void> reserve_from(Part part, const state::Ask& ask, std::int64_t wall_us);
  state::NanoUsd charge_of(const state::CallRecord& call) const;
  void expect(const ModelConfig& model);

  std::vector<Part> parts_;
  SpendFacts facts_;
  std::int64_t reserve_output_tokens_ = 0;
  bool has_usd_ = false;
  // The most that a call can cost, and what it likely does, where that is known; of several
  // models', the dearest.
  std::optional<state::NanoUsd> call_most_, call_likely_;
  std::optional<std::chrono::seconds> retry_after_;
  bool may_retry_ = true;
  std::vector<std::string> values_;
};

}  // namespace rung::gateway
