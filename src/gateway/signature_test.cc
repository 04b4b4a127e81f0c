// One number for what the shipped router decides on a fixed set of requests. A change of it is a
// change of behaviour: the commit that makes one says so.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "base/hash.h"
#include "gateway/decider.h"
#include "json/write.h"

namespace rung::gateway {
namespace {

TEST(Decisions, HaveTheSignatureOfTheLastIntendedChange) {
  constexpr std::string_view kYaml = R"(
upstreams: {u: {base_url: http://127.0.0.1:1/v1}}
models:
  small: {upstream: u, like: gemini-1.5-flash, price: {input: 0.075, output: 0.3}}
  middle: {upstream: u, like: gpt-4o-mini-2024-07-18, price: {input: 0.15, output: 0.6}}
  large: {upstream: u, like: gpt-4o-2024-08-06, price: {input: 2.5, output: 10}}
routes:
  auto: {arms: [small, middle, large], predictor: default.safetensors, policy: {kind: tradeoff, usd_per_point: 0.0002}}
)";
  auto config = parse_config(kYaml, RUNG_SOURCE_DIR "/data", process_environment());
  ASSERT_TRUE(config) << config.error().message;
  const auto snapshot = make_snapshot(*std::move(config));
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  const auto text = read_file(RUNG_SOURCE_DIR "/examples/prompts.txt");
  ASSERT_TRUE(text);
  DeciderScratch scratch;
  std::uint64_t signature = 0;
  std::string picks;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    std::string body = R"({"model":"auto","messages":[{"role":"user","content":)";
    json::append_quoted(std::string_view(*text).substr(begin, end - begin), body);
    body += "}]}";
    const auto request = wire::parse_chat_request(body);
    ASSERT_TRUE(request);
    for (const char* usd_per_point : {"0.000001", "0.000005", "0.00002", "0.0001"}) {
      const auto choice = decide_chat(**snapshot, *request,
                                      *parse_overrides(usd_per_point, "", "", ""), 1, scratch);
      ASSERT_TRUE(choice) << choice.error().message;
      picks += choice->arm->label[0];
    }
    begin = end + 1;
  }
  signature = hash64(picks) % 1'000'000'007;
  EXPECT_EQ(signature, 896510233u) << picks;
}

}  // namespace
}  // namespace rung::gateway
