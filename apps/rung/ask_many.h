#pragma once
// Many questions to one upstream, some at a time: what rung calibrate asks models and classifiers.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace rung::cli {

struct AskMany {
  std::string base_url;  // such as http://127.0.0.1:8000/v1
  std::string target;    // path of the endpoint, from the host's root; empty: base path +
                         // /chat/completions
  std::string key;       // bearer; empty: none is sent
  std::size_t concurrency = 8, timeout_s = 600;
  std::string option;  // where base_url comes from, for sentences
};

/// The body of each reply with status 200, or why there is none. Broken connections, 429 and 5xx
/// are tried three times in all. `body` makes the i-th question. Errors of the whole:
/// kInvalidArgument (the URL), kCancelled after an interrupt.
Result<std::vector<Result<std::string>>> ask_many(
    const AskMany& options, std::size_t count, const std::function<std::string(std::size_t)>& body);

}  // namespace rung::cli
