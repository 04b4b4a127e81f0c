#pragma once
// A configuration made ready to serve: predictors loaded, arms matched to what they know, policies
// built. Immutable; workers share it as shared_ptr<const Snapshot>, a reload swaps it.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "decide/policy.h"
#include "gateway/config.h"
#include "predict/router.h"

namespace rung::gateway {

struct Arm {
  std::string label;
  const ModelConfig* model = nullptr;
  std::string effort;
  std::string strategy;
  std::optional<std::size_t> known_as;  // the predictor's arm that this one is, or is like
  std::string why_unscored;  // empty if it can be scored; else why it is only reachable by name
  // Means over the predictor's training rows, the cost at the configured price; for the margin.
  std::optional<double> prior_quality = {}, prior_cost_usd = {};
};

/// Who is asked about each prompt of a route, instead of a predictor.
struct Classifier {
  const ClassifierConfig* config = nullptr;
  const ModelConfig* model = nullptr;
  std::size_t strong = 0, weak = 0;  // the route's arms that it chooses between
};

struct Route {
  std::string name;
  std::size_t index = 0;  // in Snapshot::routes
  std::vector<Arm> arms;
  std::shared_ptr<const predict::Router> predictor;  // null: single arm, or a classifier
  std::optional<Classifier> classifier;
  std::string predictor_name;        // file name, for the ledger
  std::vector<std::uint32_t> known;  // the predictor's arms that ours are, or are like
  decide::PolicySpec policy_spec;
  std::unique_ptr<const decide::Policy> policy;
  double explore = 0;
  std::optional<std::size_t>
      reference;  // arm that savings are measured against; empty: no arm has a price
  std::optional<std::size_t> cheapest;  // arm with the lowest output price
};

struct Snapshot {
  std::shared_ptr<const Config> config;
  std::vector<std::unique_ptr<const Route>> routes;
  std::unordered_map<std::string, const Route*> route_by_name;
  std::unordered_map<std::string, const ModelConfig*> model_by_name;
  bool looks_ahead = false;  // some route has a classifier or a slow predictor
};

using LoadRouter =
    std::function<Result<std::shared_ptr<const predict::Router>>(const std::filesystem::path&)>;

/// Whether a policy can read what a predictor's `quality` is (predict::QualityScale).
bool policy_reads(decide::PolicyKind kind, predict::QualityScale scale);

/// Errors: kInvalidConfig where config and predictor do not fit (an unknown `like`, a route of
/// which fewer than one arm can be scored); those of Router::load. `load` is replaced by tests.
Result<std::shared_ptr<const Snapshot>> make_snapshot(
    Config config, const LoadRouter& load = predict::Router::load);

}  // namespace rung::gateway
