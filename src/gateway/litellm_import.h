#pragma once
// A LiteLLM proxy configuration as one of ours. docs/moving.md says what becomes of what.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/litellm_file.h"

namespace rung::gateway {

struct ImportedConfig {
  std::string yaml;                    // passes parse_config; holds no key, only ${NAME}
  std::vector<ImportNote> left_out;    // has no counterpart here
  std::vector<ImportNote> differs;     // carried over, but look at it
  std::vector<std::string> variables;  // environment variables that it reads, sorted
  std::size_t models = 0, routes = 0;
};

/// Errors: kInvalidConfig: not such a file, or nothing of it can be served here.
Result<ImportedConfig> import_litellm(std::string_view yaml);

}  // namespace rung::gateway
