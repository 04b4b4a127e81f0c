#include "gateway/upstream_request.h"

#include <gtest/gtest.h>

#include "wire/exchange.h"

namespace rung::gateway {
namespace {

using wire::Dialect;

Config config_with(const std::string& upstream) {
  auto config = parse_config("upstreams:\n  up: {" + upstream +
                                 "}\nmodels:\n  m: {upstream: up, name: real, thinking: budget}\n",
                             "/", [](const std::string&) { return std::optional<std::string>(); });
  EXPECT_TRUE(config) << config.error().message;
  return *std::move(config);
}

TEST(DialectToward, IsTheClientsOwnWhereTheUpstreamSpeaksIt) {
  const Config plain = config_with("base_url: http://h/v1");
  const Config claude = config_with("dialect: anthropic, base_url: http://h");
  const Config many = config_with("base_url: http://h/v1, also_speaks: [anthropic, responses]");
  const auto toward = [](const Config& config, Dialect client) {
    return dialect_toward(config.upstreams[0], client);
  };
  for (const Dialect client : {Dialect::kChat, Dialect::kMessages, Dialect::kResponses}) {
    EXPECT_EQ(toward(plain, client), Dialect::kChat);
    EXPECT_EQ(toward(claude, client), Dialect::kMessages);
    EXPECT_EQ(toward(many, client), client);
  }
  EXPECT_EQ(toward(plain, Dialect::kEmbeddings), Dialect::kEmbeddings);
  EXPECT_EQ(toward(claude, Dialect::kEmbeddings), Dialect::kMessages);
}

TEST(DialectToward, RefusesToBeConfiguredWithWhatNobodySpeaks) {
  for (const char* wrong :
       {"dialect: gemini, base_url: http://h/v1", "base_url: http://h/v1, also_speaks: [gemini]"})
    EXPECT_FALSE(parse_config(
        std::string("upstreams:\n  up: {") + wrong + "}\nmodels:\n  m: {upstream: up}\n", "/",
        [](const std::string&) { return std::optional<std::string>(); }))
        << wrong;
}

std::string header(const UpstreamRequest& request, std::string_view name) {
  for (const HttpHeader& header : request.headers)
    if (same_name(header.name, name)) return std::string(header.value);
  return "-";
}

TEST(UpstreamRequest, HasThePathAndHeadersOfItsDialect) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"q"}]})";
  const auto request = wire::parse_request(Dialect::kMessages, body);
  HttpRequestHead head;
  head.query = "beta=true";
  head.headers.add("anthropic-beta", "b");
  head.headers.add("x-api-key", "sk-client");
  const auto made = [&](const std::string& upstream, UpstreamRequest& out) {
    const Config config = config_with(upstream);
    // The configuration outlives the request in the gateway; here only copies are looked at.
    EXPECT_TRUE(make_upstream_request(head, body, *request, config.models[0], {},
                                      config.upstreams[0], out));
    return header(out, "x-api-key") + " " + header(out, "authorization") + " " +
           header(out, "anthropic-beta") + " " + header(out, "anthropic-version");
  };
  UpstreamRequest out;
  EXPECT_EQ(made("dialect: anthropic, base_url: http://h, api_key: k", out), "k - b 2023-06-01");
  EXPECT_EQ(out.target, "/v1/messages?beta=true");
  EXPECT_EQ(out.form.dropped, std::vector<std::string>{});
  EXPECT_EQ(made("base_url: http://h/api/v1, api_key: k", out), "- Bearer k - -");
  EXPECT_EQ(out.target, "/api/v1/chat/completions");
  EXPECT_EQ(out.form.dropped, std::vector<std::string>{"anthropic-beta"});
  EXPECT_EQ(out.form.dialect, Dialect::kChat);
}

}  // namespace
}  // namespace rung::gateway
