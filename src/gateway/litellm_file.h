#pragma once
// What a LiteLLM proxy configuration says, as plain values: the first half of `rung import-config`.
// Nothing is lost in silence: every key that is not read here becomes a note with its reason.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rung::gateway {

/// One sentence on one key of the file.
struct ImportNote {
  std::string where;  // "router_settings.routing_strategy"
  std::string why;    // never holds a value that could be a secret
};

/// One entry of model_list. Texts have `os.environ/NAME` as ${NAME} already.
struct LitellmDeployment {
  std::string where;       // "model_list[0]"
  std::string model_name;  // what clients call it; shared by deployments of one group
  std::string provider;    // prefix of `model`, or custom_llm_provider
  std::string model;       // without the prefix
  std::string api_base;    // empty: the provider's own
  std::string api_key;     // empty: not in the file
  std::optional<double> timeout_s, stream_timeout_s;
  std::optional<double> rpm, tpm, max_parallel, weight, order;
  // USD per token, as LiteLLM has them.
  std::optional<double> input_price, output_price, cache_read_price, cache_write_price;
  std::optional<double> max_input_tokens, max_output_tokens;
  std::string mode;  // "chat", "embedding", ...; empty: not said
  std::vector<std::string> supports;
};

/// {"a": ["b", "c"]}: what to try after a group.
using LitellmFallbacks = std::map<std::string, std::vector<std::string>>;

struct LitellmFile {
  std::vector<LitellmDeployment> deployments;
  std::map<std::string, std::string> aliases;  // router_settings.model_group_alias
  std::string routing_strategy;
  LitellmFallbacks fallbacks;
  std::optional<double> num_retries, timeout_s, allowed_fails, cooldown_s;
  std::optional<double> max_budget_usd;
  std::string budget_duration;  // "30d"
  std::string master_key;
  bool has_database = false;
  bool json_logs = false;
  std::vector<ImportNote> left_out;
};

/// Error: kInvalidConfig (no YAML, no model_list, an entry without model_name or model).
Result<LitellmFile> read_litellm(std::string_view yaml);

}  // namespace rung::gateway
