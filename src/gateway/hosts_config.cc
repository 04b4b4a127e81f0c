#include "gateway/hosts_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace rung::gateway {
namespace {

constexpr std::size_t kMostHosts = 64;

std::size_t find_upstream(YamlSection& s, const Config& config, const std::string& name) {
  for (std::size_t i = 0; i < config.upstreams.size(); ++i)
    if (config.upstreams[i].name == name) return i;
  if (!name.empty())
    s.fail("upstream", fmt::format("is \"{}\", which is not defined; {}", name,
                                   did_you_mean(name, names_of(config.upstreams))));
  return 0;
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const std::string guess = nearest(word, names);
  if (!guess.empty()) return fmt::format("did you mean {}?", guess);
  return names.empty() ? std::string("none is defined")
                       : fmt::format("known are {}", fmt::join(names, ", "));
}

std::vector<ModelHost> read_hosts(YamlSection& s, const Config& config, const std::string& model) {
  const std::string name = s.string("name", model);
  const YAML::Node node = s.child("upstream");
  std::vector<ModelHost> hosts;
  if (!node.IsDefined() || !node.IsSequence()) {
    const std::string upstream = s.required_string("upstream");
    hosts.push_back({find_upstream(s, config, upstream), name});
    return hosts;
  }
  if (node.size() == 0 || node.size() > kMostHosts)
    s.fail("upstream", fmt::format("lists {} hosts; expected 1 to {}", node.size(), kMostHosts));
  for (const YAML::Node& item : node) {
    if (s.failed()) break;
    ModelHost host{0, name};
    if (item.IsScalar()) {
      host.upstream = find_upstream(s, config, item.Scalar());
    } else if (item.IsMap()) {
      YamlSection own = s.item("upstream", item);
      host.upstream = find_upstream(s, config, own.required_string("upstream"));
      host.upstream_name = own.string("name", name);
      if (auto done = own.finish(); !done) s.fail(done.error());
    } else {
      s.fail("upstream",
             "holds something that is neither a name nor a mapping; expected names of "
             "upstreams, or {upstream: NAME, name: MODEL}");
    }
    for (const ModelHost& other : hosts)
      if (other.upstream == host.upstream && other.upstream_name == host.upstream_name)
        s.fail("upstream",
               fmt::format("names {} twice", config.upstreams.empty()
                                                 ? std::string("a host")
                                                 : config.upstreams[host.upstream].name));
    hosts.push_back(std::move(host));
  }
  return hosts;
}

void read_model_resilience(YamlSection& s, const Config& config, ModelConfig& model,
                           FallbackNames& fallback) {
  const std::string balance = s.string("balance", "least_load");
  if (const auto parsed = upstream::parse_balance(balance))
    model.balance = *parsed;
  else
    s.fail("balance", fmt::format("is \"{}\"; known are least_load, prefix", balance));
  model.hedge = config.resilience.hedge;
  read_hedge(s, model.hedge);
  fallback = {model.name, s.strings("fallback"), s.line_of_key("fallback")};
}

Result<void> resolve_fallbacks(const std::vector<FallbackNames>& fallbacks,
                               std::vector<ModelConfig>& models) {
  for (std::size_t i = 0; i < fallbacks.size() && i < models.size(); ++i) {
    for (const std::string& name : fallbacks[i].names) {
      const auto found = std::find_if(models.begin(), models.end(),
                                      [&](const ModelConfig& m) { return m.name == name; });
      const auto fail = [&](std::string_view why) {
        return Error{ErrorCode::kInvalidConfig,
                     fmt::format("{}models.{}.fallback names \"{}\", {}", fallbacks[i].line,
                                 fallbacks[i].model, name, why)};
      };
      if (found == models.end())
        return fail("which is not defined; " + did_you_mean(name, names_of(models)));
      if (name == models[i].name) return fail("which is the model itself");
      models[i].fallback.push_back(static_cast<std::size_t>(found - models.begin()));
    }
  }
  return {};
}

}  // namespace rung::gateway
