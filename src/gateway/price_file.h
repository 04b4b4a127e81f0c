#pragma once
// LiteLLM's price file (model_prices_and_context_window.json), read as it is:
// https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json. One object;
// its keys are models ("gpt-4o", "openrouter/openai/gpt-4o"), its values rates in USD per token.
// docs/prices.md lists which fields are used and which are not.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/prices.h"

namespace rung::gateway {

/// What the file says of one model.
struct PriceEntry {
  std::string name;                  // its key in the file
  std::optional<PriceConfig> price;  // empty: no price for tokens in and out
  std::optional<std::int64_t> max_output_tokens;
  std::optional<std::int64_t> max_input_tokens;
};

class PriceFile {
 public:
  /// An empty file: nothing is found.
  PriceFile() = default;
  /// Errors: kNotFound, kIo; kInvalidConfig where it is no JSON object of objects. All name it.
  static Result<PriceFile> load(const std::filesystem::path& file);
  static Result<PriceFile> parse(std::string text);

  /// By the key itself. A rate that is no number from 0 to kMostUsdPerUnit is as if it were not
  /// there.
  std::optional<PriceEntry> find(std::string_view key) const;
  /// By a model's name at an upstream: `UPSTREAM/NAME`, then `NAME`, then what follows the first
  /// slash of NAME where the entry is of the provider before it ("openai/gpt-4o").
  std::optional<PriceEntry> find(std::string_view upstream, std::string_view name) const;

 private:
  std::string text_;  // the file; checked, walked anew for each question: they come at start only
};

}  // namespace rung::gateway
