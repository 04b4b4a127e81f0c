#pragma once
// rung calibrate --ask URL: puts the prompts of anchors to a new model over an OpenAI-compatible
// upstream, scores what a rule can score, and writes outcomes of that one model.

#include <cstddef>
#include <string>

#include "base/result.h"
#include "outcomes/reader.h"

namespace rung::cli {

struct AskOptions {
  std::string url;      // --ask: base URL, such as http://127.0.0.1:8000/v1
  std::string model;    // what the upstream calls it
  std::string name;     // of the arm; empty: `model`
  std::string key_env;  // environment variable with the upstream's key; empty: no key is sent
  std::size_t concurrency = 8, timeout_s = 600;
  std::size_t max_tokens = 0;                  // of each answer; 0: as the upstream likes
  double input_price = -1, output_price = -1;  // USD per million tokens; below 0: not known
};

struct AskSummary {
  std::size_t asked = 0, answered = 0, scored = 0;
  std::string first_failure;  // of an anchor that has no answer; empty: all have one
};

/// Asks every row of `anchors` (texts kept) and writes a line for each answer to `file`: id,
/// prompt, category, reference, and of the model `output`, tokens, `cost` where a price is given,
/// and `score` where score_answer knows one. An answer that does not come is tried three times in
/// all (429, 5xx, broken connections). Errors: kInvalidArgument; kUnavailable if nothing was
/// answered, with the reason; kCancelled; those of writing.
Result<AskSummary> ask_anchors(const outcomes::Outcomes& anchors, const AskOptions& options,
                               const std::string& file);

}  // namespace rung::cli
