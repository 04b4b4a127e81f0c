#include "gateway/litellm_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>

#include "gateway/config.h"
#include "gateway/litellm_providers.h"

namespace rung::gateway {
namespace {

/// A text as YAML takes it in block and flow: plain where nothing can be misread.
std::string yaml_text(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
           c == '/';
  };
  const bool starts_plain =
      !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
  constexpr std::string_view kWords[] = {"true", "false", "yes", "no", "on", "off", "null"};
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (starts_plain && std::all_of(text.begin(), text.end(), plain) &&
      std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords))
    return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + yaml_text(text);
  return "[" + out + "]";
}

std::string variable_name(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += std::isalnum(static_cast<unsigned char>(c)) != 0
               ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
               : '_';
  return out;
}

bool is_variable(std::string_view text) { return text.starts_with("${") && text.ends_with('}'); }

std::int64_t milliseconds(double seconds) {
  return std::clamp<std::int64_t>(std::llround(seconds * 1e3), 1, 86'400'000);
}

struct Upstream {
  std::string name, dialect, base_url, api_key;
  std::optional<double> timeout_s;
  bool operator==(const Upstream& other) const {
    return dialect == other.dialect && base_url == other.base_url && api_key == other.api_key &&
           timeout_s == other.timeout_s;
  }
};

class Importer {
 public:
  explicit Importer(LitellmFile file) : file_(std::move(file)) {
    out_.left_out = std::move(file_.left_out);
  }

  Result<ImportedConfig> run() {
    for (const LitellmDeployment& one : file_.deployments) add(one);
    if (models_.empty())
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("none of the {} entries of model_list can be served here: {}: {}",
                               file_.deployments.size(), out_.left_out.back().where,
                               out_.left_out.back().why)};
    for (const auto& [alias, group] : file_.aliases) add_alias(alias, group);
    settings();
    write();
    const auto stand_in = [](const std::string&) {
      return std::optional<std::string>("https://stand-in.invalid/v1");
    };
    if (auto valid = parse_config(out_.yaml, ".", stand_in); !valid)
      return valid.error().with("the configuration that was made is not valid");
    std::sort(out_.variables.begin(), out_.variables.end());
    return std::move(out_);
  }

 private:
  struct Host {
    std::string upstream, name;  // name: as it calls the model
  };
  struct Model {
    const LitellmDeployment* from = nullptr;  // the first deployment of the group
    std::vector<Host> hosts;
    std::vector<std::string> fallback;
  };

  void left_out(std::string where, std::string why) {
    out_.left_out.push_back({std::move(where), std::move(why)});
  }
  void differs(std::string where, std::string why) {
    out_.differs.push_back({std::move(where), std::move(why)});
  }

  /// Notes the variable in "${NAME}".
  const std::string& reads(const std::string& text) {
    for (std::size_t at = 0; (at = text.find("${", at)) != std::string::npos; at += 2) {
      const std::string name = text.substr(at + 2, text.find('}', at) - at - 2);
      if (std::find(out_.variables.begin(), out_.variables.end(), name) == out_.variables.end())
        out_.variables.push_back(name);
    }
    return text;
  }

  /// A key that stands in the file itself is asked for by name: ours never holds one.
  std::string key_of(const LitellmDeployment& from, const LitellmProvider& provider) {
    if (is_variable(from.api_key)) return from.api_key;
    if (from.api_key.empty() || from.api_key == "none" || from.api_key == "dummy") {
      const bool own_host = !from.api_base.empty() && from.api_base != provider.base_url;
      if (provider.key.empty() ||
          (own_host && provider.dialect == "openai" && provider.name == std::string_view("openai")))
        return {};
      return fmt::format("${{{}}}", provider.key);
    }
    const std::string name = variable_name(from.provider) + "_API_KEY" +
                             (literal_keys_.contains(from.api_key) || literal_keys_.empty()
                                  ? std::string()
                                  : fmt::format("_{}", literal_keys_.size() + 1));
    const auto [place, is_new] = literal_keys_.try_emplace(from.api_key, name);
    if (is_new)
      differs(from.where + ".litellm_params.api_key",
              fmt::format("the key itself is not copied: put it into the environment variable {}",
                          place->second));
    return fmt::format("${{{}}}", place->second);
  }

  std::string upstream_of(const LitellmDeployment& from, const LitellmProvider& provider) {
    Upstream upstream;
    upstream.dialect = provider.dialect;
    upstream.base_url = from.api_base.empty() ? std::string(provider.base_url) : from.api_base;
    if (!from.api_base.empty() && !provider.path.empty() &&
        (!is_variable(from.api_base) || from.provider == "azure") &&
        !from.api_base.ends_with(provider.path))
      upstream.base_url += provider.path;
    upstream.api_key = key_of(from, provider);
    upstream.timeout_s = from.timeout_s ? from.timeout_s : file_.timeout_s;
    for (const Upstream& known : upstreams_)
      if (known == upstream) return known.name;
    std::size_t same = 0;
    for (const Upstream& known : upstreams_)
      if (known.name == from.provider || known.name.starts_with(from.provider + "-")) ++same;
    upstream.name = same == 0 ? from.provider : fmt::format("{}-{}", from.provider, same + 1);
    upstreams_.push_back(upstream);
    return upstream.name;
  }

  void add(const LitellmDeployment& from) {
    if (from.model_name.find('*') != std::string::npos || from.model.find('*') != std::string::npos)
      return left_out(from.where, "a wildcard names no model: list those that clients may use");
    const LitellmProvider* provider = find_litellm_provider(from.provider);
    if (provider == nullptr)
      return left_out(from.where, from.provider.empty()
                                      ? "its model names no provider"
                                      : fmt::format("the provider {} is not known here; if it has "
                                                    "an OpenAI-compatible endpoint, write "
                                                    "openai/... with its api_base",
                                                    from.provider));
    if (provider->dialect.empty())
      return left_out(from.where, fmt::format("{}: {}", from.provider, provider->remark));
    if (!from.mode.empty() && from.mode != "chat" && from.mode != "completion" &&
        from.mode != "responses" && from.mode != "embedding")
      return left_out(from.where, fmt::format("mode {}: there is no endpoint for it", from.mode));
    if (from.api_base.empty() && provider->base_url.empty())
      return left_out(from.where, fmt::format("{} needs an api_base", from.provider));
    if (!provider->remark.empty()) differs(from.where, std::string(provider->remark));
    limits(from);
    Host host{upstream_of(from, *provider), from.model};
    for (Model& known : models_)
      if (known.from->model_name == from.model_name) return join(known, std::move(host), from);
    models_.push_back({&from, {std::move(host)}, {}});
  }

  /// Another deployment of a group is another host of its model.
  void join(Model& model, Host host, const LitellmDeployment& from) {
    for (const Host& known : model.hosts)
      if (known.upstream == host.upstream)
        return left_out(
            from.where,
            fmt::format("a model has each host once; {} has this one already", from.model_name));
    model.hosts.push_back(std::move(host));
  }

  void limits(const LitellmDeployment& from) {
    const std::string params = from.where + ".litellm_params.";
    for (const auto& [key, value] : {std::pair{"rpm", from.rpm}, std::pair{"tpm", from.tpm}})
      if (value)
        left_out(params + key,
                 "limits are of clients' keys and routes, not of a deployment; an "
                 "upstream's own 429 is obeyed");
    if (from.max_parallel)
      left_out(params + "max_parallel_requests",
               "max_connections of the upstream is for each worker thread; set it by hand");
    if (from.stream_timeout_s)
      left_out(params + "stream_timeout", "one timeout holds for both; see first_byte_timeout_ms");
    if (from.weight) left_out(params + "weight", "of two hosts the less loaded one is taken");
    if (from.order) left_out(params + "order", "of two hosts the less loaded one is taken");
  }

  bool is_model(std::string_view name) const {
    return std::any_of(models_.begin(), models_.end(),
                       [&](const Model& model) { return model.from->model_name == name; });
  }

  void add_alias(const std::string& alias, const std::string& group) {
    const std::string where = "router_settings.model_group_alias." + alias;
    if (!is_model(group)) return left_out(where, fmt::format("{} is not among the models", group));
    if (is_model(alias)) return left_out(where, "it is a model's name too");
    routes_.emplace_back(alias, group);
  }

  void settings() {
    if (file_.routing_strategy != "" && file_.routing_strategy != "simple-shuffle" &&
        file_.routing_strategy != "least-busy")
      differs("router_settings.routing_strategy",
              "of two hosts of a model the less loaded one is taken; which model is a route's "
              "business");
    for (const auto& [group, names] : file_.fallbacks) add_fallbacks(group, names);
    if (file_.allowed_fails || file_.cooldown_s)
      differs("router_settings.allowed_fails, cooldown_time",
              "a host is left alone after so many failures in a row, not in a minute; the pause "
              "doubles while it fails");
    if (file_.has_database)
      differs("general_settings.database_url",
              "the ledger is one SQLite file, rung.db; virtual keys and past spend stay in the "
              "database: make keys with `rung keys create`");
    if (file_.master_key.empty()) {
      if (file_.max_budget_usd)
        left_out("litellm_settings.max_budget", "a budget belongs to a key, and the file has none");
      return;
    }
    if (!is_variable(file_.master_key)) {
      file_.master_key = "${LITELLM_MASTER_KEY}";
      differs("general_settings.master_key",
              "the key itself is not copied: put it into the environment variable "
              "LITELLM_MASTER_KEY");
    }
    differs(
        "general_settings.master_key",
        "it is the key `master` of a client, which needs 24 characters or more; the dashboard's "
        "token is `admin.token`");
    if (file_.max_budget_usd && budget_key().empty())
      left_out("litellm_settings.budget_duration",
               "budgets are for a day, a month, or for ever: the budget is not carried over");
  }

  /// The limit that LiteLLM's budget of a duration is; empty: none is.
  std::string_view budget_key() const {
    const std::string& duration = file_.budget_duration;
    if (duration.empty()) return "usd_total";
    if (duration == "1d" || duration == "24h" || duration == "daily") return "usd_per_day";
    if (duration == "30d" || duration == "31d" || duration == "1mo" || duration == "monthly")
      return "usd_per_month";
    return {};
  }

  void add_fallbacks(const std::string& group, const std::vector<std::string>& names) {
    bool found = false;
    for (Model& model : models_) {
      const std::string& own = model.from->model_name;
      if (group != "*" && own != group) continue;
      found = true;
      for (const std::string& name : names) {
        if (name == own || std::count(model.fallback.begin(), model.fallback.end(), name) > 0)
          continue;
        if (is_model(name))
          model.fallback.push_back(name);
        else
          left_out(fmt::format("fallbacks.{}", group),
                   fmt::format("{} is not among the models", name));
      }
    }
    if (!found)
      left_out(fmt::format("fallbacks.{}", group), "there is no such model to stand in for");
  }

  void write() {
    std::string& y = out_.yaml;
    y += "listen: 127.0.0.1:4000\nadmin: 127.0.0.1:4001\nledger: {path: rung.db}\n";
    if (file_.json_logs) y += "log: {format: json}\n";
    write_resilience();
    if (!file_.master_key.empty()) {
      y += fmt::format("\nkeys:\n  master: {{key: {}", yaml_text(reads(file_.master_key)));
      if (file_.max_budget_usd && !budget_key().empty())
        y += fmt::format(", limits: {{{}: {:.9g}}}", budget_key(), *file_.max_budget_usd);
      y += "}\n";
    }
    y += "\nupstreams:\n";
    for (const Upstream& upstream : upstreams_) {
      y += fmt::format("  {}: {{dialect: {}, base_url: {}", yaml_text(upstream.name),
                       upstream.dialect, yaml_text(reads(upstream.base_url)));
      if (!upstream.api_key.empty())
        y += fmt::format(", api_key: {}", yaml_text(reads(upstream.api_key)));
      // OpenAI answers Responses itself: nothing needs translating there.
      if (upstream.base_url == "https://api.openai.com/v1") y += ", also_speaks: [responses]";
      if (upstream.timeout_s)
        y += fmt::format(", timeout_ms: {}", milliseconds(*upstream.timeout_s));
      y += "}\n";
    }
    y += "\nmodels:\n";
    for (const Model& model : models_) write(model);
    out_.models = models_.size();
    out_.routes = routes_.size();
    if (routes_.empty()) return;
    y += "\nroutes:\n";
    for (const auto& [alias, group] : routes_)
      y += fmt::format("  {}: {{arms: [{}]}}\n", yaml_text(alias), yaml_text(group));
  }

  void write_resilience() {
    std::vector<std::string> parts;
    if (file_.num_retries)
      parts.push_back(
          fmt::format("attempts: {}", std::clamp(std::llround(*file_.num_retries) + 1, 1ll, 10ll)));
    std::string breaker;
    if (file_.allowed_fails)
      breaker =
          fmt::format("failures: {}", std::clamp(std::llround(*file_.allowed_fails), 1ll, 1'000ll));
    if (file_.cooldown_s)
      breaker += fmt::format("{}cool_down_ms: {}, max_cool_down_ms: {}",
                             breaker.empty() ? "" : ", ", milliseconds(*file_.cooldown_s),
                             std::max<std::int64_t>(milliseconds(*file_.cooldown_s), 60'000));
    if (!breaker.empty()) parts.push_back(fmt::format("breaker: {{{}}}", breaker));
    if (!parts.empty()) out_.yaml += fmt::format("resilience: {{{}}}\n", fmt::join(parts, ", "));
  }

  void write(const Model& model) {
    const LitellmDeployment& from = *model.from;
    std::string& y = out_.yaml;
    y += fmt::format("  {}: {{upstream: ", yaml_text(from.model_name));
    if (model.hosts.size() == 1) y += yaml_text(model.hosts[0].upstream);
    for (std::size_t i = 0; i < model.hosts.size() && model.hosts.size() > 1; ++i) {
      const Host& host = model.hosts[i];
      y += i == 0 ? "[" : ", ";
      y += host.name == from.model ? yaml_text(host.upstream)
                                   : fmt::format("{{upstream: {}, name: {}}}",
                                                 yaml_text(host.upstream), yaml_text(host.name));
    }
    if (model.hosts.size() > 1) y += "]";
    if (from.model != from.model_name) y += fmt::format(", name: {}", yaml_text(from.model));
    if (!model.fallback.empty()) y += fmt::format(", fallback: {}", list(model.fallback));
    if (from.max_output_tokens && *from.max_output_tokens >= 1)
      y += fmt::format(", max_output: {}", std::llround(*from.max_output_tokens));
    if (from.max_input_tokens && *from.max_input_tokens >= 1)
      y += fmt::format(", context: {}", std::llround(*from.max_input_tokens));
    if (!from.supports.empty()) y += fmt::format(", supports: {}", list(from.supports));
    if (from.input_price && from.output_price) {
      // Theirs is per token, ours per million.
      y += fmt::format(", price: {{input: {:.6g}, output: {:.6g}", *from.input_price * 1e6,
                       *from.output_price * 1e6);
      if (from.cache_read_price)
        y += fmt::format(", cached_input: {:.6g}", *from.cache_read_price * 1e6);
      if (from.cache_write_price)
        y += fmt::format(", cache_write: {:.6g}", *from.cache_write_price * 1e6);
      y += "}";
    }
    y += "}\n";
  }

  LitellmFile file_;
  ImportedConfig out_;
  std::vector<Upstream> upstreams_;
  std::vector<Model> models_;
  std::vector<std::pair<std::string, std::string>> routes_;  // alias, model
  std::map<std::string, std::string> literal_keys_;          // key, variable
};

}  // namespace

Result<ImportedConfig> import_litellm(std::string_view yaml) {
  auto file = read_litellm(yaml);
  if (!file) return file.error();
  return Importer(*std::move(file)).run();
}

}  // namespace rung::gateway
