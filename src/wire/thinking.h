#pragma once
// Reasoning effort between the dialects: OpenAI names a level, Anthropic a token budget or a level.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wire/target.h"

namespace rung::wire {

/// The signature that we put on thinking of a model that signs nothing. Blocks that carry it are
/// taken out before a request reaches Anthropic, which checks signatures.
inline constexpr std::string_view kUnsigned = "rung:unsigned";

/// What stands in the way of thinking: each is refused by Anthropic together with it.
struct ThinkingLimits {
  std::int64_t max_tokens = 0;  // of the request
  bool fixed_sampling = false;  // temperature, top_p or top_k are set
  bool forced_tool = false;     // tool_choice any or tool
  bool lost_thinking = false;   // an open tool call whose thinking is not there
};

/// Members for a Messages request, as JSON values; empty: leave the member alone.
struct ThinkingFields {
  std::string thinking, effort;
  bool possible = true;  // false: the effort cannot be asked for together with the rest
};
ThinkingFields thinking_for(std::string_view effort, Thinking style, const ThinkingLimits& limits);

/// The effort that a budget stands for: up to 4096 tokens "low", up to 16384 "medium", else "high".
std::string_view effort_of_budget(std::int64_t tokens);
/// `wanted` if the model knows it, else the nearest that it knows by rank; "" if it knows none.
std::string_view nearest_effort(std::string_view wanted, std::span<const std::string> known);

}  // namespace rung::wire
