#pragma once
// Where the providers that LiteLLM names by a prefix ("groq/llama-3.3-70b") are reached, and what
// they speak. Read from each provider's own documentation of its OpenAI-compatible endpoint.

#include <string_view>

namespace rung::gateway {

struct LitellmProvider {
  std::string_view name;      // the prefix in `model`
  std::string_view dialect;   // "openai", "anthropic"; empty: nothing here speaks it
  std::string_view base_url;  // empty: the file must say api_base
  std::string_view key;       // environment variable that LiteLLM reads by itself; empty: none
  std::string_view path;    // added to api_base where it does not end in it; empty: taken as it is
  std::string_view remark;  // for `dialect` empty: why; else what to check; may be empty
};

/// nullptr: not known here.
const LitellmProvider* find_litellm_provider(std::string_view name);

/// The provider that LiteLLM infers for a model without a prefix; empty: none.
std::string_view infer_litellm_provider(std::string_view model);

}  // namespace rung::gateway
