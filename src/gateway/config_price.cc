#include "gateway/config_price.h"

#include <fmt/format.h>

namespace rung::gateway {
namespace {

/// Rates of one mapping. A rate that is no number from 0 on is an error of the section.
class Rates {
 public:
  Rates(const YAML::Node& node, std::string path, const YamlSection::Resolve& resolve)
      : section_(node, std::move(path), resolve) {}
  YamlSection& section() { return section_; }

  std::optional<UsdPerMillion> rate(const char* key) {
    const auto value = number(key, "USD per million tokens", kMostUsdPerUnit * 1e6);
    return value ? std::optional(UsdPerMillion{*value}) : std::nullopt;
  }
  std::optional<Usd> each(const char* key, const char* unit) {
    const auto value = number(key, unit, kMostUsdPerUnit);
    return value ? std::optional(Usd{*value}) : std::nullopt;
  }

 private:
  std::optional<double> number(const char* key, const char* unit, double most) {
    const auto value = section_.number(key);
    if (value && !(*value >= 0 && *value <= most))
      section_.fail(key, fmt::format("is {:g}; expected {}, 0 or more", *value, unit));
    return value;
  }
  YamlSection section_;
};

void read_tiers(Rates& rates, const std::string& path, const YamlSection::Resolve& resolve,
                PriceConfig& price) {
  const YAML::Node list = rates.section().child("above");
  if (!list.IsDefined()) return;
  if (!list.IsSequence())
    return rates.section().fail(
        "above", fmt::format("is {}; expected a list like [{{tokens: 200000, input: 6, output: "
                             "22.5}}]",
                             kind_of(list)));
  for (const YAML::Node& node : list) {
    Rates own(node, fmt::format("{}.above[{}]", path, price.tiers.size()), resolve);
    PriceTier tier;
    if (!own.section().has("tokens")) own.section().fail("tokens", "is missing");
    tier.above_tokens = own.section().integer("tokens", 1, 1, 1'000'000'000'000);
    if (!price.tiers.empty() && tier.above_tokens <= price.tiers.back().above_tokens)
      own.section().fail("tokens", "does not rise from one to the next");
    tier.input = own.rate("input");
    tier.output = own.rate("output");
    tier.cached_input = own.rate("cached_input");
    tier.cache_write = own.rate("cache_write");
    tier.cache_write_1h = own.rate("cache_write_1h");
    tier.reasoning = own.rate("reasoning");
    if (auto done = own.section().finish(); !done) return rates.section().fail(done.error());
    price.tiers.push_back(tier);
  }
}

std::optional<PriceConfig> read_mapping(const YAML::Node& node, const std::string& path,
                                        const YamlSection::Resolve& resolve, YamlSection& model) {
  Rates rates(node, path, resolve);
  PriceConfig price;
  const auto input = rates.rate("input"), output = rates.rate("output");
  price.cached_input = rates.rate("cached_input");
  price.cache_write = rates.rate("cache_write");
  price.cache_write_1h = rates.rate("cache_write_1h");
  price.reasoning = rates.rate("reasoning");
  price.audio_input = rates.rate("audio_input");
  price.audio_output = rates.rate("audio_output");
  price.image = rates.each("image", "USD for each image");
  price.per_request = rates.each("per_request", "USD for each request");
  price.web_search = rates.each("web_search", "USD for each search");
  read_tiers(rates, path, resolve, price);
  if (!input) rates.section().fail("input", "is missing; a price needs input and output");
  if (!output) rates.section().fail("output", "is missing; a price needs input and output");
  price.input = input.value_or(UsdPerMillion{});
  price.output = output.value_or(UsdPerMillion{});
  if (auto done = rates.section().finish(); !done) {
    model.fail(done.error());
    return std::nullopt;
  }
  return price;
}

}  // namespace

void read_price(YamlSection& section, const YamlSection::Resolve& resolve, const PriceFile& file,
                const std::string& upstream, ModelConfig& model) {
  std::optional<PriceEntry> entry;
  const YAML::Node node = section.child("price");
  if (node.IsDefined() && node.IsScalar()) {
    const std::string key = section.string("price");
    entry = file.find(key);
    if (!entry && !section.failed())
      section.fail("price", fmt::format("names the entry \"{}\", which the price file (`prices:`) "
                                        "does not have",
                                        key));
    if (entry && !entry->price)
      section.fail("price", fmt::format("names the entry \"{}\" of the price file, which states "
                                        "no price for tokens in and out",
                                        key));
  } else {
    entry = file.find(upstream, model.upstream_name);
    if (node.IsDefined())
      model.price = read_mapping(node, section.path() + ".price", resolve, section);
  }
  if (entry && !node.IsMap()) model.price = entry->price;
  if (entry) model.max_output_tokens = entry->max_output_tokens;
  const bool says = section.has("max_output");
  model.max_output = section.integer("max_output", model.max_output, 1, 1'000'000'000);
  if (says) model.max_output_tokens = model.max_output;
}

}  // namespace rung::gateway
