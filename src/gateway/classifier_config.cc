#include "gateway/classifier_config.h"

#include <fmt/format.h>

#include "gateway/config.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {
namespace {

constexpr std::string_view kInstructions =
    "You judge how well a small AI assistant will answer a question, before it does. Consider how "
    "much knowledge, reasoning, depth and care a good answer needs.\n"
    "Scores: [[5]] an excellent answer, [[4]] a good one, [[3]] a passable one with gaps, [[2]] a "
    "poor one, [[1]] a wrong or useless one.\n"
    "Reply with the score alone, in double brackets.";
constexpr std::string_view kQuestion = "[Question]\n{prompt}\n\nScore:";

}  // namespace

Result<ClassifierConfig> read_classifier(
    const YAML::Node& node, const std::string& path,
    const std::function<Result<std::string>(const std::string&)>& resolve,
    const std::vector<ModelConfig>& models) {
  YamlSection s(node, path, resolve);
  ClassifierConfig config;
  const std::string kind = s.required_string("kind");
  if (kind == "bert")
    config.kind = ClassifierKind::kBert;
  else if (kind != "causal_llm" && !kind.empty())
    s.fail("kind",
           fmt::format("is \"{}\"; known are causal_llm and bert; a trained router is named "
                       "by its file alone",
                       kind));
  config.name = s.string("name", kind);
  const std::string model = s.required_string("model");
  std::vector<std::string> names;
  bool found = false;
  for (std::size_t i = 0; i < models.size(); ++i) {
    names.push_back(models[i].name);
    if (models[i].name == model) config.model = i, found = true;
  }
  if (!found && !model.empty()) {
    const std::string guess = nearest(model, names);
    s.fail("model", fmt::format("is \"{}\", which is not defined; {}", model,
                                guess.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                                              : fmt::format("did you mean {}?", guess)));
  }
  config.timeout =
      std::chrono::milliseconds(s.integer("timeout_ms", config.timeout.count(), 1, 600'000));
  if (config.kind == ClassifierKind::kCausalLlm) {
    config.instructions = s.string("instructions", std::string(kInstructions));
    config.question = s.string("question", std::string(kQuestion));
    config.top_logprobs = static_cast<std::size_t>(s.integer("top_logprobs", 20, 5, 100));
    if (config.question.find("{prompt}") == std::string::npos)
      s.fail("question", "does not say where the prompt goes; expected a text with {prompt}");
  } else {
    config.path = s.string("path", "/classify");
    if (!config.path.starts_with('/'))
      s.fail("path", fmt::format("is \"{}\"; expected one that begins with a slash", config.path));
  }
  if (auto done = s.finish(); !done) return done.error();
  return config;
}

}  // namespace rung::gateway
