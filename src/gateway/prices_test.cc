#include "gateway/prices.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rung::gateway {
namespace {

using state::NanoUsd;

PriceConfig plain() { return {.input = {2.5}, .output = {10}}; }

wire::Usage usage_of(std::string_view raw) {
  const auto root = json::parse(raw);
  EXPECT_TRUE(root) << raw;
  return *wire::parse_usage(*root);
}

std::int64_t nano(const PriceConfig& price, std::string_view raw) {
  const auto cost = cost_of(price, billed_tokens(usage_of(raw)));
  return cost ? cost->count : -1;
}

TEST(Prices, AreExactInBillionthsOfADollar) {
  // 0.05 USD for a million tokens is 50 of them for one.
  PriceConfig price{.input = {0.05}, .output = {0.20}};
  EXPECT_EQ(nano(price, R"({"prompt_tokens":1,"completion_tokens":0})"), 50);
  EXPECT_EQ(nano(price, R"({"prompt_tokens":3,"completion_tokens":7})"), 3 * 50 + 7 * 200);
  // A double of 0.1 + 0.2 would not be 0.3; ten million calls would not add up.
  price = {.input = {0.1}, .output = {0.3}};
  EXPECT_EQ(nano(price, R"({"prompt_tokens":123456789,"completion_tokens":987654321})"),
            123456789LL * 100 + 987654321LL * 300);
}

TEST(Prices, RoundTheSumOnceToTheNearestHalvesUp) {
  // 0.0375 USD a million: 37.5 billionths a token.
  const PriceConfig price{.input = {0.0375}, .output = {0.0001}};
  EXPECT_EQ(nano(price, R"({"prompt_tokens":1,"completion_tokens":0})"), 38);
  EXPECT_EQ(nano(price, R"({"prompt_tokens":2,"completion_tokens":0})"), 75);
  EXPECT_EQ(nano(price, R"({"prompt_tokens":0,"completion_tokens":4})"), 0) << "0.4 of one";
  EXPECT_EQ(nano(price, R"({"prompt_tokens":0,"completion_tokens":5})"), 1) << "0.5 of one";
  EXPECT_EQ(nano(price, R"({"prompt_tokens":1,"completion_tokens":4})"), 38) << "37.9 of one";
}

TEST(Prices, OfTokensThatWereNotCountedAreUnknown) {
  EXPECT_EQ(nano(plain(), R"({"prompt_tokens":10})"), -1);
  EXPECT_EQ(nano(plain(), R"({"completion_tokens":10})"), -1);
}

TEST(Prices, OfCachedTokensAreTheirOwnOrThoseOfOthers) {
  const char* usage =
      R"({"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":60}})";
  EXPECT_EQ(nano(plain(), usage), 100 * 2500 + 10'000);
  PriceConfig price = plain();
  price.cached_input = UsdPerMillion{0.25};
  EXPECT_EQ(nano(price, usage), 40 * 2500 + 60 * 250 + 10'000);
  // A host that counts more cached tokens than tokens must not earn the client money.
  EXPECT_EQ(nano(price, R"({"prompt_tokens":10,"completion_tokens":0,)"
                        R"("prompt_tokens_details":{"cached_tokens":60}})"),
            10 * 250);
}

TEST(Prices, OfCacheWritesCountByTheirTimeToLiveInEveryDialect) {
  PriceConfig price = plain();
  const char* anthropic = R"({"prompt_tokens":1000,"completion_tokens":0,)"
                          R"("cache_creation_input_tokens":600,)"
                          R"("cache_creation":{"ephemeral_5m_input_tokens":400,)"
                          R"("ephemeral_1h_input_tokens":200}})";
  EXPECT_EQ(nano(price, anthropic), -1) << "no rate is stated: unknown, not free";
  price.cache_write = UsdPerMillion{3.125};
  price.cache_write_1h = UsdPerMillion{5};
  EXPECT_EQ(nano(price, anthropic), 400 * 2500 + 400 * 3125 + 200 * 5000);
  EXPECT_EQ(
      nano(price, R"({"prompt_tokens":1000,"completion_tokens":0,)"
                  R"("prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":50}})"),
      850 * 2500 + 100 * 2500 + 50 * 3125);
  EXPECT_EQ(nano(price, R"({"prompt_tokens":1000,"completion_tokens":0,)"
                        R"("cache_creation_input_tokens":0})"),
            1000 * 2500);
}

TEST(Prices, OfReasoningAudioImagesSearchesAndRequestsAddUp) {
  PriceConfig price = plain();
  const char* usage = R"({"prompt_tokens":100,"completion_tokens":50,)"
                      R"("prompt_tokens_details":{"audio_tokens":30},)"
                      R"("completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":10},)"
                      R"("server_tool_use":{"web_search_requests":2}})";
  EXPECT_EQ(nano(price, usage), -1);
  price.audio_input = UsdPerMillion{40};
  price.audio_output = UsdPerMillion{80};
  EXPECT_EQ(nano(price, usage), -1) << "the searches have no price yet";
  price.web_search = Usd{0.01};
  price.reasoning = UsdPerMillion{12};
  price.per_request = Usd{0.005};
  price.image = Usd{0.0001};
  BilledTokens tokens = billed_tokens(usage_of(usage));
  tokens.images = 3;
  EXPECT_EQ(cost_of(price, tokens)->count, 70 * 2500 + 30 * 40'000 + 20 * 12'000 + 10 * 80'000 +
                                               20 * 10'000 + 2 * 10'000'000 + 5'000'000 +
                                               3 * 100'000);
}

TEST(Prices, OfLongPromptsHoldForAllTokensOfTheCall) {
  PriceConfig price = plain();
  price.cached_input = UsdPerMillion{0.25};
  price.tiers = {{.above_tokens = 1000, .input = {{5}}, .output = {{15}}, .cached_input = {{0.5}}},
                 {.above_tokens = 2000, .input = {{7}}}};
  const auto at = [&](std::int64_t prompt) {
    return cost_of(price, {.prompt = prompt, .completion = 1, .cached = 10})->count;
  };
  EXPECT_EQ(at(1000), 990 * 2500 + 10 * 250 + 10'000);
  EXPECT_EQ(at(1001), 991 * 5000 + 10 * 500 + 15'000);
  EXPECT_EQ(at(2001), 1991 * 7000 + 10 * 500 + 15'000) << "what it does not say stays";
}

TEST(Prices, TheMostIsNeverBelowWhatACallCosts) {
  Rng rng(17);
  const auto rate = [&] { return UsdPerMillion{static_cast<double>(rng.below(100'000)) / 997}; };
  const auto maybe = [&]() -> std::optional<UsdPerMillion> {
    return rng.below(2) == 0 ? std::nullopt : std::optional(rate());
  };
  int known = 0;
  for (int i = 0; i < 20'000; ++i) {
    PriceConfig price{.input = rate(), .output = rate()};
    price.cached_input = maybe();
    price.cache_write = maybe();
    price.cache_write_1h = maybe();
    price.reasoning = maybe();
    price.audio_input = maybe();
    price.audio_output = maybe();
    if (rng.below(2) == 0) price.per_request = Usd{0.001};
    if (rng.below(2) == 0) price.image = Usd{0.002};
    if (rng.below(2) == 0)
      price.tiers = {{.above_tokens = 500, .input = maybe(), .output = maybe()},
                     {.above_tokens = 900, .input = maybe(), .cache_write = maybe()}};
    const CallBound bound{.prompt_tokens = static_cast<std::int64_t>(rng.below(1200)),
                          .completion_tokens = static_cast<std::int64_t>(rng.below(1000)),
                          .images = static_cast<std::int64_t>(rng.below(3)),
                          .writes_cache = rng.below(2) == 0,
                          .has_audio = rng.below(2) == 0};
    const auto part = [&](std::int64_t most) {
      return static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most) + 1));
    };
    BilledTokens tokens{.prompt = part(bound.prompt_tokens),
                        .completion = part(bound.completion_tokens)};
    tokens.cached = part(*tokens.prompt);
    tokens.reasoning = part(*tokens.completion);
    tokens.images = bound.images;
    if (bound.writes_cache) {
      tokens.cache_write = part(*tokens.prompt);
      tokens.cache_write_1h = part(*tokens.prompt);
    }
    if (bound.has_audio) {
      tokens.audio_input = part(*tokens.prompt);
      tokens.audio_output = part(*tokens.completion);
    }
    const auto most = most_of(price, bound);
    const auto cost = cost_of(price, tokens);
    if (!most || !cost) continue;
    ++known;
    ASSERT_GE(*most, *cost) << "round " << i;
  }
  EXPECT_GT(known, 2000);
}

TEST(Prices, ExpectAtTheRatesOfThePromptsLength) {
  PriceConfig price = plain();
  price.tiers = {{.above_tokens = 1000, .input = {{5}}}};
  price.per_request = Usd{0.5};
  EXPECT_NEAR(expected_usd(price, 1000, 2.5), 0.5 + 1000 * 2.5e-6 + 2.5 * 10e-6, 1e-12);
  EXPECT_NEAR(expected_usd(price, 1001, 0), 0.5 + 1001 * 5e-6, 1e-12);
}

}  // namespace
}  // namespace rung::gateway
