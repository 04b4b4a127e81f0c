#pragma once
// Training: every choice (members, their hyper-parameters and weights, the arms kept, whether to
// route at all) is made on out-of-fold predictions, with near-duplicates in one fold.
// docs/training.md tells the method and what it reaches.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "outcomes/table.h"
#include "predict/encoder.h"
#include "predict/model.h"

namespace rung::predict {

struct TrainOptions {
  std::string method = "ensemble";  // or one member alone: linear, neighbours (knn), tasks,
                                    // clusters, lowrank; or static
  std::uint32_t folds = 0;  // 2..20; 0: ten below 3,000 rows, where each row counts, else five
  std::uint64_t seed = 1;
  const Encoder* encoder = nullptr;  // adds members on its vectors to the ensemble; not kept
  std::uint32_t encoder_tokens = kEncoderTokens;  // read of each prompt
};

/// Same table, options and kind of machine: the same model, bit for bit, on any number of threads.
/// Errors: kInvalidArgument (method, folds), kInvalidData (no rows, no scored arm, fewer groups of
/// texts than folds), kCancelled (interrupted).
Result<Model> train(const outcomes::Table& table, const TrainOptions& options = {});

}  // namespace rung::predict
