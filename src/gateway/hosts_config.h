#pragma once
// What a model says of where it is served and what stands in for it. Part of parsing (config.cc).

#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {

/// "did you mean X?", or what there is.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

template <class T>
std::vector<std::string> names_of(const std::vector<T>& items) {
  std::vector<std::string> names;
  for (const T& item : items) names.push_back(item.name);
  return names;
}

struct ModelHost {
  std::size_t upstream = 0;  // index into Config::upstreams
  std::string upstream_name;
};

/// `upstream` and `name` of a model: one host, or a list of hosts, each a name or
/// {upstream: NAME, name: WHAT IT CALLS THE MODEL}.
std::vector<ModelHost> read_hosts(YamlSection& s, const Config& config, const std::string& model);

struct FallbackNames {
  std::string model;
  std::vector<std::string> names;
  std::string line;  // "line 12: "
};
/// `balance`, `fallback` and `hedge` of a model; the fallbacks' names, as models may come later.
void read_model_resilience(YamlSection& s, const Config& config, ModelConfig& model,
                           FallbackNames& fallback);
/// Error: a name that is no model's, or the model's own.
Result<void> resolve_fallbacks(const std::vector<FallbackNames>& fallbacks,
                               std::vector<ModelConfig>& models);

}  // namespace rung::gateway
