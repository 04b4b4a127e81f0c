#include "gateway/price_file.h"

#include <gtest/gtest.h>

namespace rung::gateway {
namespace {

// The shape of LiteLLM's file with models and numbers of our own.
constexpr const char* kFile = R"({
  "sample_spec": {"max_tokens": "set to max_output_tokens", "input_cost_per_token": 0.0,
                  "output_cost_per_token": 0.0, "litellm_provider": "one of ..."},
  "swift-1": {"max_input_tokens": 128000, "max_output_tokens": 16384.0, "max_tokens": 16384,
              "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
              "cache_read_input_token_cost": 7.5e-08, "litellm_provider": "openai",
              "input_cost_per_token_batches": 7.5e-08, "mode": "chat", "supports_vision": true},
  "deep-2": {"input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
             "cache_creation_input_token_cost": 3.75e-06,
             "cache_creation_input_token_cost_above_1hr": 6e-06,
             "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
             "cache_read_input_token_cost": 3e-07, "cache_read_input_token_cost_above_200k_tokens": 6e-07,
             "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
             "input_cost_per_token_above_200k_tokens": 6e-06,
             "output_cost_per_token_above_200k_tokens": 2.25e-05,
             "output_cost_per_token_above_200k_tokens_priority": 4.5e-05,
             "output_cost_per_reasoning_token": 1.6e-05,
             "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.01},
             "litellm_provider": "anthropic"},
  "speaker-3": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
                "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05,
                "input_cost_per_image": 0.0001, "input_cost_per_request": 0.002,
                "search_context_cost_per_query": {"low": 0.01, "high": 0.03}},
  "steps-4": {"litellm_provider": "dashscope", "tiered_pricing": [
     {"range": [0, 256000], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
     {"range": [256000, 1000000], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}]},
  "by-the-second": {"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0},
  "odd": {"input_cost_per_token": -1e-06, "output_cost_per_token": "1e-06", "max_output_tokens": 0},
  "host-a/swift-1": {"input_cost_per_token": 9e-07, "output_cost_per_token": 9e-07},
  "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
})";

class PriceFileTest : public testing::Test {
 protected:
  PriceFileTest() {
    auto parsed = PriceFile::parse(kFile);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
    file_ = *std::move(parsed);
  }
  PriceFile file_;
};

TEST_F(PriceFileTest, GivesRatesByTheMillionAndTheLongestAnswer) {
  const auto entry = file_.find("swift-1");
  ASSERT_TRUE(entry && entry->price);
  EXPECT_NEAR(entry->price->input.rate, 0.15, 1e-12);
  EXPECT_EQ(entry->max_output_tokens, 16384);
  EXPECT_EQ(cost_of(*entry->price, {.prompt = 1000, .completion = 10, .cached = 400})->count,
            600 * 150 + 400 * 75 + 10 * 600);
  EXPECT_FALSE(entry->price->cache_write);
}

TEST_F(PriceFileTest, ReadsTiersCacheWritesReasoningAndSearches) {
  const PriceConfig price = *file_.find("deep-2")->price;
  ASSERT_EQ(price.tiers.size(), 1u);
  EXPECT_EQ(price.tiers[0].above_tokens, 200'000);
  BilledTokens tokens{.prompt = 200'000, .completion = 100};
  tokens.cached = 50'000;
  tokens.cache_write = 10'000;
  tokens.cache_write_1h = 1'000;
  tokens.reasoning = 40;
  tokens.web_searches = 1;
  EXPECT_EQ(cost_of(price, tokens)->count, 139'000LL * 3000 + 50'000LL * 300 + 10'000LL * 3750 +
                                               1'000LL * 6000 + 60 * 15'000 + 40 * 16'000 +
                                               10'000'000);
  tokens.prompt = 200'001;
  EXPECT_EQ(cost_of(price, tokens)->count, 139'001LL * 6000 + 50'000LL * 600 + 10'000LL * 7500 +
                                               1'000LL * 12'000 + 60 * 22'500 + 40 * 16'000 +
                                               10'000'000);
}

TEST_F(PriceFileTest, ReadsAudioImagesAndRequests) {
  const PriceConfig price = *file_.find("speaker-3")->price;
  EXPECT_NEAR(price.audio_input->rate, 40, 1e-9);
  EXPECT_NEAR(price.audio_output->rate, 80, 1e-9);
  EXPECT_EQ(price.image->value, 0.0001);
  EXPECT_EQ(price.per_request->value, 0.002);
  EXPECT_FALSE(price.web_search) << "two prices for one search: which one is not known";
}

TEST_F(PriceFileTest, ReadsAListOfTiers) {
  const PriceConfig price = *file_.find("steps-4")->price;
  EXPECT_EQ(cost_of(price, {.prompt = 256'000, .completion = 1})->count, 256'000 * 50 + 400);
  EXPECT_EQ(cost_of(price, {.prompt = 256'001, .completion = 1})->count, 256'001 * 250 + 2000);
}

TEST_F(PriceFileTest, WhatIsUnknownStaysUnknownAndIsNeverFree) {
  EXPECT_FALSE(file_.find("nobody"));
  ASSERT_TRUE(file_.find("by-the-second"));
  EXPECT_FALSE(file_.find("by-the-second")->price);
  EXPECT_FALSE(file_.find("odd")->price);
  EXPECT_FALSE(file_.find("odd")->max_output_tokens);
  ASSERT_TRUE(file_.find("free")->price) << "a price of 0 that is stated is one";
  EXPECT_EQ(cost_of(*file_.find("free")->price, {.prompt = 5, .completion = 5})->count, 0);
}

TEST_F(PriceFileTest, FindsAModelByTheNameAtItsHost) {
  EXPECT_EQ(file_.find("host-a", "swift-1")->name, "host-a/swift-1");
  EXPECT_EQ(file_.find("host-b", "swift-1")->name, "swift-1");
  EXPECT_EQ(file_.find("mine", "openai/swift-1")->name, "swift-1");
  EXPECT_FALSE(file_.find("mine", "azure/swift-1")) << "that is another provider's price";
  EXPECT_FALSE(file_.find("mine", "swift"));
}

TEST(PriceFile, RefusesWhatItIsNot) {
  EXPECT_EQ(PriceFile::parse("[1]").error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(PriceFile::parse("{\"a\": 3}").error().message,
            "the entry \"a\" is a number; expected an object with its prices");
  EXPECT_EQ(PriceFile::parse("{").error().code, ErrorCode::kInvalidConfig);
  const auto missing = PriceFile::load("/nowhere/prices.json");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/nowhere/prices.json"), std::string::npos);
}

}  // namespace
}  // namespace rung::gateway
