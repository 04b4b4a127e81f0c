#include "decide/eligibility.h"

#include <fmt/format.h>

namespace rung::decide {

std::string why_not(const Abilities& model, const Needs& request) {
  if (request.tools && !model.tools)
    return "the request offers tools; the model does not declare `tools`";
  if (request.json_schema && !model.json_schema)
    return "the request asks for a JSON schema; the model does not declare `json_schema`";
  if (request.vision && !model.vision)
    return "the request holds images; the model does not declare `vision`";
  if (request.audio && !model.audio)
    return "the request holds audio; the model does not declare `audio`";
  if (model.context_tokens) {
    const std::int64_t wanted = request.prompt_tokens + request.max_tokens.value_or(0);
    if (wanted > *model.context_tokens)
      return fmt::format("about {} tokens are needed; the context holds {}", wanted,
                         *model.context_tokens);
  }
  return {};
}

}  // namespace rung::decide
