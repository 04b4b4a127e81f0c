#include "gateway/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/file.h"
#include "gateway/config_keys.h"
#include "gateway/config_price.h"
#include "gateway/hosts_config.h"
#include "gateway/yaml_section.h"

#ifndef RUNG_DATA_DIR
#define RUNG_DATA_DIR "/usr/share/rung"
#endif

namespace rung::gateway {
namespace {

constexpr std::string_view kOpen = "__RUNG_ENV_", kClose = "_VNE_GNUR__";

bool is_name_char(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// ${NAME} is no YAML inside {flow mappings}, so it becomes a plain word first and its value comes
/// in after parsing: a value can then hold any character without changing the structure of the
/// file.
std::string hide_variables(std::string_view yaml) {
  std::string out;
  for (std::size_t i = 0; i < yaml.size();) {
    const std::size_t start = yaml.find("${", i);
    if (start == std::string_view::npos) return out.append(yaml.substr(i));
    std::size_t end = start + 2;
    while (end < yaml.size() && is_name_char(yaml[end])) ++end;
    if (end == start + 2 || end == yaml.size() || yaml[end] != '}') {
      out.append(yaml.substr(i, start + 2 - i));
      i = start + 2;
      continue;
    }
    out.append(yaml.substr(i, start - i))
        .append(kOpen)
        .append(yaml.substr(start + 2, end - start - 2))
        .append(kClose);
    i = end + 1;
  }
  return out;
}

Result<std::string> show_variables(const std::string& text, const Environment& environment) {
  std::string out;
  for (std::size_t i = 0;;) {
    const std::size_t start = text.find(kOpen, i);
    if (start == std::string::npos) return out.append(text, i);
    const std::size_t end = text.find(kClose, start);
    const std::string name = text.substr(start + kOpen.size(), end - start - kOpen.size());
    const auto value = environment(name);
    if (!value)
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("the environment variable {} is not set", name)};
    out.append(text, i, start - i).append(*value);
    i = end + kClose.size();
  }
}

template <class T>
const T* find_named(const std::vector<T>& items, std::string_view name) {
  const auto it =
      std::find_if(items.begin(), items.end(), [&](const T& item) { return item.name == name; });
  return it == items.end() ? nullptr : &*it;
}

class Parser {
 public:
  Parser(std::filesystem::path folder, const Environment& environment)
      : folder_(std::move(folder)), resolve_([&environment](const std::string& text) {
          return show_variables(text, environment);
        }) {}

  Result<Config> parse(const YAML::Node& root) {
    YamlSection top(root, "", resolve_);
    const auto milliseconds = [&](const char* key, std::chrono::milliseconds fallback) {
      return std::chrono::milliseconds(top.integer(key, fallback.count(), 0, 86'400'000));
    };
    if (top.has("listen")) config_.listen = address(top, "listen");
    read_admin(top, resolve_, config_);
    read_tls(top, resolve_, folder_, config_);
    config_.workers = static_cast<std::size_t>(top.integer("workers", 0, 0, 1024));
    config_.max_body_bytes = static_cast<std::size_t>(top.integer("max_body_mb", 64, 1, 4096))
                             << 20;
    config_.drain_timeout = milliseconds("drain_timeout_ms", config_.drain_timeout);
    config_.observe = read_observe(top, resolve_);
    config_.sessions = read_sessions(top, resolve_);
    config_.keep_alive = milliseconds("keep_alive_ms", config_.keep_alive);
    if (top.has("resilience")) {
      YamlSection section = top.part("resilience");
      if (!section.failed()) read_resilience(section, config_.resilience);
      if (auto done = section.finish(); !done) top.fail(done.error());
    } else {
      top.child("resilience");
    }
    // Each part may refer to the ones before it.
    for (const auto step :
         {&Parser::ledger, &Parser::prices, &Parser::upstreams, &Parser::models, &Parser::routes}) {
      if (top.failed()) break;
      if (auto done = (this->*step)(top); !done) top.fail(done.error());
    }
    if (!top.failed()) read_keys(top, resolve_, config_);
    if (!config_.key_store.empty()) config_.key_store = absolute(config_.key_store);
    if (auto done = top.finish(); !done) return done.error();
    return std::move(config_);
  }

 private:
  ListenAddress address(YamlSection& top, const char* key) {
    const std::string text = top.required_string(key);
    auto parsed = parse_listen(text);
    if (!parsed) {
      top.fail(key, fmt::format("is \"{}\": {}", text, parsed.error().message));
      return {};
    }
    return *parsed;
  }

  Result<void> ledger(YamlSection& top) {
    const YAML::Node node = top.child("ledger");
    if (!node.IsDefined()) return {};
    if (node.IsScalar() && node.Scalar() == "off") return {};
    YamlSection section(node, "ledger", resolve_);
    config_.ledger.path = section.required_string("path");
    if (config_.ledger.path != ":memory:") config_.ledger.path = absolute(config_.ledger.path);
    config_.ledger.keep_prompts = section.boolean("keep_prompts", false);
    config_.ledger.before_reply = section.boolean("before_reply", false);
    return section.finish();
  }

  /// Calls read(name, section) for each entry of the mapping `key`.
  template <class Read>
  Result<void> each(YamlSection& top, const char* key, Read read) {
    const YAML::Node node = top.child(key);
    if (!node.IsDefined())
      return Error{ErrorCode::kInvalidConfig, fmt::format("{} is missing", key)};
    if (!node.IsMap() || node.size() == 0)
      return Error{
          ErrorCode::kInvalidConfig,
          fmt::format("{}{} is {}; expected a mapping with at least one name", line_of(node), key,
                      node.IsMap() ? "an empty mapping" : kind_of(node))};
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string name = entry.first.Scalar();
      if (name.empty() || !seen.insert(name).second)
        return Error{ErrorCode::kInvalidConfig,
                     fmt::format("{}{}.{} is {}", line_of(entry.first), key, name,
                                 name.empty() ? "empty" : "there twice")};
      YamlSection section(entry.second, fmt::format("{}.{}", key, name), resolve_);
      if (!section.failed()) read(name, section);
      if (auto done = section.finish(); !done) return done;
    }
    return {};
  }

  Result<void> prices(YamlSection& top) {
    const std::string name = top.string("prices");
    if (name.empty()) return {};
    auto file = PriceFile::load(absolute(name));
    if (file) {
      prices_ = *std::move(file);
    } else {
      top.fail("prices", fmt::format("is not usable: {}", file.error().message));
    }
    return {};
  }

  Result<void> upstreams(YamlSection& top) {
    return each(top, "upstreams", [&](const std::string& name, YamlSection& s) {
      UpstreamConfig upstream;
      upstream.name = name;
      upstream.dialect = s.string("dialect", "openai");
      if (upstream.dialect != "openai" && upstream.dialect != "anthropic")
        s.fail("dialect", fmt::format("is \"{}\"; this version speaks openai and anthropic",
                                      upstream.dialect));
      upstream.also_speaks = s.strings("also_speaks");
      for (const std::string& other : upstream.also_speaks)
        if (other != "openai" && other != "anthropic" && other != "responses")
          s.fail("also_speaks",
                 fmt::format("names \"{}\"; known are openai, anthropic, responses", other));
      const std::string url = s.required_string("base_url");
      if (auto parsed = parse_url(url)) {
        upstream.base_url = *parsed;
      } else {
        s.fail("base_url", fmt::format("is not usable: {}", parsed.error().message));
      }
      upstream.api_key = Secret(s.string("api_key"));
      upstream.takes_reasoning = s.boolean("takes_reasoning", false);
      upstream.system_anywhere = s.boolean("system_anywhere", true);
      const std::string& host = upstream.base_url.host;
      upstream.max_completion_tokens = s.boolean(
          "max_completion_tokens", host.ends_with("openai.com") || host.ends_with("azure.com"));
      const auto ms = [&](const char* key, std::chrono::milliseconds& value) {
        value = std::chrono::milliseconds(s.integer(key, value.count(), 1, 86'400'000));
      };
      ms("connect_timeout_ms", upstream.connect_timeout);
      ms("timeout_ms", upstream.timeout);
      ms("first_byte_timeout_ms", upstream.first_byte_timeout);
      upstream.max_connections =
          static_cast<std::size_t>(s.integer("max_connections", 4096, 1, 1'000'000));
      upstream.resilience = config_.resilience.host;
      if (s.has("resilience")) {
        YamlSection own = s.part("resilience");
        if (!own.failed()) read_host_resilience(own, upstream.resilience);
        if (auto done = own.finish(); !done) s.fail(done.error());
      } else {
        s.child("resilience");
      }
      config_.upstreams.push_back(std::move(upstream));
    });
  }

  Result<void> models(YamlSection& top) {
    auto read = each(top, "models", [&](const std::string& name, YamlSection& s) {
      ModelConfig model;
      model.name = name;
      const std::vector<ModelHost> hosts = read_hosts(s, config_, name);
      model.upstream = hosts.empty() ? 0 : hosts[0].upstream;
      model.upstream_name = hosts.empty() ? name : hosts[0].upstream_name;
      if (s.has("context"))
        model.abilities.context_tokens = s.integer("context", 0, 1, 1'000'000'000);
      for (const std::string& ability : s.strings("supports")) {
        if (ability == "tools")
          model.abilities.tools = true;
        else if (ability == "json_schema")
          model.abilities.json_schema = true;
        else if (ability == "vision")
          model.abilities.vision = true;
        else if (ability == "audio")
          model.abilities.audio = true;
        else
          s.fail("supports",
                 fmt::format("names \"{}\"; known are tools, json_schema, vision, audio", ability));
      }
      model.efforts = s.strings("efforts");
      model.thinking = s.string("thinking", model.thinking);
      if (model.thinking != "adaptive" && model.thinking != "budget")
        s.fail("thinking", fmt::format("is \"{}\"; known are adaptive and budget", model.thinking));
      model.like = s.string("like");
      read_price(s, resolve_, prices_,
                 hosts.empty() ? std::string() : config_.upstreams[model.upstream].name, model);
      read_model_resilience(s, config_, model, fallbacks_.emplace_back());
      for (std::size_t i = 1; i < hosts.size(); ++i) {
        ModelConfig other = model;
        other.other_hosts.clear();
        other.upstream = hosts[i].upstream;
        other.upstream_name = hosts[i].upstream_name;
        model.other_hosts.push_back(std::move(other));
      }
      config_.models.push_back(std::move(model));
    });
    if (!read) return read;
    return resolve_fallbacks(fallbacks_, config_.models);
  }

  /// "small", "large@low", or {model: small, effort: low}.
  void arm(const YAML::Node& node, YamlSection& route, RouteConfig& out) {
    ArmConfig arm;
    std::string model_name;
    if (node.IsScalar()) {
      const std::string& text = node.Scalar();
      const std::size_t at = text.rfind('@');
      // A model's own name may hold an @ too: the whole name wins.
      const bool whole = find_named(config_.models, text) != nullptr || at == std::string::npos;
      model_name = whole ? text : text.substr(0, at);
      if (!whole) arm.effort = text.substr(at + 1);
    } else if (node.IsMap()) {
      YamlSection s(node, fmt::format("{}.arms[{}]", route.path(), out.arms.size()), resolve_);
      model_name = s.required_string("model");
      arm.effort = s.string("effort");
      arm.strategy = s.string("strategy", "single");
      if (arm.strategy != "single")
        s.fail("strategy",
               fmt::format("is \"{}\"; this version runs the strategy single", arm.strategy));
      if (auto done = s.finish(); !done) return route.fail(done.error());
    } else {
      return route.fail(
          node, fmt::format("{}.arms holds {}; expected a model's name, or a mapping with model",
                            route.path(), node.IsSequence() ? "a list" : "an empty place"));
    }
    const ModelConfig* model = find_named(config_.models, model_name);
    if (model == nullptr)
      return route.fail(
          node,
          fmt::format("{}.arms names the model \"{}\", which is not defined; {}", route.path(),
                      model_name, did_you_mean(model_name, names_of(config_.models))));
    if (!arm.effort.empty() &&
        std::find(model->efforts.begin(), model->efforts.end(), arm.effort) == model->efforts.end())
      return route.fail(
          node, fmt::format("{}.arms asks {} for the effort \"{}\"; its `efforts` are [{}]",
                            route.path(), model_name, arm.effort, fmt::join(model->efforts, ", ")));
    arm.model = static_cast<std::size_t>(model - config_.models.data());
    arm.label = arm.effort.empty() ? model_name : fmt::format("{}@{}", model_name, arm.effort);
    for (const ArmConfig& other : out.arms)
      if (other.label == arm.label)
        return route.fail(node, fmt::format("{}.arms holds {} twice", route.path(), arm.label));
    out.arms.push_back(std::move(arm));
  }

  static std::optional<std::size_t> find_arm(const RouteConfig& route, std::string_view label) {
    for (std::size_t i = 0; i < route.arms.size(); ++i)
      if (route.arms[i].label == label) return i;
    return std::nullopt;
  }

  void policy(const YAML::Node& node, YamlSection& route, RouteConfig& out) {
    if (!node.IsDefined()) return;
    YamlSection s(node, route.path() + ".policy", resolve_);
    const std::string kind = s.required_string("kind");
    const auto parsed = decide::parse_policy_kind(kind);
    if (!parsed && !kind.empty())
      s.fail("kind",
             fmt::format(
                 "is \"{}\"; this version knows tradeoff, target_quality, max_cost, threshold, "
                 "alpha",
                 kind));
    if (parsed) {
      out.policy.kind = *parsed;
      const char* key = *parsed == decide::PolicyKind::kTradeoff ? "usd_per_point" : kind.c_str();
      if (const auto value = s.number(key))
        out.policy.parameter = *value;
      else
        s.fail(key, "is missing");
      if (*parsed == decide::PolicyKind::kTradeoff)
        out.policy.margin = s.number("margin").value_or(0);
      if (*parsed == decide::PolicyKind::kThreshold) {
        out.policy.strong = s.required_string("strong");
        out.policy.weak = s.required_string("weak");
        for (const std::string& label : {out.policy.strong, out.policy.weak})
          if (!s.failed() && !find_arm(out, label))
            s.fail("kind",
                   fmt::format("threshold names the arm \"{}\", which the route does not have",
                               label));
      }
      if (auto valid = decide::validate(out.policy); !valid && !s.failed())
        s.fail("kind", fmt::format("{}: {}", kind, valid.error().message));
    }
    if (auto done = s.finish(); !done) route.fail(done.error());
  }

  Result<void> routes(YamlSection& top) {
    if (!top.has("routes")) {
      top.child("routes");
      return {};
    }
    return each(top, "routes", [&](const std::string& name, YamlSection& s) {
      RouteConfig route;
      route.name = name;
      if (find_named(config_.models, name) != nullptr)
        s.fail("arms", fmt::format("cannot be reached: {} is a model's name too", name));
      const YAML::Node arms = s.child("arms");
      if (!arms.IsDefined() || !arms.IsSequence() || arms.size() == 0)
        s.fail("arms", fmt::format("is {}; expected a list with at least one arm",
                                   !arms.IsDefined()   ? "missing"
                                   : arms.IsSequence() ? "an empty list"
                                                       : kind_of(arms)));
      else
        for (const YAML::Node& node : arms) arm(node, s, route);
      const std::string predictor = s.string("predictor");
      if (!predictor.empty())
        route.predictor = find_predictor(predictor, s);
      else if (route.arms.size() > 1)
        s.fail("predictor", "is missing; a route with several arms needs one");
      policy(s.child("policy"), s, route);
      if (const auto share = s.number("explore")) {
        if (!(*share >= 0 && *share <= 1))
          s.fail("explore", fmt::format("is {:g}; expected a share from 0 to 1", *share));
        route.explore = *share;
      }
      if (const std::string reference = s.string("reference"); !reference.empty()) {
        route.reference = find_arm(route, reference);
        if (!route.reference)
          s.fail("reference",
                 fmt::format("is \"{}\", which is not an arm of the route", reference));
      }
      route.limits = read_limits(s, resolve_);
      config_.routes.push_back(std::move(route));
    });
  }

  std::filesystem::path absolute(const std::filesystem::path& path) const {
    return path.is_absolute() ? path : folder_ / path;
  }

  std::filesystem::path find_predictor(const std::string& name, YamlSection& s) const {
    const std::filesystem::path own = absolute(name);
    if (std::filesystem::exists(own)) return own;
    const char* shipped = std::getenv("RUNG_DATA_DIR");
    const std::filesystem::path other =
        std::filesystem::path(shipped != nullptr ? shipped : RUNG_DATA_DIR) / name;
    if (!std::filesystem::path(name).has_parent_path() && std::filesystem::exists(other))
      return other;
    s.fail("predictor",
           fmt::format("is \"{}\"; found neither {} nor {}", name, own.string(), other.string()));
    return own;
  }

  std::filesystem::path folder_;
  YamlSection::Resolve resolve_;
  PriceFile prices_;
  Config config_;
  std::vector<FallbackNames> fallbacks_;  // of each model
};

}  // namespace

const ModelConfig* Config::find_model(std::string_view name) const {
  return find_named(models, name);
}
const RouteConfig* Config::find_route(std::string_view name) const {
  return find_named(routes, name);
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<Config> parse_config(std::string_view yaml, const std::filesystem::path& folder,
                            const Environment& environment) {
  try {
    const YAML::Node root = YAML::Load(hide_variables(yaml));
    if (!root.IsMap())
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("the file is {}; expected a mapping of keys to values, as in "
                               "docs/configuration.md",
                               kind_of(root))};
    return Parser(folder, environment).parse(root);
  } catch (const YAML::Exception& error) {
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("line {}, column {}: not valid YAML: {}", error.mark.line + 1,
                             error.mark.column + 1, error.msg)};
  }
}

Result<Config> load_config(const std::filesystem::path& file, const Environment& environment) {
  auto text = read_file(file);
  if (!text) return text.error();
  auto config = parse_config(*text, std::filesystem::absolute(file).parent_path(), environment);
  if (!config) return config.error().with(file.string());
  return config;
}

}  // namespace rung::gateway
