#pragma once
// Hard facts before any score: an arm that cannot serve a request is never a candidate, also not on
// fallback. Fails closed: a need that the model does not declare rules it out.

#include <cstdint>
#include <optional>
#include <string>

namespace rung::decide {

/// What a model can do, as configured.
struct Abilities {
  bool tools = false;
  bool json_schema = false;
  bool vision = false;
  bool audio = false;
  std::optional<std::int64_t> context_tokens =
      {};  // window of prompt and answer; empty: not stated, not checked
};

/// What a request needs.
struct Needs {
  bool tools = false;
  bool json_schema = false;
  bool vision = false;
  bool audio = false;
  std::int64_t prompt_tokens = 0;               // an estimate
  std::optional<std::int64_t> max_tokens = {};  // of the answer, if the request limits it
};

/// Empty: eligible. Else the fact that rules it out, as a sentence.
std::string why_not(const Abilities& model, const Needs& request);

}  // namespace rung::decide
