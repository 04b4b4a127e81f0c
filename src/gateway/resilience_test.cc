#include "gateway/resilience.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "gateway/config.h"

namespace rung::gateway {
namespace {

using namespace std::chrono_literals;

Result<Config> parse(const std::string& resilience, const std::string& upstream = "",
                     const std::string& model = "") {
  return parse_config("resilience: {" + resilience + R"(}
upstreams:
  a: {base_url: http://127.0.0.1:1/v1)" +
                          upstream + R"(}
  b: {base_url: http://127.0.0.1:2/v1}
models:
  small: {upstream: [a, {upstream: b, name: small-at-b}], name: s, price: {input: 1, output: 2})" +
                          model + R"(}
  large: {upstream: b}
)",
                      std::filesystem::temp_directory_path(), process_environment());
}

std::string refusal(const std::string& resilience, const std::string& upstream = "",
                    const std::string& model = "") {
  const auto config = parse(resilience, upstream, model);
  return config ? "(accepted)" : config.error().message;
}

TEST(ResilienceConfig, HasSafeDefaults) {
  const auto config = parse("");
  ASSERT_TRUE(config) << config.error().message;
  const Resilience& r = config->resilience;
  EXPECT_EQ(r.attempts, 3u);
  EXPECT_TRUE(r.fallback);
  EXPECT_EQ(r.hedge.after, 0ms) << "hedging is off";
  EXPECT_TRUE(r.host.health.path.empty()) << "nobody is asked what he did not offer";
  EXPECT_EQ(config->models[0].fallback.size(), 0u);
}

TEST(ResilienceConfig, UpstreamsOverrideWhatIsSetForAll) {
  const auto config = parse("attempts: 5, idle_timeout_ms: 700, breaker: {failures: 4}",
                            ", resilience: {breaker: {cool_down_ms: 10}, health: {path: /health}}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->resilience.attempts, 5u);
  EXPECT_EQ(config->upstreams[0].resilience.breaker.failures, 4u);
  EXPECT_EQ(config->upstreams[0].resilience.breaker.cool_down, 10ms);
  EXPECT_EQ(config->upstreams[0].resilience.idle_timeout, 700ms);
  EXPECT_EQ(config->upstreams[0].resilience.health.path, "/health");
  EXPECT_EQ(config->upstreams[1].resilience.breaker.cool_down, 5000ms);
  EXPECT_TRUE(config->upstreams[1].resilience.health.path.empty());
}

TEST(ResilienceConfig, ModelsHaveHostsAndFallbacks) {
  const auto config = parse("hedge: {share: 0.1}", "",
                            ", balance: prefix, fallback: [large], hedge: {after_ms: 9}");
  ASSERT_TRUE(config) << config.error().message;
  const ModelConfig& small = config->models[0];
  EXPECT_EQ(small.upstream, 0u);
  EXPECT_EQ(small.upstream_name, "s");
  ASSERT_EQ(small.other_hosts.size(), 1u);
  EXPECT_EQ(small.other_hosts[0].upstream, 1u);
  EXPECT_EQ(small.other_hosts[0].upstream_name, "small-at-b");
  EXPECT_EQ(small.other_hosts[0].price->output.rate, 2);
  EXPECT_EQ(small.balance, upstream::Balance::kPrefix);
  EXPECT_EQ(small.fallback, std::vector<std::size_t>{1});
  EXPECT_EQ(small.hedge.after, 9ms);
  EXPECT_EQ(small.hedge.share, 0.1);
}

TEST(ResilienceConfig, RefusalsSayWhereWhatAndWhatWouldBeRight) {
  EXPECT_EQ(refusal("attempts: 0"),
            "line 1: resilience.attempts is \"0\"; expected a whole number from 1 to 20");
  EXPECT_EQ(refusal("retry_share: 2"), "line 1: resilience.retry_share is 2; expected 0 to 1");
  EXPECT_EQ(refusal("atempts: 2"),
            "line 1: unknown key resilience.atempts; did you mean attempts?");
  EXPECT_EQ(refusal("breaker: {cool_down_ms: 100, max_cool_down_ms: 50}"),
            "line 1: resilience.breaker.max_cool_down_ms is 50, below cool_down_ms, which is 100");
  EXPECT_EQ(refusal("breaker: 3"),
            "line 1: resilience.breaker is a text; expected a mapping of keys to values");
  EXPECT_EQ(refusal("", ", resilience: {health: {path: health}}"),
            "line 3: upstreams.a.resilience.health.path is \"health\"; expected a path from the "
            "host's root, as in /health");
  EXPECT_EQ(refusal("", ", resilience: {attempts: 3}").substr(0, 53),
            "line 3: unknown key upstreams.a.resilience.attempts; ");
  EXPECT_EQ(refusal("", "", ", fallback: [larg]"),
            "line 6: models.small.fallback names \"larg\", which is not defined; did you mean "
            "large?");
  EXPECT_EQ(refusal("", "", ", fallback: [small]"),
            "line 6: models.small.fallback names \"small\", which is the model itself");
  EXPECT_EQ(refusal("", "", ", balance: random"),
            "line 6: models.small.balance is \"random\"; known are least_load, prefix");
}

TEST(ResilienceConfig, RefusesHostsThatMakeNoSense) {
  const auto hosts = [](const std::string& list) {
    const auto config = parse_config(
        "upstreams: {a: {base_url: 'http://h/v1'}}\nmodels: {m: {upstream: " + list + "}}\n",
        std::filesystem::temp_directory_path(), process_environment());
    return config ? "(accepted)" : config.error().message;
  };
  EXPECT_EQ(hosts("[a, a]"), "line 2: models.m.upstream names a twice");
  EXPECT_EQ(hosts("[]"), "line 2: models.m.upstream lists 0 hosts; expected 1 to 64");
  EXPECT_EQ(hosts("[a, {upstream: west}]"),
            "line 2: models.m.upstream is \"west\", which is not defined; known are a");
  EXPECT_EQ(hosts("[a, {name: b}]"), "line 2: models.m.upstream.upstream is missing");
  EXPECT_EQ(hosts("[a, {upstream: a, name: other}]"), "(accepted)");
}

}  // namespace
}  // namespace rung::gateway
