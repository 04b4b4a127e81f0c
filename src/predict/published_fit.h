#pragma once
// The fits behind train_published, one for each rule. Each fills its tables of the model and gives
// its hyper-parameters in words.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"
#include "predict/methods/battles.h"
#include "predict/published.h"

namespace rung::predict {

/// A fit reads no more battles: evenly spaced ones of more. RouteLLM had about 65,000.
inline constexpr std::size_t kMostBattles = 100'000;

struct FitInput {
  const Matrix& x;                  // [n, kDesignDims] design vectors
  std::vector<std::uint32_t> fold;  // [n], near-duplicates share one; empty where not needed
  std::uint32_t folds = 0;          // below 2: nothing can be chosen out of fold
  std::uint64_t seed = 1;
};

/// `models` arms of which `strong` and `weak` are the pair that is served.
Result<std::string> fit_factors(const FitInput& in, std::span<const Battle> battles,
                                std::size_t models, std::size_t strong, std::size_t weak,
                                PublishedModel& model);
Result<std::string> fit_ranking(const FitInput& in, std::span<const Battle> battles,
                                std::size_t models, std::size_t strong, std::size_t weak,
                                PublishedModel& model);
/// `score` [n, m] of the model's arms. Rows with the same prompt are samples of one query.
Result<std::string> fit_heads(const FitInput& in, const outcomes::StringColumn& prompts,
                              const Matrix& score, const PublishedMethod& method,
                              PublishedModel& model);
/// `score`, `cost` [n, m] of the model's arms.
Result<std::string> fit_cluster_tables(const FitInput& in, const Matrix& score, const Matrix& cost,
                                       PublishedModel& model);

}  // namespace rung::predict
