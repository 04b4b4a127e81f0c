#include "gateway/price_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/file.h"
#include "json/value.h"

namespace rung::gateway {
namespace {

std::optional<double> usd_at(json::Value entry, std::string_view key) {
  const auto value = json::find(entry, key);
  if (!value) return std::nullopt;
  const auto number = value->number();
  if (!number || !(*number >= 0 && *number <= kMostUsdPerUnit)) return std::nullopt;
  return number;
}

std::optional<UsdPerMillion> rate_at(json::Value entry, std::string_view key) {
  const auto usd = usd_at(entry, key);
  return usd ? std::optional(UsdPerMillion{*usd * 1e6}) : std::nullopt;
}

std::optional<Usd> each_at(json::Value entry, std::string_view key) {
  const auto usd = usd_at(entry, key);
  return usd ? std::optional(Usd{*usd}) : std::nullopt;
}

std::optional<std::int64_t> count_at(json::Value entry, std::string_view key) {
  const auto value = json::find(entry, key);
  // Some entries write 8192.0; the example entry writes a sentence.
  const auto number = value ? value->number() : std::nullopt;
  if (!number || !(*number >= 1 && *number <= 1e12)) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

/// One price for each size of search result; known only where all sizes cost the same.
std::optional<Usd> search_at(json::Value entry) {
  const auto sizes = json::find(entry, "search_context_cost_per_query");
  if (!sizes || !sizes->is_object()) return std::nullopt;
  std::optional<Usd> same;
  for (const json::Member& size : json::members(*sizes)) {
    const auto usd = size.value.number();
    if (!usd || !(*usd >= 0 && *usd <= kMostUsdPerUnit) || (same && same->value != *usd))
      return std::nullopt;
    same = Usd{*usd};
  }
  return same;
}

/// Keys like input_cost_per_token_above_200k_tokens: the tier's limit, if this is the field of one.
std::optional<std::int64_t> tier_limit(std::string_view key, std::string_view field) {
  constexpr std::string_view kAbove = "_above_", kEnd = "k_tokens";
  if (!key.starts_with(field)) return std::nullopt;
  key.remove_prefix(field.size());
  if (!key.starts_with(kAbove) || !key.ends_with(kEnd)) return std::nullopt;
  key.remove_prefix(kAbove.size());
  key.remove_suffix(std::min(kEnd.size(), key.size()));
  std::int64_t thousands = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), thousands);
  if (error != std::errc() || end != key.data() + key.size() || thousands < 1 ||
      thousands > 1'000'000'000)
    return std::nullopt;
  return thousands * 1000;
}

PriceTier& tier_of(std::vector<PriceTier>& tiers, std::int64_t above) {
  auto at = std::find_if(tiers.begin(), tiers.end(),
                         [&](const PriceTier& tier) { return tier.above_tokens >= above; });
  if (at == tiers.end() || at->above_tokens != above) {
    at = tiers.insert(at, PriceTier{});
    at->above_tokens = above;
  }
  return *at;
}

struct TierField {
  std::string_view name;
  std::optional<UsdPerMillion> PriceTier::* rate;
};
constexpr std::array<TierField, 6> kTierFields{
    TierField{"input_cost_per_token", &PriceTier::input},
    TierField{"output_cost_per_token", &PriceTier::output},
    TierField{"cache_read_input_token_cost", &PriceTier::cached_input},
    TierField{"cache_creation_input_token_cost", &PriceTier::cache_write},
    // 1hr rates of long prompts: cache_creation_input_token_cost_above_1hr_above_200k_tokens.
    TierField{"cache_creation_input_token_cost_above_1hr", &PriceTier::cache_write_1h},
    TierField{"output_cost_per_reasoning_token", &PriceTier::reasoning}};

void read_tier_keys(json::Value entry, std::vector<PriceTier>& tiers) {
  for (const json::Member& member : json::members(entry)) {
    const std::string key = member.key.text();
    if (key.find("_above_") == std::string::npos) continue;
    for (const TierField& field : kTierFields)
      if (const auto above = tier_limit(key, field.name))
        tier_of(tiers, *above).*field.rate = rate_at(entry, key);
  }
}

/// {"tiered_pricing": [{"range": [0, 256000], "input_cost_per_token": ...}, ...]}: the first is the
/// base. False: there is none that can be used.
bool read_tier_list(json::Value entry, PriceConfig& price) {
  const auto list = json::find(entry, "tiered_pricing");
  if (!list || !list->is_array()) return false;
  bool has_base = false;
  for (const json::Value item : json::elements(*list)) {
    const auto range = item.is_object() ? json::find(item, "range") : std::nullopt;
    if (!range || !range->is_array()) return false;
    const auto first = json::elements(*range).begin();
    if (!(first != std::default_sentinel)) return false;
    const auto from = (*first).number();
    if (!from || !(*from >= 0 && *from <= 1e12)) return false;
    PriceTier tier;
    tier.above_tokens = static_cast<std::int64_t>(*from);
    for (const TierField& field : kTierFields) tier.*field.rate = rate_at(item, field.name);
    if (!tier.input || !tier.output) return false;
    if (tier.above_tokens > 0) {
      tier_of(price.tiers, tier.above_tokens) = tier;
      continue;
    }
    price.input = *tier.input;
    price.output = *tier.output;
    price.cached_input = tier.cached_input;
    price.cache_write = tier.cache_write;
    price.cache_write_1h = tier.cache_write_1h;
    price.reasoning = tier.reasoning;
    has_base = true;
  }
  return has_base;
}

std::optional<PriceConfig> price_of(json::Value entry) {
  PriceConfig price;
  const auto input = rate_at(entry, "input_cost_per_token");
  const auto output = rate_at(entry, "output_cost_per_token");
  if (input && output) {
    price.input = *input;
    price.output = *output;
    price.cached_input = rate_at(entry, "cache_read_input_token_cost");
    price.cache_write = rate_at(entry, "cache_creation_input_token_cost");
    price.cache_write_1h = rate_at(entry, "cache_creation_input_token_cost_above_1hr");
    price.reasoning = rate_at(entry, "output_cost_per_reasoning_token");
    read_tier_keys(entry, price.tiers);
  } else if (!read_tier_list(entry, price)) {
    return std::nullopt;
  }
  price.audio_input = rate_at(entry, "input_cost_per_audio_token");
  price.audio_output = rate_at(entry, "output_cost_per_audio_token");
  price.image = each_at(entry, "input_cost_per_image");
  price.per_request = each_at(entry, "input_cost_per_request");
  price.web_search = search_at(entry);
  return price;
}

}  // namespace

Result<PriceFile> PriceFile::parse(std::string text) {
  const auto root = json::parse(text);
  if (!root) return Error{ErrorCode::kInvalidConfig, root.error().message};
  if (!root->is_object())
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("found {}; expected an object with a member for each model, as "
                             "LiteLLM's model_prices_and_context_window.json",
                             json::name(root->kind()))};
  for (const json::Member& member : json::members(*root))
    if (!member.value.is_object())
      return Error{ErrorCode::kInvalidConfig,
                   fmt::format("the entry {} is {}; expected an object with its prices",
                               member.key.raw, json::name(member.value.kind()))};
  PriceFile file;
  file.text_ = std::move(text);
  return file;
}

Result<PriceFile> PriceFile::load(const std::filesystem::path& file) {
  auto text = read_file(file);
  if (!text) return text.error();
  auto parsed = parse(*std::move(text));
  if (!parsed) return parsed.error().with(fmt::format("price file {}", file.string()));
  return parsed;
}

std::optional<PriceEntry> PriceFile::find(std::string_view key) const {
  if (text_.empty()) return std::nullopt;
  // The text was checked when it came in; a walk over it is all that a parse would do.
  const std::size_t start = text_.find('{');
  const auto entry = json::find(json::Value{std::string_view(text_).substr(start)}, key);
  if (!entry) return std::nullopt;
  PriceEntry found;
  found.name = std::string(key);
  found.price = price_of(*entry);
  found.max_output_tokens = count_at(*entry, "max_output_tokens");
  found.max_input_tokens = count_at(*entry, "max_input_tokens");
  return found;
}

std::optional<PriceEntry> PriceFile::find(std::string_view upstream, std::string_view name) const {
  if (auto found = find(fmt::format("{}/{}", upstream, name))) return found;
  if (auto found = find(name)) return found;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto found = find(name.substr(slash + 1));
  if (!found) return std::nullopt;
  const std::size_t start = text_.find('{');
  const auto entry =
      json::find(json::Value{std::string_view(text_).substr(start)}, name.substr(slash + 1));
  const auto provider = json::find(*entry, "litellm_provider");
  if (!provider || !provider->equals(name.substr(0, slash))) return std::nullopt;
  return found;
}

}  // namespace rung::gateway
