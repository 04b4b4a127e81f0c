#include "gateway/litellm_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "gateway/litellm_providers.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {
namespace {

/// Why a key has no counterpart; the first prefix that matches wins.
constexpr std::pair<std::string_view, std::string_view> kReasons[] = {
    {"litellm_settings.drop_params",
     "a parameter is passed on, or the request is refused with the reason; it is never dropped"},
    {"litellm_settings.modify_params", "requests are not rewritten"},
    {"litellm_settings.cache", "answers are not cached"},
    {"litellm_settings.callbacks", "the ledger, /metrics and `otlp` take the place of callbacks"},
    {"litellm_settings.success_callback",
     "the ledger, /metrics and `otlp` take the place of callbacks"},
    {"litellm_settings.failure_callback",
     "the ledger, /metrics and `otlp` take the place of callbacks"},
    {"litellm_settings.service_callback",
     "the ledger, /metrics and `otlp` take the place of callbacks"},
    {"litellm_settings.set_verbose", "the log has one level"},
    {"litellm_settings.turn_off_message_logging",
     "prompts are not kept unless `ledger.keep_prompts` says so"},
    {"litellm_settings.content_policy_fallbacks",
     "a refusal is an answer: it is passed on, not asked of another model"},
    {"litellm_settings.guardrails", "prompts and answers are not inspected"},
    {"guardrails", "prompts and answers are not inspected"},
    {"mcp_servers", "tools are run by the client, not by the gateway"},
    {"general_settings.alerting", "alert on /metrics"},
    {"general_settings.store_model_in_db", "the configuration is one file"},
    {"general_settings.proxy_batch_write_at", "the ledger writes every 50 ms"},
    {"general_settings.database_", "there is no database to set up"},
    {"general_settings.ui_", "the dashboard has its own listener, `admin`"},
    {"general_settings.enable_jwt_auth", "clients are known by keys"},
    {"general_settings.custom_auth", "clients are known by keys"},
    {"general_settings.pass_through_endpoints", "only the routes of the configuration are served"},
    {"router_settings.redis_", "one process keeps its state in memory"},
    {"router_settings.cache_", "answers are not cached"},
    {"router_settings.enable_pre_call_checks",
     "a route never sends a model what does not fit it; this is always on"},
    {"router_settings.retry_policy", "what is retried follows from the status of the answer"},
    {"router_settings.model_group_retry_policy",
     "what is retried follows from the status of the answer"},
    {"router_settings.retry_after", "an upstream's own Retry-After is obeyed"},
    {"environment_variables", "set it in the environment of the process"},
};

std::string reason_for(const std::string& path) {
  for (const auto& [prefix, why] : kReasons)
    if (std::string_view(path).starts_with(prefix)) return std::string(why);
  return "nothing here does what it asks for";
}

/// "os.environ/NAME" as ${NAME}; other texts as they are.
std::string variable_or_text(const std::string& text) {
  constexpr std::string_view kMark = "os.environ/";
  if (!text.starts_with(kMark)) return text;
  return fmt::format("${{{}}}", text.substr(kMark.size()));
}

/// Reads a mapping key by key; what nobody read becomes a note.
class Part {
 public:
  Part(const YAML::Node& node, std::string path, std::vector<ImportNote>& notes)
      : node_(node), path_(std::move(path)), notes_(notes) {}

  YAML::Node child(const char* key) {
    read_.insert(key);
    return node_.IsMap() ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
  }

  std::string text(const char* key) {
    const YAML::Node value = child(key);
    if (!value.IsDefined() || value.IsNull()) return {};
    if (value.IsScalar()) return variable_or_text(value.Scalar());
    note(key, fmt::format("is {}; a text was expected", kind_of(value)));
    return {};
  }

  std::optional<double> number(const char* key) {
    const YAML::Node value = child(key);
    if (!value.IsDefined() || value.IsNull()) return std::nullopt;
    double result = 0;
    if (value.IsScalar()) {
      const std::string& text = value.Scalar();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
      if (error == std::errc() && end == text.data() + text.size() && std::isfinite(result) &&
          result >= 0)
        return result;
    }
    note(key, "is no number of 0 or more");
    return std::nullopt;
  }

  bool flag(const char* key) {
    const std::string value = text(key);
    return value == "true" || value == "True" || value == "yes" || value == "on";
  }

  void note(std::string_view key, std::string why) {
    notes_.push_back({fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key), std::move(why)});
  }

  /// Notes what nobody read; the leaves of a mapping one by one.
  void rest() {
    if (!node_.IsMap()) return;
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar() || read_.contains(entry.first.Scalar())) continue;
      const std::string where =
          fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", entry.first.Scalar());
      notes_.push_back({where, reason_for(where)});
    }
  }

 private:
  YAML::Node node_;
  std::string path_;
  std::vector<ImportNote>& notes_;
  std::set<std::string> read_;
};

void take_model(std::string text, LitellmDeployment& out) {
  const std::size_t slash = text.find('/');
  if (!out.provider.empty()) {
    // custom_llm_provider: the prefix may be there all the same.
    out.model = text.starts_with(out.provider + "/") ? text.substr(out.provider.size() + 1) : text;
  } else if (slash != std::string::npos &&
             find_litellm_provider(text.substr(0, slash)) != nullptr) {
    out.provider = text.substr(0, slash);
    out.model = text.substr(slash + 1);
  } else {
    out.provider = infer_litellm_provider(text);
    if (out.provider.empty() && slash != std::string::npos) out.provider = text.substr(0, slash);
    out.model = std::move(text);
  }
}

Result<LitellmDeployment> deployment(const YAML::Node& node, std::size_t index,
                                     std::vector<ImportNote>& notes) {
  LitellmDeployment out;
  out.where = fmt::format("model_list[{}]", index);
  const auto broken = [&](std::string_view what) {
    return Error{ErrorCode::kInvalidConfig, fmt::format("{}{} {}", line_of(node), out.where, what)};
  };
  if (!node.IsMap()) return broken(fmt::format("is {}; expected a mapping", kind_of(node)));
  Part entry(node, out.where, notes);
  out.model_name = entry.text("model_name");
  const YAML::Node params_node = entry.child("litellm_params");
  if (out.model_name.empty()) return broken("has no model_name");
  if (!params_node.IsMap()) return broken("has no litellm_params");

  Part params(params_node, out.where + ".litellm_params", notes);
  out.provider = params.text("custom_llm_provider");
  const std::string model = params.text("model");
  if (model.empty()) return broken("has no litellm_params.model");
  take_model(model, out);
  out.api_base = params.text("api_base");
  if (const std::string base = params.text("base_url"); out.api_base.empty()) out.api_base = base;
  while (out.api_base.ends_with('/')) out.api_base.pop_back();
  out.api_key = params.text("api_key");
  out.timeout_s = params.number("timeout");
  out.stream_timeout_s = params.number("stream_timeout");
  out.rpm = params.number("rpm");
  out.tpm = params.number("tpm");
  out.max_parallel = params.number("max_parallel_requests");
  out.weight = params.number("weight");
  out.order = params.number("order");
  if (out.provider == "azure") params.child("api_version");  // its v1 endpoint needs none

  const YAML::Node info_node = entry.child("model_info");
  Part info(info_node, out.where + ".model_info", notes);
  for (const char* quiet : {"id", "base_model", "litellm_provider"}) info.child(quiet);
  out.mode = info.text("mode");
  const auto price = [&](const char* key) {
    const auto own = params.number(key), other = info.number(key);
    return own ? own : other;
  };
  out.input_price = price("input_cost_per_token");
  out.output_price = price("output_cost_per_token");
  out.cache_read_price = price("cache_read_input_token_cost");
  out.cache_write_price = price("cache_creation_input_token_cost");
  out.max_input_tokens = info.number("max_input_tokens");
  out.max_output_tokens = info.number("max_output_tokens");
  info.child("max_tokens");  // older files: the same as max_output_tokens
  constexpr std::pair<const char*, const char*> kAbilities[] = {
      {"supports_function_calling", "tools"},
      {"supports_response_schema", "json_schema"},
      {"supports_vision", "vision"},
      {"supports_audio_input", "audio"}};
  for (const auto& [key, ability] : kAbilities)
    if (info.flag(key)) out.supports.emplace_back(ability);
  params.rest();
  info.rest();
  entry.rest();
  return out;
}

void fallbacks(const YAML::Node& node, const std::string& where, LitellmFallbacks& into,
               std::vector<ImportNote>& notes) {
  if (!node.IsDefined() || node.IsNull()) return;
  const auto odd = [&] { notes.push_back({where, "is not a list of {group: [groups]}"}); };
  if (!node.IsSequence()) return odd();
  for (const YAML::Node& item : node) {
    if (!item.IsMap()) {
      odd();
      continue;
    }
    for (const auto& entry : item) {
      if (!entry.second.IsSequence()) {
        odd();
        continue;
      }
      for (const YAML::Node& to : entry.second) {
        // Also {model: name, messages: ...}: only the model can be carried over.
        const YAML::Node name = to.IsMap() ? to["model"] : to;
        if (!name.IsDefined() || !name.IsScalar()) {
          odd();
          continue;
        }
        auto& list = into[entry.first.Scalar()];
        if (std::find(list.begin(), list.end(), name.Scalar()) == list.end())
          list.push_back(name.Scalar());
        if (to.IsMap() && to.size() > 1)
          notes.push_back({where,
                           "changes the request for the fallback; requests are not "
                           "rewritten, only the model is taken"});
      }
    }
  }
}

void first(std::optional<double>& into, std::optional<double> value) {
  if (!into) into = value;
}

/// What both litellm_settings and router_settings may say; router_settings wins, as in LiteLLM.
void shared(Part& part, const std::string& path, LitellmFile& out) {
  for (const char* key : {"fallbacks", "context_window_fallbacks"})
    fallbacks(part.child(key), path + "." + key, out.fallbacks, out.left_out);
  first(out.num_retries, part.number("num_retries"));
  first(out.allowed_fails, part.number("allowed_fails"));
  first(out.cooldown_s, part.number("cooldown_time"));
}

void router_settings(const YAML::Node& node, LitellmFile& out) {
  Part part(node, "router_settings", out.left_out);
  out.routing_strategy = part.text("routing_strategy");
  shared(part, "router_settings", out);
  first(out.timeout_s, part.number("timeout"));
  const YAML::Node aliases = part.child("model_group_alias");
  if (aliases.IsMap())
    for (const auto& entry : aliases) {
      const YAML::Node to = entry.second.IsMap() ? entry.second["model"] : entry.second;
      if (to.IsDefined() && to.IsScalar()) out.aliases[entry.first.Scalar()] = to.Scalar();
    }
  part.rest();
}

void litellm_settings(const YAML::Node& node, LitellmFile& out) {
  Part part(node, "litellm_settings", out.left_out);
  shared(part, "litellm_settings", out);
  first(out.timeout_s, part.number("request_timeout"));
  const YAML::Node defaults = part.child("default_fallbacks");
  if (defaults.IsSequence())
    for (const YAML::Node& name : defaults)
      if (name.IsScalar()) out.fallbacks["*"].push_back(name.Scalar());
  out.max_budget_usd = part.number("max_budget");
  out.budget_duration = part.text("budget_duration");
  out.json_logs = part.flag("json_logs");
  part.rest();
}

void general_settings(const YAML::Node& node, LitellmFile& out) {
  Part part(node, "general_settings", out.left_out);
  out.master_key = part.text("master_key");
  out.has_database = !part.text("database_url").empty();
  part.rest();
}

}  // namespace

Result<LitellmFile> read_litellm(std::string_view yaml) {
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap())
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("the file is {}; expected a LiteLLM proxy configuration with a "
                               "model_list",
                               kind_of(root))};
    LitellmFile out;
    Part top(root, "", out.left_out);
    const YAML::Node models = top.child("model_list");
    if (!models.IsDefined() || !models.IsSequence() || models.size() == 0)
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("{}model_list is {}; expected a list of models",
                               line_of(models.IsDefined() ? models : root),
                               models.IsDefined() ? "empty or no list" : "missing")};
    for (std::size_t i = 0; i < models.size(); ++i) {
      auto one = deployment(models[i], i, out.left_out);
      if (!one) return one.error();
      out.deployments.push_back(*std::move(one));
    }
    router_settings(top.child("router_settings"), out);
    litellm_settings(top.child("litellm_settings"), out);
    general_settings(top.child("general_settings"), out);
    const YAML::Node variables = top.child("environment_variables");
    Part(variables, "environment_variables", out.left_out).rest();
    top.rest();
    return out;
  } catch (const YAML::Exception& error) {
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("line {}, column {}: not valid YAML: {}", error.mark.line + 1,
                             error.mark.column + 1, error.msg)};
  }
}

}  // namespace rung::gateway
