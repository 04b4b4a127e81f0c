#pragma once
// Published routers as methods of `rung train`: RouteLLM's mf and sw_ranking (arXiv 2406.18665),
// Hybrid-LLM's three labels (arXiv 2404.14618), BEST-Route (arXiv 2506.22716), Avengers-Pro (arXiv
// 2508.12631) and Avengers (arXiv 2505.19797). The maths is in methods/; here they are fitted to
// outcomes and put on the embedding that the default router uses. docs/methods.md says where each
// differs from its paper.
//
//   table ─► embedding ─► battles / match labels / clusters ─► PublishedModel ─► artefact ─► Router
//
// Hyper-parameters are those of the specification, but for those that depend on the embedding,
// which are chosen on the training rows alone, near-duplicates in one fold:
//   routellm-mf          learning rate, epochs and noise: the least log loss of strong against weak
//                        on a held-out fifth of the texts
//   hybrid-*, best-route weight of the ridge: the least out-of-fold cross-entropy
//   avengers*            none: clusters, near and beta are as published

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"
#include "predict/embedding.h"
#include "predict/methods/avengers.h"
#include "predict/methods/sw_ranking.h"
#include "predict/model.h"

namespace rung::predict {

enum class PublishedRule : std::uint8_t {
  kFactors,   // s = sigmoid(direction . e)
  kRanking,   // s from a Bradley-Terry fit to similar battles
  kMatch,     // s = 1 - P(weak is at least as good)
  kOptions,   // P(option is at least as good as the reference) of each
  kClusters,  // mean quality and cost in near clusters
};

struct PublishedMethod {
  std::string_view name;
  PublishedRule rule;
  std::string_view knob;           // policy that serves it: threshold, target_quality, alpha
  std::string_view quality_scale;  // router.h; empty: expected score
  std::string_view paper;
};
std::span<const PublishedMethod> published_methods();
/// Null for another name.
const PublishedMethod* find_published(std::string_view name);

struct PublishedOptions {
  std::string method;
  /// Arms of a pair method, and the reference of best-route (strong). Empty: the best single arm
  /// and the cheapest one of the static hull of the rows.
  std::string strong, weak;
  std::uint64_t seed = 1;
};

/// Everything that such a router serves. m arms: of a pair method strong, weak; of best-route the
/// options, then the reference; of Avengers every arm with a score (and, but for `avengers`, a
/// cost).
struct PublishedModel {
  std::string method;
  std::uint64_t seed = 1, rows = 0;
  std::vector<ArmInfo> arms;
  std::vector<float> mean_tokens;   // [m] completion tokens; 0 where !has_tokens
  std::vector<float> quality_se;    // [m] in [0, 1]; 0.5: nothing is known of it
  std::vector<MemberInfo> members;  // one: the method with its hyper-parameters, for people
  Embedding embedding;
  // Of these, what the method's rule needs.
  std::vector<float> direction;        // [kEmbeddingDims]
  SimilarityRanking ranking;           // models 0, 1: strong, weak
  std::vector<float> heads;            // [1 or m - 1, kQualityDims] row-major
  std::vector<std::uint8_t> has_head;  // [1 or m - 1]
  ClusterRouter clusters;              // values rounded to float
};

/// The same table and options: the same model on any number of threads. A constant label gives a
/// constant router. Errors: kInvalidArgument (method, an arm that is not there, strong = weak),
/// kInvalidData (no rows, one arm, no score or cost where the method needs one, nothing but ties
/// for routellm-mf), kCancelled.
Result<PublishedModel> train_published(const outcomes::Table& table,
                                       const PublishedOptions& options);

}  // namespace rung::predict
