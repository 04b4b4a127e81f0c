#pragma once
// `predictor: {kind: causal_llm, model: judge}` of a route: a classifier that an upstream serves.
// docs/methods.md says what it must have been trained for.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace YAML {
class Node;
}

namespace rung::gateway {

struct ModelConfig;

enum class ClassifierKind : std::uint8_t {
  kCausalLlm,  // chat completion with log probabilities of five labels
  kBert,       // three classes from an endpoint that classifies
};

struct ClassifierConfig {
  ClassifierKind kind = ClassifierKind::kCausalLlm;
  std::string name;       // after `router-` on the wire; default: the kind
  std::size_t model = 0;  // index into Config::models: who is asked, and at what price
  std::chrono::milliseconds timeout{2'000};  // of the whole call; then strong
  std::string instructions;                  // causal_llm: the system message
  std::string question;           // causal_llm: the user message, {prompt} is what is routed
  std::size_t top_logprobs = 20;  // causal_llm: alternatives to ask for, the five labels among them
  std::string path;               // bert: of the endpoint, from the host's root
};

/// Reads the mapping `node`, called `path` in sentences; `resolve` turns a scalar into its final
/// text. Errors: kInvalidConfig with line and key.
Result<ClassifierConfig> read_classifier(
    const YAML::Node& node, const std::string& path,
    const std::function<Result<std::string>(const std::string&)>& resolve,
    const std::vector<ModelConfig>& models);

}  // namespace rung::gateway
