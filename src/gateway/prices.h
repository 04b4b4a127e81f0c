#pragma once
// What a call costs: rates of a model, the tokens that a provider counted, and exact arithmetic
// between them. docs/prices.md says the same in words.
//
// A rate is kept as its price list states it and used as whole femto-dollars (1e-15 USD) for each
// token, request or image, so that a sum is exact; the sum is rounded once, to the nearest
// nano-dollar, halves up. What is not known stays unknown: a token of a kind for which no rate is
// stated makes the cost unknown, never free. No state, thread-safe.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "state/record.h"
#include "wire/openai_chat.h"

namespace rung::gateway {

/// Rates that apply where a prompt is longer than `above_tokens`, to all tokens of the call; an
/// empty one is as below it.
struct PriceTier {
  std::int64_t above_tokens = 0;
  std::optional<UsdPerMillion> input = {}, output = {}, cached_input = {}, cache_write = {},
                               cache_write_1h = {}, reasoning = {};
};

struct PriceConfig {
  UsdPerMillion input = {}, output = {};
  std::optional<UsdPerMillion> cached_input = {};    // empty: as input
  std::optional<UsdPerMillion> cache_write = {};     // empty: not known
  std::optional<UsdPerMillion> cache_write_1h = {};  // for an hour; empty: not known
  std::optional<UsdPerMillion> reasoning = {};       // empty: as output
  std::optional<UsdPerMillion> audio_input = {}, audio_output = {};  // empty: not known
  std::optional<Usd> image = {};        // each image of the prompt; empty: none
  std::optional<Usd> per_request = {};  // each call; empty: none
  std::optional<Usd> web_search = {};   // each search by the host; empty: not known
  std::vector<PriceTier> tiers = {};    // by rising above_tokens
};

/// The largest rate that is taken, USD for one token, image or request: sums then fit 128 bits.
inline constexpr double kMostUsdPerUnit = 9000;

/// What one call is billed for. Prompt tokens hold the cached, written and audio ones, completion
/// tokens the reasoning and audio ones. Empty: not said, which for the parts means none.
struct BilledTokens {
  std::optional<std::int64_t> prompt = {}, completion = {};
  std::int64_t cached = 0, cache_write = 0, cache_write_1h = 0, audio_input = 0;
  std::int64_t reasoning = 0, audio_output = 0;
  std::int64_t images = 0, web_searches = 0;
};

/// From the provider's usage; the parts that wire::Usage does not name are read from its raw JSON,
/// as OpenAI, Anthropic, OpenRouter and LiteLLM write them.
BilledTokens billed_tokens(const wire::Usage& usage);

/// What the call cost; nullopt where a count or a rate that it needs is not known.
std::optional<state::NanoUsd> cost_of(const PriceConfig& price, const BilledTokens& tokens);

/// What a call of this many tokens is expected to cost, nothing cached, in dollars.
double expected_usd(const PriceConfig& price, std::int64_t prompt_tokens, double completion_tokens);

/// The most that a call can come to.
struct CallBound {
  std::int64_t prompt_tokens = 0;      // at most
  std::int64_t completion_tokens = 0;  // at most, over all choices
  std::int64_t images = 0;
  bool writes_cache = false;  // the request marks what is to be cached
  bool has_audio = false;
};
/// Never less than cost_of of any call within the bound, searches of the host apart; rounded up.
/// nullopt where a rate that such a call may need is not known.
std::optional<state::NanoUsd> most_of(const PriceConfig& price, const CallBound& bound);

}  // namespace rung::gateway
