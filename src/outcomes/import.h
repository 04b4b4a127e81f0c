#pragma once
// Other people's records as outcome rows. Streaming: each row is written as it is read; only the
// ids are kept, to refuse one that comes twice. What a record does not say stays missing; nothing
// is guessed.
//
//   pairs        JSON lines {"prompt","model_a","model_b","winner"}: winner is model_a, model_b, a,
//   b or tie, and becomes
//                the scores 1/0, 0/1 or 0.5/0.5 of these two arms
//   routerbench  CSV in RouterBench's wide shape (arXiv 2403.12031): sample_id, prompt, eval_name,
//   then for each model
//                MODEL, MODEL|model_response, MODEL|total_cost
//   openai-log   JSON lines
//   {"request":{"messages"},"response":{"model","usage","choices"},"score"|"feedback"?}: one arm a
//                row, the prompt is the last user message, the cost comes from the price given for
//                the model

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace rung::outcomes {

struct Price {
  UsdPerMillion input, output;
};

struct ImportOptions {
  std::map<std::string, Price, std::less<>>
      prices;  // by the model name that the log has; no price: cost is missing
};

/// "MODEL=IN/OUT", both in USD per million tokens. Error: kInvalidArgument.
Result<std::pair<std::string, Price>> parse_price(std::string_view text);

/// Writes the rows to `out` (packed by its ending) and says how many. Errors name file, line and
/// field: kInvalidArgument (unknown kind), kInvalidJson, kInvalidData, kIo, kNotFound, kCancelled;
/// no file is then left.
Result<std::size_t> import_outcomes(std::string_view kind, std::span<const std::string> files,
                                    const std::filesystem::path& out,
                                    const ImportOptions& options = {});

}  // namespace rung::outcomes
