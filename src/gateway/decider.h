#pragma once
// From the facts of a request to one arm: who may, what each would do and cost, which one.
//
//   ChatRequest ──► target (route or model) ──► eligible arms ──► estimates ──► policy ──► Choice
//
// No clock, no network, no global state: the same request, snapshot and seed give the same choice,
// bit for bit.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "decide/policy.h"
#include "gateway/snapshot.h"
#include "predict/router.h"
#include "state/key_spec.h"
#include "wire/openai_chat.h"

namespace rung::gateway {

/// What the x-rung-* headers of one request ask for; all empty: as the route is configured.
struct Overrides {
  std::optional<decide::PolicySpec> policy;
  std::string arm;                      // pins this arm of the route
  const state::KeySpec* key = nullptr;  // who asks, and what it may use; null: all
};
/// Reads header values ("" where absent). Error kInvalidArgument with Error::field naming the
/// header.
Result<Overrides> parse_overrides(std::string_view usd_per_point, std::string_view target_quality,
                                  std::string_view max_cost, std::string_view arm);

/// What is known of one arm of the route for this request.
struct ArmOutlook {
  const Arm* arm = nullptr;
  std::string why_not;     // empty: eligible
  bool is_scored = false;  // the next are estimates, not blanks
  double quality = 0, quality_se = 0, completion_tokens = 0;
  bool has_tokens = false;
  std::optional<double> cost_usd;
  double utility = 0;  // by the router's own rule; of the alpha policy only
};

struct Choice {
  const Route* route = nullptr;          // null: a model was named directly
  const ModelConfig* model = nullptr;    // who is asked
  const Arm* arm = nullptr;              // null where route is
  std::vector<ArmOutlook> outlook;       // every arm of the route
  std::optional<std::size_t> runner_up;  // index into outlook
  std::string policy;                    // kind; empty: none was asked
  double policy_parameter = 0;
  double propensity = 1;
  std::string reason;
  std::int64_t prompt_tokens = 0;  // our estimate of the whole conversation
  std::int64_t images = 0;         // in the request
  // For whoever must ask somebody else in the end.
  decide::Needs needs;
  std::optional<decide::PolicySpec> own_policy;  // the request's, where it is not the route's
  const state::KeySpec* key = nullptr;           // who asks; null: whoever
  bool is_pinned = false;                        // x-rung-arm named this arm: no other will do
  /// What the route's own threshold made of the request, whatever chance then drew; empty: another
  /// policy or threshold decided, or there was no choice.
  struct Threshold {
    bool strong = false;
    std::optional<double> score;  // empty: nobody measured one
  };
  std::optional<Threshold> threshold;
};

/// Working memory of one thread.
struct DeciderScratch {
  predict::Scratch predictor;
  std::vector<predict::Estimate> estimates;
  std::vector<decide::Candidate> candidates;
  std::vector<std::size_t> candidate_arm;
  std::vector<std::uint8_t> capable;  // by the predictor's arms
  std::vector<float> utilities;
};

/// What is known of a request before its decision because somebody had to be waited for.
struct Ahead {
  std::optional<double> win_chance;          // of strong over weak, by the route's classifier
  std::string failure;                       // why there is none: strong is taken then
  std::vector<predict::Estimate> estimates = {};  // of the route's slow predictor, all its arms
};

/// The route whose classifier must be asked, or whose predictor is slow, before `request` can be
/// decided. Null: nobody need be waited for. A classifier is not asked where the arm is pinned or
/// only one of its pair can serve the request.
const Route* looks_ahead(const Snapshot& snapshot, const wire::ChatRequest& request,
                         const Overrides& overrides);

/// `ahead`: for a route that looks_ahead() named. Without it a classifier's strong arm is taken,
/// and a slow predictor is asked here and now. Errors: kNotFound (no such route or model);
/// kInfeasible (no arm can serve the request: the sentence says why for each); kForbidden (the key
/// may not use it); kUnsupported (a directly named model lacks what the request needs).
Result<Choice> decide_chat(const Snapshot& snapshot, const wire::ChatRequest& request,
                           const Overrides& overrides, std::uint64_t seed, DeciderScratch& scratch,
                           const Ahead* ahead = nullptr);

/// Whether a key may be answered by a model; a null key may by all.
bool may_use(const state::KeySpec* key, const ModelConfig& model);

/// What a call costs at a model's prices; nullopt if the price or a count is not known. `images`:
/// in its prompt.
std::optional<state::NanoUsd> cost_of(const ModelConfig& model, const wire::Usage& usage,
                                      std::int64_t images = 0);

}  // namespace rung::gateway
