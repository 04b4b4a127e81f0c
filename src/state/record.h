#pragma once
// What the ledger keeps of one request: the decision with all that it knew, the calls it made, how
// it ended.
//
// Plain values, filled by the worker that served the request and moved into Ledger::append. What is
// not known is an empty optional and becomes NULL; a 0 is a measured 0. docs/ledger.md names the
// column of each field.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "state/decision_id.h"

namespace rung::state {

/// Money as whole billionths of a dollar, so that sums over millions of rows are exact. One token
/// at 0.05 USD per million is 50 of them. Range: 9.2 billion dollars.
struct NanoUsd {
  std::int64_t count = 0;
  friend constexpr auto operator<=>(NanoUsd, NanoUsd) = default;
  constexpr NanoUsd& operator+=(NanoUsd other) {
    count += other.count;
    return *this;
  }
  constexpr Usd usd() const { return Usd{static_cast<double>(count) * 1e-9}; }
};
constexpr NanoUsd operator+(NanoUsd a, NanoUsd b) { return NanoUsd{a.count + b.count}; }
constexpr NanoUsd operator-(NanoUsd a, NanoUsd b) { return NanoUsd{a.count - b.count}; }
/// Rounded to the nearest billionth; clamped to the range; NaN gives nullopt: it is not known.
std::optional<NanoUsd> nano_usd(Usd amount);

/// How a request or a call ended. `name` is what is stored: a rename is a migration.
enum class Outcome : std::uint8_t {
  kOk,
  kClientGone,     // the client left first; HTTP status 499 by convention
  kUpstreamError,  // the upstream refused, hung up, or answered with something unusable
  kTimeout,        // a deadline passed
  kRefused,        // we said no: bad request, no credentials, over a limit, no eligible arm
  kInternal,       // our own fault
  kCancelled,      // of a call: no longer wanted by us, such as a hedge that lost
};
inline constexpr Outcome kOutcomes[] = {
    Outcome::kOk,      Outcome::kClientGone, Outcome::kUpstreamError, Outcome::kTimeout,
    Outcome::kRefused, Outcome::kInternal,   Outcome::kCancelled};
/// "ok", "client_gone", "upstream_error", "timeout", "refused", "internal", "cancelled".
std::string_view name(Outcome outcome);
std::optional<Outcome> parse_outcome(std::string_view name);

/// Where token counts come from. An estimate never replaces what the provider said.
enum class UsageSource : std::uint8_t { kNone, kEstimate, kProvider };
std::string_view name(UsageSource source);  // "none", "estimate", "provider"

/// What one arm was expected to do, or why it was not asked.
struct ArmEstimate {
  std::string arm;
  std::string why_not;           // empty: eligible; else the fact that ruled it out, as a sentence
  std::optional<float> quality;  // expected score, 0..1
  std::optional<float> quality_se;         // its standard error
  std::optional<NanoUsd> cost;             // expected cost of the call
  std::optional<float> completion_tokens;  // expected
};

/// One call to an upstream. Times are microseconds since RequestRecord::time_us.
struct CallRecord {
  std::string upstream;
  std::string model;          // the name sent to that upstream
  std::string step;           // what it was for in a strategy or pipeline; empty: the answer itself
  std::string counts_for;     // configured model whose counters it adds to; empty: the one that
                              // served the request. Not stored
  std::uint32_t attempt = 1;  // 1 for the first try
  Outcome outcome = Outcome::kOk;
  std::optional<std::int32_t> status;  // HTTP status; empty: none came
  std::string error;                   // a sentence; empty if outcome is kOk
  std::int64_t start_us = 0;
  std::optional<std::int64_t> first_byte_us;  // first byte of the body; empty: none came
  std::int64_t end_us = 0;
  std::optional<std::int64_t> prompt_tokens;  // with the cached ones
  std::optional<std::int64_t>
      cached_tokens;  // read from the provider's cache, part of prompt_tokens
  std::optional<std::int64_t>
      cache_write_tokens;  // written to the provider's cache, part of prompt_tokens
  std::optional<std::int64_t> completion_tokens;  // with the reasoning ones
  std::optional<std::int64_t> reasoning_tokens;   // part of completion_tokens
  UsageSource usage_source = UsageSource::kNone;
  std::string usage;  // the provider's usage object as it came (JSON); empty: none came
  /// Empty: not known (no price, no usage). A call that reached nobody costs a known 0.
  std::optional<NanoUsd> cost;
};

struct RequestRecord {
  DecisionId id;                // must be set
  std::int64_t time_us = 0;     // wall time of arrival, microseconds since 1970; as in the id
  std::string key_name;         // name of the client's key, never the key; empty: none
  std::string route;            // empty: a model was named directly
  std::string requested_model;  // as the client wrote it
  // The decision.
  std::string arm;           // empty: none was chosen
  std::string served_model;  // the configured name of the model that answered; empty: none did
  std::string upstream;      // of that model
  std::string strategy;      // "single", ...
  std::string policy;        // kind: "tradeoff", "threshold", ...; empty: no policy was asked
  std::optional<double> policy_parameter;  // its number, in the unit of that kind
  std::string predictor;                   // the artefact that made the estimates; empty: none
  std::string reason;                      // why this arm, as a sentence
  std::string runner_up;                   // the arm that came second; empty: none
  std::optional<double> propensity;        // probability with which this arm was chosen, 0..1
  std::uint64_t seed = 0;                  // of the policy's random numbers: replays the choice
  std::uint64_t prompt_hash = 0;           // hash64 of the text the router read
  std::string prompt;                      // stored only if LedgerOptions::keep_prompts
  std::vector<ArmEstimate> arms;           // every arm of the route, eligible or not
  // What the reference arm (the one the route's saving is measured against) would have cost.
  std::string reference_arm;                  // empty: the route names none
  std::optional<NanoUsd> reference_estimate;  // as predicted before the call
  std::optional<NanoUsd> reference_cost;      // its prices on the tokens that were really used
  /// What the budgets of its key and its route were charged: the known costs of its calls, and what
  /// was reserved for those whose cost is not known. Empty: the known costs.
  std::optional<NanoUsd> charged;
  // What happened.
  std::vector<CallRecord> calls;  // in the order in which they started
  Outcome outcome = Outcome::kOk;
  std::int32_t http_status = 0;  // sent to the client; 499 if it left
  std::string error;             // a sentence; empty if outcome is kOk
  bool streaming = false;
  std::int64_t gateway_us = 0;  // time spent in the gateway itself, not waiting for others
  std::optional<std::int64_t>
      first_byte_us;          // until the first body byte to the client; empty: none was sent
  std::int64_t total_us = 0;  // until the last one
};

/// A score that came back later.
struct FeedbackRecord {
  DecisionId decision;
  double score = 0;          // 0..1
  std::string source;        // who says so: "user", "judge", ...; may be empty
  std::string comment;       // may be empty
  std::int64_t time_us = 0;  // microseconds since 1970
};

}  // namespace rung::state
