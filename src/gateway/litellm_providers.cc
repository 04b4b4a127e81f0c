#include "gateway/litellm_providers.h"

#include <algorithm>
#include <iterator>

namespace rung::gateway {
namespace {

constexpr std::string_view kSigned = "its requests are signed in a way that Rung does not speak";
constexpr std::string_view kOwnForm = "it has no OpenAI-compatible endpoint that Rung could call";

constexpr LitellmProvider kProviders[] = {
    {"openai", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "", ""},
    {"anthropic", "anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "/v1", ""},
    {"azure", "openai", "", "AZURE_API_KEY", "/openai/v1",
     "Azure's v1 endpoint is used; the deployment's name is sent as the model"},
    {"azure_ai", "openai", "", "AZURE_AI_API_KEY", "", ""},
    {"gemini", "openai", "https://generativelanguage.googleapis.com/v1beta/openai",
     "GEMINI_API_KEY", "", "Gemini's OpenAI-compatible endpoint is used"},
    {"mistral", "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "", ""},
    {"groq", "openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "", ""},
    {"deepseek", "openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "", ""},
    {"together_ai", "openai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY", "", ""},
    {"fireworks_ai", "openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY", "",
     ""},
    {"openrouter", "openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "", ""},
    {"xai", "openai", "https://api.x.ai/v1", "XAI_API_KEY", "", ""},
    {"perplexity", "openai", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY", "", ""},
    {"cerebras", "openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "", ""},
    {"deepinfra", "openai", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", "", ""},
    {"nvidia_nim", "openai", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY", "", ""},
    {"sambanova", "openai", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", "", ""},
    {"hosted_vllm", "openai", "", "", "", ""},
    {"ollama", "openai", "http://localhost:11434/v1", "", "/v1", ""},
    {"ollama_chat", "openai", "http://localhost:11434/v1", "", "/v1", ""},
    {"lm_studio", "openai", "http://localhost:1234/v1", "", "", ""},
    {"llamafile", "openai", "http://127.0.0.1:8080/v1", "", "", ""},
    {"xinference", "openai", "http://127.0.0.1:9997/v1", "", "", ""},
    {"openai_like", "openai", "", "", "", ""},
    {"custom_openai", "openai", "", "", "", ""},
    {"litellm_proxy", "openai", "", "LITELLM_PROXY_API_KEY", "/v1", ""},
    {"databricks", "openai", "", "DATABRICKS_API_KEY", "", ""},
    {"bedrock", "", "", "", "", kSigned},
    {"sagemaker", "", "", "", "", kSigned},
    {"sagemaker_chat", "", "", "", "", kSigned},
    {"vertex_ai", "", "", "", "",
     "its keys are short-lived Google tokens that Rung does not fetch"},
    {"watsonx", "", "", "", "", "its keys are short-lived IBM tokens that Rung does not fetch"},
    {"cohere", "", "", "", "", kOwnForm},
    {"cohere_chat", "", "", "", "", kOwnForm},
    {"replicate", "", "", "", "", kOwnForm},
    {"huggingface", "", "", "", "", kOwnForm},
    {"vllm", "", "", "", "",
     "LiteLLM loads it into its own process; run `vllm serve` and write hosted_vllm"},
    {"text-completion-openai", "", "", "", "", "Rung serves chat, not the older completions"},
};

}  // namespace

const LitellmProvider* find_litellm_provider(std::string_view name) {
  const auto* it = std::find_if(std::begin(kProviders), std::end(kProviders),
                                [&](const LitellmProvider& known) { return known.name == name; });
  return it == std::end(kProviders) ? nullptr : it;
}

std::string_view infer_litellm_provider(std::string_view model) {
  for (const std::string_view start : {"gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-"})
    if (model.starts_with(start)) return "openai";
  if (model.starts_with("claude-")) return "anthropic";
  if (model.starts_with("gemini-")) return "vertex_ai";
  if (model.starts_with("command-")) return "cohere_chat";
  return {};
}

}  // namespace rung::gateway
