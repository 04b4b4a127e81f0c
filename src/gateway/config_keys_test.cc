#include "gateway/config_keys.h"

#include <gtest/gtest.h>

namespace rung::gateway {
namespace {

const std::string kBase = R"(
ledger: off
upstreams: {local: {base_url: http://127.0.0.1:8000/v1}}
models: {small: {upstream: local}}
routes: {auto: {arms: [small], limits: {usd_per_day: 2.5, concurrent: 3}}}
)";
constexpr const char* kKey = "a-key-of-somebody-0123456789";

Result<Config> parse(const std::string& more) {
  return parse_config(kBase + more, "/etc/rung",
                      [](const std::string& name) -> std::optional<std::string> {
                        if (name == "KEY") return kKey;
                        return std::nullopt;
                      });
}

std::string refusal(const std::string& more) {
  const auto config = parse(more);
  return config ? "(accepted)" : config.error().message;
}

TEST(ConfigKeys, ReadsKeysWithTheirRights) {
  const auto config = parse(
      "keys:\n  alice: {key: \"${KEY}\", routes: [auto], models: [], expires: 2027-01-01, team: x, "
      "labels: {a: b}, limits: {usd_total: 1.5, tokens_per_minute: 9}}\n"
      "  bob: {hash: "
      "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->asks_for_keys);
  const state::KeySpec& alice = config->keys[0];
  EXPECT_EQ(alice.digest, state::digest_of(kKey));
  EXPECT_EQ(alice.routes, std::vector<std::string>{"auto"});
  EXPECT_EQ(alice.models, std::vector<std::string>{});
  EXPECT_EQ(alice.expires_us, state::parse_time("2027-01-01"));
  EXPECT_EQ(alice.labels.at("a"), "b");
  EXPECT_EQ(alice.limits.usd_total, state::NanoUsd{1'500'000'000});
  EXPECT_EQ(alice.limits.tokens_per_minute, 9);
  EXPECT_EQ(config->keys[1].digest, state::digest_of("abc"));
  EXPECT_EQ(config->routes[0].limits.usd_per_day, state::NanoUsd{2'500'000'000});
  EXPECT_EQ(config->routes[0].limits.concurrent, 3);
}

TEST(ConfigKeys, AnEmptyListOfKeysStillAsksForOne) {
  EXPECT_FALSE(parse("")->asks_for_keys);
  EXPECT_TRUE(parse("keys: {}\n")->asks_for_keys);
  EXPECT_TRUE(parse("keys:\n")->asks_for_keys);
}

TEST(ConfigKeys, RefusesWhatCannotBeMeantAndNeverRepeatsASecret) {
  EXPECT_NE(refusal("keys: {alice: {key: hunter2}}").find("keys.alice.key is too short"),
            std::string::npos);
  EXPECT_EQ(refusal("keys: {alice: {key: hunter2}}").find("hunter2"), std::string::npos);
  EXPECT_EQ(refusal("keys: {alice: {hash: hunter2}}").find("hunter2"), std::string::npos);
  EXPECT_NE(refusal("keys: {alice: {}}").find("is needed"), std::string::npos);
  EXPECT_NE(refusal("keys: {a b: {key: \"${KEY}\"}}").find("name"), std::string::npos);
  EXPECT_NE(refusal("keys: {a: {key: \"${KEY}\"}, b: {key: \"${KEY}\"}}").find("same as that of a"),
            std::string::npos);
  EXPECT_NE(
      refusal("keys: {a: {key: \"${KEY}\", routes: [none]}}").find("\"none\", which is no route"),
      std::string::npos);
  EXPECT_NE(refusal("keys: {a: {key: \"${KEY}\", limits: {usd: 1}}}")
                .find("unknown key keys.a.limits.usd"),
            std::string::npos);
  EXPECT_NE(refusal("keys: {a: {key: \"${KEY}\", limits: {usd_total: -1}}}").find("US dollars"),
            std::string::npos);
  EXPECT_NE(refusal("keys: {a: {key: \"${NONE}\"}}").find("NONE is not set"), std::string::npos);
  EXPECT_NE(refusal("keys: [a]").find("keys is a list"), std::string::npos);
  EXPECT_EQ(refusal("admin: {listen: 127.0.0.1:1, token: short}").find("short\""),
            std::string::npos);
  EXPECT_NE(refusal("admin: {listen: 127.0.0.1:1, token: short}").find("admin.token is too short"),
            std::string::npos);
}

TEST(ConfigKeys, WhatOthersCanReachAsksThemWhoTheyAre) {
  const auto reach = [](const std::string& more, bool has_keys) {
    const auto config = parse(more);
    EXPECT_TRUE(config) << config.error().message;
    return check_reach(*config, has_keys).has_value();
  };
  EXPECT_TRUE(reach("listen: 127.0.0.1:1", false));
  EXPECT_TRUE(reach("listen: 127.1.2.3:1", false));
  EXPECT_TRUE(reach("listen: \"[::1]:1\"", false));
  EXPECT_TRUE(reach("listen: localhost:1", false));
  for (const char* open : {"listen: 0.0.0.0:1", "listen: :1", "listen: 10.0.0.1:1",
                           "listen: \"[::]:1\"", "listen: 128.0.0.1:1"}) {
    EXPECT_FALSE(reach(open, false)) << open;
    EXPECT_TRUE(reach(open, true)) << open;
    EXPECT_TRUE(reach(std::string(open) + "\ninsecure: true", false)) << open;
  }
  EXPECT_FALSE(reach("admin: 0.0.0.0:1", true));
  EXPECT_TRUE(reach("admin: {listen: 0.0.0.0:1, token: 0123456789abcdef}", true));
}

TEST(ConfigKeys, ReadsTlsBesideTheConfiguration) {
  const auto config = parse("tls: {certificate: cert.pem, key: /keys/key.pem}");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->tls->certificate, "/etc/rung/cert.pem");
  EXPECT_EQ(config->tls->key, "/keys/key.pem");
  EXPECT_TRUE(config->tls->client_ca.empty());
  EXPECT_NE(refusal("tls: {certificate: cert.pem}").find("tls.key is missing"), std::string::npos);
}

}  // namespace
}  // namespace rung::gateway
