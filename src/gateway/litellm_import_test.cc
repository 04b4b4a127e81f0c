#include "gateway/litellm_import.h"

#include <gtest/gtest.h>

#include "gateway/config.h"

namespace rung::gateway {
namespace {

ImportedConfig made(std::string_view yaml) {
  auto result = import_litellm(yaml);
  EXPECT_TRUE(result) << result.error().message;
  return result ? *std::move(result) : ImportedConfig{};
}

Config parsed(const ImportedConfig& imported) {
  const auto environment = [](const std::string& name) {
    return std::optional<std::string>(name == "BASE" ? "http://10.0.0.7:9000/v1"
                                                     : "secret-of-24-characters-" + name);
  };
  auto config = parse_config(imported.yaml, ".", environment);
  EXPECT_TRUE(config) << config.error().message << "\n" << imported.yaml;
  return config ? *std::move(config) : Config{};
}

std::string why(const std::vector<ImportNote>& notes, std::string_view where) {
  for (const ImportNote& note : notes)
    if (note.where == where) return note.why;
  return {};
}

TEST(ImportLitellm, ModelsGetTheirProvidersAddressAndTheVariableOfTheirKey) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: fast
    litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/MY_GROQ}
  - model_name: gpt-4o
    litellm_params: {model: gpt-4o}
  - model_name: local
    litellm_params: {model: ollama/llama3:8b, api_base: "http://127.0.0.1:11434"}
  - model_name: own
    litellm_params: {model: openai/qwen, api_base: os.environ/BASE}
)");
  const Config config = parsed(imported);
  ASSERT_EQ(config.models.size(), 4u);
  const auto upstream = [&](std::size_t i) -> const UpstreamConfig& {
    return config.upstreams[config.models[i].upstream];
  };
  EXPECT_EQ(config.models[0].upstream_name, "llama-3.3-70b-versatile");
  EXPECT_EQ(upstream(0).base_url.host, "api.groq.com");
  EXPECT_EQ(upstream(0).api_key.reveal(), "secret-of-24-characters-MY_GROQ");
  EXPECT_EQ(upstream(1).base_url.host, "api.openai.com");
  EXPECT_EQ(upstream(1).api_key.reveal(), "secret-of-24-characters-OPENAI_API_KEY");
  EXPECT_EQ(config.models[2].upstream_name, "llama3:8b");
  EXPECT_EQ(upstream(2).base_url.path, "/v1");
  EXPECT_TRUE(upstream(2).api_key.empty());
  EXPECT_EQ(upstream(3).base_url.host, "10.0.0.7");
  EXPECT_TRUE(upstream(3).api_key.empty()) << "OpenAI's key must not go to another host";
  EXPECT_EQ(imported.variables, (std::vector<std::string>{"BASE", "MY_GROQ", "OPENAI_API_KEY"}));
}

TEST(ImportLitellm, AKeyInTheFileIsAskedForByNameAndNeverCopied) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: a
    litellm_params: {model: openai/a, api_base: "http://a:1/v1", api_key: sk-verysecret}
  - model_name: b
    litellm_params: {model: openai/b, api_base: "http://b:1/v1", api_key: sk-othersecret}
general_settings: {master_key: sk-mastersecret}
)");
  std::string all = imported.yaml;
  for (const auto& notes : {imported.left_out, imported.differs})
    for (const ImportNote& note : notes) all += note.where + note.why;
  EXPECT_EQ(all.find("secret"), std::string::npos) << all;
  const Config config = parsed(imported);
  EXPECT_NE(config.upstreams[0].api_key.reveal(), config.upstreams[1].api_key.reveal())
      << "two keys are two variables";
}

TEST(ImportLitellm, PricesPerTokenBecomePricesPerMillion) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: m
    litellm_params: {model: openai/m, input_cost_per_token: 0.00000125}
    model_info: {output_cost_per_token: 1.0e-5, cache_read_input_token_cost: 1.25e-7,
                 max_input_tokens: 400000, supports_function_calling: true, supports_vision: true}
)");
  const Config config = parsed(imported);
  ASSERT_EQ(config.models.size(), 1u);
  const ModelConfig& model = config.models[0];
  ASSERT_TRUE(model.price);
  EXPECT_EQ(model.price->input, UsdPerMillion{1.25});
  EXPECT_EQ(model.price->output, UsdPerMillion{10});
  EXPECT_EQ(model.price->cached_input, UsdPerMillion{0.125});
  EXPECT_EQ(model.abilities.context_tokens, 400000);
  EXPECT_TRUE(model.abilities.tools);
  EXPECT_TRUE(model.abilities.vision);
  EXPECT_FALSE(model.abilities.json_schema);
}

TEST(ImportLitellm, EveryKeyThatIsNotCarriedOverIsNamedWithItsReason) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: m
    litellm_params: {model: openai/m, rpm: 60, temperature: 0.2, tags: [a]}
  - model_name: cloud
    litellm_params: {model: bedrock/anthropic.claude-v2, aws_region_name: eu-west-1}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*"}
  - model_name: pictures
    litellm_params: {model: openai/dall-e-3}
    model_info: {mode: image_generation}
  - model_name: odd
    litellm_params: {model: nobody/x}
litellm_settings: {drop_params: true, cache: true, success_callback: [langfuse], brand_new: 1}
guardrails: [{guardrail_name: x}]
environment_variables: {REDIS_HOST: there}
)");
  EXPECT_EQ(imported.models, 1u);
  for (const char* where :
       {"model_list[0].litellm_params.rpm", "model_list[0].litellm_params.temperature",
        "model_list[0].litellm_params.tags", "model_list[1]", "model_list[2]", "model_list[3]",
        "model_list[4]", "litellm_settings.drop_params", "litellm_settings.cache",
        "litellm_settings.success_callback", "litellm_settings.brand_new", "guardrails",
        "environment_variables.REDIS_HOST"}) {
    EXPECT_GT(why(imported.left_out, where).size(), 15u) << where << " has no reason";
  }
  EXPECT_NE(why(imported.left_out, "model_list[1]").find("signed"), std::string::npos);
}

TEST(ImportLitellm, AnAliasIsARouteWithOneArm) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o}
router_settings: {model_group_alias: {"gpt-4": gpt-4o, lost: nobody}}
)");
  const Config config = parsed(imported);
  ASSERT_EQ(config.routes.size(), 1u);
  EXPECT_EQ(config.routes[0].name, "gpt-4");
  EXPECT_EQ(config.routes[0].arms[0].label, "gpt-4o");
  EXPECT_FALSE(why(imported.left_out, "router_settings.model_group_alias.lost").empty());
}

TEST(ImportLitellm, DeploymentsOfOneNameAreHostsOfOneModel) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/A}
  - model_name: gpt
    litellm_params: {model: azure/gpt-eu, api_base: "https://x.openai.azure.com", api_key: os.environ/B}
  - model_name: gpt
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/A}
)");
  const Config config = parsed(imported);
  ASSERT_EQ(config.models.size(), 1u);
  const ModelConfig& model = config.models[0];
  ASSERT_EQ(model.other_hosts.size(), 1u);
  EXPECT_EQ(model.upstream_name, "gpt-4o");
  EXPECT_EQ(model.other_hosts[0].upstream_name, "gpt-eu");
  EXPECT_EQ(config.upstreams[model.other_hosts[0].upstream].base_url.path, "/openai/v1");
  EXPECT_FALSE(why(imported.left_out, "model_list[2]").empty()) << "the same host twice";
}

TEST(ImportLitellm, FallbacksRetriesAndCooldownsAreCarriedOver) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: a
    litellm_params: {model: openai/a}
  - model_name: b
    litellm_params: {model: anthropic/claude-b}
  - model_name: c
    litellm_params: {model: groq/c}
router_settings: {num_retries: 2, allowed_fails: 3, cooldown_time: 30, fallbacks: [{a: [b, nobody]}, {lost: [a]}]}
litellm_settings: {num_retries: 9, default_fallbacks: [c]}
)");
  const Config config = parsed(imported);
  EXPECT_EQ(config.resilience.attempts, 3u) << "router_settings win";
  const auto& host = config.upstreams[config.models[0].upstream].resilience;
  EXPECT_EQ(host.breaker.failures, 3u);
  EXPECT_EQ(config.models[0].fallback.size(), 2u) << "b, then the default c";
  EXPECT_EQ(config.models[1].fallback.size(), 1u);
  EXPECT_EQ(config.models[2].fallback.size(), 0u) << "it does not stand in for itself";
  EXPECT_EQ(config.upstreams[config.models[1].upstream].dialect, "anthropic");
  EXPECT_FALSE(why(imported.left_out, "fallbacks.a").empty());
  EXPECT_FALSE(why(imported.left_out, "fallbacks.lost").empty());
}

TEST(ImportLitellm, TheMasterKeyIsAKeyAndTheBudgetIsItsLimit) {
  constexpr const char* kModel =
      "model_list: [{model_name: a, litellm_params: {model: openai/a}}]\n";
  const ImportedConfig monthly =
      made(std::string(kModel) +
           "general_settings: {master_key: os.environ/MASTER_KEY_OF_OURS}\n"
           "litellm_settings: {max_budget: 100, budget_duration: 30d}\n");
  EXPECT_NE(monthly.yaml.find("usd_per_month: 100"), std::string::npos) << monthly.yaml;
  const Config config = parsed(monthly);
  ASSERT_EQ(config.keys.size(), 1u);
  const ImportedConfig odd = made(std::string(kModel) +
                                  "general_settings: {master_key: sk-1234}\n"
                                  "litellm_settings: {max_budget: 100, budget_duration: 7d}\n");
  EXPECT_EQ(odd.yaml.find("1234"), std::string::npos);
  EXPECT_NE(odd.yaml.find("${LITELLM_MASTER_KEY}"), std::string::npos);
  EXPECT_FALSE(why(odd.left_out, "litellm_settings.budget_duration").empty());
  const ImportedConfig keyless =
      made(std::string(kModel) + "litellm_settings: {max_budget: 100}\n");
  EXPECT_FALSE(why(keyless.left_out, "litellm_settings.max_budget").empty());
}

TEST(ImportLitellm, OddNamesSurviveTheWayThroughYaml) {
  const ImportedConfig imported = made(R"(
model_list:
  - model_name: "yes"
    litellm_params: {model: 'openai/a:b #c "d" \e', api_base: "http://h:1/v1"}
  - model_name: "1e3"
    litellm_params: {model: openai/x, api_base: "http://h:1/v1"}
)");
  const Config config = parsed(imported);
  ASSERT_EQ(config.models.size(), 2u);
  EXPECT_EQ(config.models[0].name, "yes");
  EXPECT_EQ(config.models[0].upstream_name, "a:b #c \"d\" \\e");
  EXPECT_EQ(config.models[1].name, "1e3");
}

TEST(ImportLitellm, WhatIsNoSuchFileIsRefusedWithASentence) {
  for (const auto& [yaml, says] :
       {std::pair{"", "model_list"}, std::pair{"a: [", "not valid YAML"},
        std::pair{"model_list: []", "expected a list"}, std::pair{"listen: x", "model_list"},
        std::pair{"model_list: [{model_name: a}]", "no litellm_params"},
        std::pair{"model_list: [{litellm_params: {model: a}}]", "no model_name"},
        std::pair{"model_list: [{model_name: a, litellm_params: {model: bedrock/a}}]",
                  "can be served here"}}) {
    auto result = import_litellm(yaml);
    ASSERT_FALSE(result) << yaml;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidConfig);
    EXPECT_NE(result.error().message.find(says), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace rung::gateway
