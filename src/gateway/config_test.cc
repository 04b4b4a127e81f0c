#include "gateway/config.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace rung::gateway {
namespace {

const std::string kGood = R"(
listen: 127.0.0.1:4100
admin: 127.0.0.1:4101
ledger: {path: rung.db}
upstreams:
  local: {dialect: openai, base_url: http://127.0.0.1:8000/v1}
  paid:  {dialect: openai, base_url: https://api.example.com/v1, api_key: ${PAID_KEY}}
models:
  small: {upstream: local, name: qwen3-8b, context: 32768, supports: [tools, json_schema], price: {input: 0.05, output: 0.20}}
  large: {upstream: paid, efforts: [low, high], like: reference-large, price: {input: 1.25, cached_input: 0.125, output: 10}}
routes:
  auto:
    arms: [small, {model: large}, large@low]
    predictor: p.safetensors
    policy: {kind: tradeoff, usd_per_point: 0.0005}
    reference: large
)";

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / "rung_config_test";
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(write_file(folder_ / "p.safetensors", "x"));
  }
  Result<Config> parse(const std::string& yaml) {
    return parse_config(yaml, folder_, [](const std::string& name) -> std::optional<std::string> {
      if (name == "PAID_KEY") return "sk: {odd} #value";
      return std::nullopt;
    });
  }
  std::string refusal(const std::string& from, const std::string& to) {
    std::string yaml = kGood;
    const auto at = yaml.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    yaml.replace(at, from.size(), to);
    const auto config = parse(yaml);
    return config ? "(accepted)" : config.error().message;
  }
  std::filesystem::path folder_;
};

TEST_F(ConfigTest, ReadsTheWholeExample) {
  const auto config = parse(kGood);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen.port, 4100);
  EXPECT_EQ(config->upstreams[1].api_key.reveal(), "sk: {odd} #value");
  EXPECT_EQ(config->models[0].upstream_name, "qwen3-8b");
  EXPECT_EQ(config->models[1].upstream_name, "large");
  EXPECT_EQ(config->models[1].price->cached_input->rate, 0.125);
  ASSERT_EQ(config->routes[0].arms.size(), 3u);
  EXPECT_EQ(config->routes[0].arms[2].label, "large@low");
  EXPECT_EQ(config->routes[0].arms[2].effort, "low");
  EXPECT_EQ(config->routes[0].reference, 1u);
  EXPECT_EQ(config->routes[0].predictor, folder_ / "p.safetensors");
  EXPECT_EQ(config->ledger.path, folder_ / "rung.db");
}

TEST_F(ConfigTest, EveryMistakeHasItsLineAndItsSentence) {
  EXPECT_EQ(refusal("ledger:", "legder:"), "line 4: unknown key legder; did you mean ledger?");
  EXPECT_EQ(
      refusal("context: 32768", "context: many"),
      "line 9: models.small.context is \"many\"; expected a whole number from 1 to 1000000000");
  EXPECT_EQ(
      refusal("${PAID_KEY}", "${GONE}"),
      "line 7: upstreams.paid.api_key cannot be read: the environment variable GONE is not set");
  EXPECT_EQ(
      refusal("upstream: local", "upstream: locale"),
      "line 9: models.small.upstream is \"locale\", which is not defined; did you mean local?");
  EXPECT_EQ(refusal("arms: [small,", "arms: [smal,"),
            "line 13: routes.auto.arms names the model \"smal\", which is not defined; did you "
            "mean small?");
  EXPECT_EQ(refusal("large@low]", "large@medium]"),
            "line 13: routes.auto.arms asks large for the effort \"medium\"; its `efforts` are "
            "[low, high]");
  EXPECT_EQ(refusal("usd_per_point: 0.0005", "usd_per_point: -1"),
            "line 15: routes.auto.policy.kind tradeoff: usd_per_point is -1; expected USD above 0");
  EXPECT_EQ(refusal("usd_per_point: 0.0005", "usd_per_point: 0.0005, margin: -1"),
            "line 15: routes.auto.policy.kind tradeoff: margin is -1; expected 0 to 100 points");
  EXPECT_NE(
      refusal("kind: tradeoff, usd_per_point: 0.0005", "kind: max_cost, max_cost: 1, margin: 1")
          .find("margin"),
      std::string::npos);
  EXPECT_EQ(refusal("kind: tradeoff", "kind: best"),
            "line 15: routes.auto.policy.kind is \"best\"; this version knows tradeoff, "
            "target_quality, max_cost, threshold, alpha");
  EXPECT_NE(refusal("p.safetensors", "q.safetensors")
                .find("line 14: routes.auto.predictor is \"q.safetensors\"; found neither"),
            std::string::npos);
  EXPECT_NE(refusal("listen: 127.0.0.1:4100", "listen: here").find("line 2: listen is \"here\""),
            std::string::npos);
  EXPECT_EQ(refusal(", output: 0.20", ""),
            "line 9: models.small.price.output is missing; a price needs input and output");
  EXPECT_EQ(refusal("input: 0.05", "input: cheap"),
            "line 9: models.small.price.input is \"cheap\"; expected a number");
  EXPECT_EQ(refusal("{model: large}", "{model: large, strategy: best_of_n}"),
            "line 13: routes.auto.arms[1].strategy is \"best_of_n\"; this version runs the "
            "strategy single");
  EXPECT_EQ(refusal("upstreams:", "upstreams: []\nx:"),
            "line 5: upstreams is a list; expected a mapping with at least one name");
  EXPECT_NE(refusal("arms: [", "arms: [[").find("not valid YAML"), std::string::npos);
  EXPECT_EQ(refusal("small: {upstream", "small: 3\n  other: {upstream"),
            "line 9: models.small is a text; expected a mapping of keys to values");
}

TEST_F(ConfigTest, AValueOfTheWrongKindIsNamedWithWhatWouldBeRight) {
  EXPECT_EQ(refusal("upstream: local,", "upstream: {of: local},"),
            "line 9: models.small.upstream is a mapping; expected a text");
  EXPECT_EQ(refusal("context: 32768", "context: {a: 1}"),
            "line 9: models.small.context is a mapping; expected a whole number");
  EXPECT_EQ(refusal("supports: [tools, json_schema]", "supports: tools"),
            "line 9: models.small.supports is a text; expected a list, such as [first, second]");
  EXPECT_EQ(refusal("supports: [tools,", "supports: [[tools],"),
            "line 9: models.small.supports holds a list; expected texts");
  EXPECT_EQ(refusal("price: {input: 0.05, output: 0.20}", "price: cheap"),
            "line 9: models.small.price names the entry \"cheap\", which the price file "
            "(`prices:`) does not have");
  EXPECT_EQ(refusal("price: {input: 0.05, output: 0.20}", "price: [1]"),
            "line 9: models.small.price is a list; expected a mapping of keys to values");
  EXPECT_EQ(refusal("arms: [small, {model: large}, large@low]", "arms: small"),
            "line 13: routes.auto.arms is a text; expected a list with at least one arm");
  EXPECT_EQ(refusal("arms: [small, {model: large}, large@low]", "arms: []"),
            "line 13: routes.auto.arms is an empty list; expected a list with at least one arm");
  EXPECT_EQ(refusal("{model: large}", "[large]"),
            "line 13: routes.auto.arms holds a list; expected a model's name, or a mapping with "
            "model");
  EXPECT_EQ(refusal("policy: {kind: tradeoff, usd_per_point: 0.0005}", "policy: tradeoff"),
            "line 15: routes.auto.policy is a text; expected a mapping of keys to values");
  EXPECT_EQ(parse("- a").error().message,
            "the file is a list; expected a mapping of keys to values, as in "
            "docs/configuration.md");
  EXPECT_EQ(parse("").error().message,
            "the file is empty; expected a mapping of keys to values, as in "
            "docs/configuration.md");
}

TEST_F(ConfigTest, SecretsAreNotInErrors) {
  EXPECT_EQ(refusal("api_key: ${PAID_KEY}}", "api_key: x}\n  sk-key: sk-secret").find("sk-secret"),
            std::string::npos);
  EXPECT_EQ(refusal("https://api.example.com/v1", "nonsense").find("sk:"), std::string::npos);
}

TEST_F(ConfigTest, CommentsMayNameVariablesThatAreNotSet) {
  EXPECT_TRUE(parse(kGood + "# ${GONE}\n"));
}

TEST_F(ConfigTest, PricesComeFromTheModelElseFromThePriceFile) {
  ASSERT_TRUE(write_file(folder_ / "prices.json", R"({
      "qwen3-8b": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_output_tokens": 4096},
      "paid/large": {"input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06},
      "second": {"output_cost_per_second": 1}})"));
  std::string yaml = "prices: prices.json" + kGood;
  const std::string own = ", price: {input: 1.25, cached_input: 0.125, output: 10}";
  yaml.replace(yaml.find(own), own.size(), "");
  auto config = parse(yaml);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->models[0].price->input.rate, 0.05) << "its own price wins";
  EXPECT_EQ(config->models[0].max_output_tokens, 4096) << "but not over what it does not say";
  EXPECT_NEAR(config->models[1].price->output.rate, 4, 1e-12);
  EXPECT_FALSE(config->models[1].max_output_tokens);

  const auto with = [&](const std::string& price) {
    std::string other = yaml;
    const std::string small = "price: {input: 0.05, output: 0.20}";
    return parse(other.replace(other.find(small), small.size(), price));
  };
  config = with("price: paid/large, max_output: 77");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_NEAR(config->models[0].price->output.rate, 4, 1e-12);
  EXPECT_EQ(config->models[0].max_output_tokens, 77);
  EXPECT_EQ(with("price: second").error().message,
            "line 9: models.small.price names the entry \"second\" of the price file, which states "
            "no price for tokens in and out");
  config = with(
      "price: {input: 1, output: 2, cache_write: 1.25, cache_write_1h: 2, reasoning: 3, "
      "audio_input: 4, audio_output: 5, image: 0.01, per_request: 0.02, web_search: 0.03, "
      "above: [{tokens: 1000, input: 2, output: 4}]}");
  ASSERT_TRUE(config) << config.error().message;
  const PriceConfig& all = *config->models[0].price;
  EXPECT_EQ(all.cache_write->rate + all.cache_write_1h->rate + all.reasoning->rate, 6.25);
  EXPECT_EQ(all.audio_input->rate + all.audio_output->rate, 9);
  EXPECT_NEAR(all.image->value + all.per_request->value + all.web_search->value, 0.06, 1e-12);
  EXPECT_EQ(all.tiers[0].above_tokens, 1000);
  EXPECT_EQ(with("price: {input: 1, output: 2, cache_write: -1}").error().message,
            "line 9: models.small.price.cache_write is -1; expected USD per million tokens, 0 or "
            "more");
  EXPECT_EQ(with("price: {input: 1, output: 2, above: [{tokens: 5}, {tokens: 5}]}").error().message,
            "line 9: models.small.price.above[1].tokens does not rise from one to the next");
}

}  // namespace
}  // namespace rung::gateway
