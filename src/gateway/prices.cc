#include "gateway/prices.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "json/value.h"

namespace rung::gateway {
namespace {

// GCC and Clang have it on every 64-bit machine; the pedantic name is only for the warning's sake.
__extension__ using Wide = __int128;

using state::NanoUsd;

constexpr Wide kFemtoInNano = 1'000'000;

/// Femto-dollars for one token.
Wide femto(UsdPerMillion rate) { return std::llround(rate.rate * 1e9); }
Wide femto(Usd each) { return std::llround(each.value * 1e15); }

NanoUsd nano(Wide femto_usd, Wide round) {
  const Wide whole = (femto_usd + round) / kFemtoInNano;
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return NanoUsd{whole > kMost ? kMost : static_cast<std::int64_t>(whole)};
}

template <class T>
void override(std::optional<T>& rate, const std::optional<T>& by) {
  if (by) rate = by;
}

/// The rates for a prompt of this length.
PriceConfig rates_at(const PriceConfig& price, std::int64_t prompt) {
  PriceConfig at = price;
  for (const PriceTier& tier : price.tiers) {
    if (prompt <= tier.above_tokens) break;
    at.input = tier.input.value_or(at.input);
    at.output = tier.output.value_or(at.output);
    override(at.cached_input, tier.cached_input);
    override(at.cache_write, tier.cache_write);
    override(at.cache_write_1h, tier.cache_write_1h);
    override(at.reasoning, tier.reasoning);
  }
  return at;
}

/// A sum that turns unknown with its first unknown part.
class Sum {
 public:
  template <class Rate>
  void add(std::int64_t count, const std::optional<Rate>& rate) {
    if (count == 0) return;
    if (!rate) {
      known_ = false;
      return;
    }
    femto_ += Wide{count} * femto(*rate);
  }
  std::optional<NanoUsd> total(Wide round) const {
    if (!known_) return std::nullopt;
    return nano(femto_, round);
  }

 private:
  Wide femto_ = 0;
  bool known_ = true;
};

std::optional<NanoUsd> sum_of(const PriceConfig& price, const BilledTokens& tokens) {
  if (!tokens.prompt || !tokens.completion) return std::nullopt;
  // A part is never more than the whole that it belongs to: what a host adds up wrongly must not
  // make a cost negative.
  std::int64_t fresh = std::max<std::int64_t>(*tokens.prompt, 0);
  std::int64_t plain = std::max<std::int64_t>(*tokens.completion, 0);
  const auto take = [](std::int64_t& from, std::int64_t part) {
    const std::int64_t taken = std::clamp<std::int64_t>(part, 0, from);
    from -= taken;
    return taken;
  };
  Sum sum;
  sum.add(take(fresh, tokens.cached), std::optional(price.cached_input.value_or(price.input)));
  sum.add(take(fresh, tokens.cache_write), price.cache_write);
  sum.add(take(fresh, tokens.cache_write_1h), price.cache_write_1h);
  sum.add(take(fresh, tokens.audio_input), price.audio_input);
  sum.add(fresh, std::optional(price.input));
  sum.add(take(plain, tokens.reasoning), std::optional(price.reasoning.value_or(price.output)));
  sum.add(take(plain, tokens.audio_output), price.audio_output);
  sum.add(plain, std::optional(price.output));
  if (price.image) sum.add(tokens.images, price.image);
  if (price.per_request) sum.add(1, price.per_request);
  sum.add(tokens.web_searches, price.web_search);
  return sum.total(kFemtoInNano / 2);
}

std::int64_t count_at(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value ? std::max<std::int64_t>(value->integer().value_or(0), 0) : 0;
}

bool mentions(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

/// What hosts say beside OpenAI's plain counts.
void read_details(json::Value usage, bool has_writes, BilledTokens& tokens) {
  // OpenRouter: prompt_tokens_details.cache_write_tokens; LiteLLM: cache_creation_tokens there;
  // Anthropic: cache_creation_input_tokens, of which cache_creation says for how long.
  std::int64_t written = count_at(usage, "cache_creation_input_tokens");
  for (const char* key : {"prompt_tokens_details", "input_tokens_details"}) {
    const auto details = json::find(usage, key);
    if (!details || !details->is_object()) continue;
    tokens.audio_input = std::max(tokens.audio_input, count_at(*details, "audio_tokens"));
    written = std::max({written, count_at(*details, "cache_write_tokens"),
                        count_at(*details, "cache_creation_tokens")});
  }
  for (const char* key : {"completion_tokens_details", "output_tokens_details"}) {
    const auto details = json::find(usage, key);
    if (details && details->is_object())
      tokens.audio_output = std::max(tokens.audio_output, count_at(*details, "audio_tokens"));
  }
  if (const auto kinds = json::find(usage, "cache_creation");
      !has_writes && kinds && kinds->is_object())
    tokens.cache_write_1h = count_at(*kinds, "ephemeral_1h_input_tokens");
  // What the dialect has read already is not read again.
  if (!has_writes) {
    tokens.cache_write_1h = std::min(tokens.cache_write_1h, written);
    tokens.cache_write = written - tokens.cache_write_1h;
  }
  if (const auto tools = json::find(usage, "server_tool_use"); tools && tools->is_object())
    tokens.web_searches = count_at(*tools, "web_search_requests");
}

}  // namespace

BilledTokens billed_tokens(const wire::Usage& usage) {
  BilledTokens tokens;
  tokens.prompt = usage.prompt_tokens;
  tokens.completion = usage.completion_tokens;
  tokens.cached = usage.cached_tokens.value_or(0);
  tokens.reasoning = usage.reasoning_tokens.value_or(0);
  if (usage.cache_write_tokens) {
    tokens.cache_write_1h = usage.cache_write_1h_tokens.value_or(0);
    tokens.cache_write = *usage.cache_write_tokens - tokens.cache_write_1h;
  }
  // Most usage objects say none of this, and are not looked at twice.
  if (mentions(usage.raw, "audio_tokens") || mentions(usage.raw, "cache_") ||
      mentions(usage.raw, "server_tool_use")) {
    if (const auto root = json::parse(usage.raw); root && root->is_object())
      read_details(*root, usage.cache_write_tokens.has_value(), tokens);
  }
  return tokens;
}

std::optional<NanoUsd> cost_of(const PriceConfig& price, const BilledTokens& tokens) {
  if (price.tiers.empty() || !tokens.prompt || *tokens.prompt <= price.tiers[0].above_tokens)
    return sum_of(price, tokens);
  return sum_of(rates_at(price, *tokens.prompt), tokens);
}

double expected_usd(const PriceConfig& price, std::int64_t prompt_tokens,
                    double completion_tokens) {
  UsdPerMillion input = price.input, output = price.output;
  for (const PriceTier& tier : price.tiers) {
    if (prompt_tokens <= tier.above_tokens) break;
    input = tier.input.value_or(input);
    output = tier.output.value_or(output);
  }
  return price.per_request.value_or(Usd{}).value +
         1e-6 * (static_cast<double>(prompt_tokens) * input.rate + completion_tokens * output.rate);
}

std::optional<NanoUsd> most_of(const PriceConfig& price, const CallBound& bound) {
  UsdPerMillion input{}, output{};
  bool known = true;
  const auto look_at = [&](const PriceConfig& rates) {
    input = std::max({input, rates.input, rates.cached_input.value_or(rates.input)});
    output = std::max({output, rates.output, rates.reasoning.value_or(rates.output)});
    // A request that marks what to cache pays for it, for five minutes or for an hour.
    if (bound.writes_cache && (rates.cache_write || rates.cache_write_1h))
      input = std::max({input, rates.cache_write.value_or(UsdPerMillion{}),
                        rates.cache_write_1h.value_or(UsdPerMillion{})});
    if (!bound.has_audio) return;
    known = known && (rates.audio_input || rates.audio_output);
    input = std::max(input, rates.audio_input.value_or(UsdPerMillion{}));
    output = std::max(output, rates.audio_output.value_or(UsdPerMillion{}));
  };
  look_at(price);
  for (const PriceTier& tier : price.tiers)
    if (bound.prompt_tokens > tier.above_tokens) look_at(rates_at(price, tier.above_tokens + 1));
  if (!known) return std::nullopt;
  Sum sum;
  sum.add(std::max<std::int64_t>(bound.prompt_tokens, 0), std::optional(input));
  sum.add(std::max<std::int64_t>(bound.completion_tokens, 0), std::optional(output));
  if (price.image) sum.add(bound.images, price.image);
  if (price.per_request) sum.add(1, price.per_request);
  return sum.total(kFemtoInNano - 1);
}

}  // namespace rung::gateway
