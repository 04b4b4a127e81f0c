#pragma once
// Small worlds for the tests of this folder.

#include <string>

#include "base/random.h"
#include "outcomes/table.h"

namespace rung::predict::testing {

/// Nine words of three letters, from one half of the alphabet for each kind.
inline std::string prompt_of_kind(bool numbers, Rng& rng) {
  std::string prompt = numbers ? "Compute" : "Describe";
  for (int w = 0; w < 9; ++w) {
    prompt.push_back(' ');
    for (int c = 0; c < 3; ++c)
      prompt.push_back(
          static_cast<char>((numbers ? 'a' : 'n') + static_cast<int>(rng.below(13))));
  }
  return prompt;
}

/// 600 prompts of two kinds. Planted: each of two arms is good at one kind; else both scores are
/// coins. The first costs a tenth.
inline outcomes::Table two_kinds(bool planted) {
  outcomes::Table table;
  table.arms = {"words", "numbers"};
  Rng rng(4);
  for (std::size_t i = 0; i < 600; ++i) {
    const bool numbers = rng.below(2) == 1;
    const std::string prompt = prompt_of_kind(numbers, rng);
    table.ids.push("q" + std::to_string(i));
    table.prompts.push(prompt);
    table.category.push_back(outcomes::kNoCategory);
    for (std::size_t j = 0; j < 2; ++j) {
      const double good =
          planted ? ((j == 1) == numbers ? (numbers ? 0.95 : 0.9) : (numbers ? 0.2 : 0.6)) : 0.5;
      table.score.push_back(rng.uniform() < good ? 1.0f : 0.0f);
      table.cost.push_back(j == 0 ? 0.0001f : 0.001f);
      table.prompt_tokens.push_back(outcomes::kNoTokens);
      table.completion_tokens.push_back(outcomes::kNoTokens);
    }
  }
  return table;
}

}  // namespace rung::predict::testing
