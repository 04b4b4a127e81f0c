#include "wire/thinking.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace rung::wire {
namespace {

constexpr std::array<std::string_view, 7> kRanks{"none", "minimal", "low", "medium",
                                                 "high", "xhigh",   "max"};
constexpr std::int64_t kLeastBudget = 1024;  // Anthropic takes no smaller one

int rank(std::string_view effort) {
  const auto* at = std::find(kRanks.begin(), kRanks.end(), effort);
  return at == kRanks.end() ? 3 : static_cast<int>(at - kRanks.begin());
}

std::int64_t budget_of(std::string_view effort) {
  constexpr std::array<std::int64_t, 7> kBudgets{0, 1024, 4096, 12288, 24576, 32768, 49152};
  return kBudgets[static_cast<std::size_t>(rank(effort))];
}

}  // namespace

ThinkingFields thinking_for(std::string_view effort, Thinking style, const ThinkingLimits& limits) {
  ThinkingFields fields;
  if (effort.empty() || effort == "none") return fields;
  const bool may_think = !limits.fixed_sampling && !limits.forced_tool;
  if (style == Thinking::kAdaptive) {
    fields.effort = fmt::format("\"{}\"", rank(effort) < rank("low")
                                              ? "low"
                                              : kRanks[static_cast<std::size_t>(rank(effort))]);
    if (may_think) fields.thinking = R"({"type":"adaptive"})";
    return fields;
  }
  // An answer of at least as many tokens again must stay possible within max_tokens.
  const std::int64_t budget = std::min(budget_of(effort), limits.max_tokens / 2);
  if (!may_think || limits.lost_thinking || budget < kLeastBudget) {
    fields.possible = false;
    return fields;
  }
  fields.thinking = fmt::format(R"({{"type":"enabled","budget_tokens":{}}})", budget);
  return fields;
}

std::string_view effort_of_budget(std::int64_t tokens) {
  return tokens <= 4096 ? "low" : tokens <= 16384 ? "medium" : "high";
}

std::string_view nearest_effort(std::string_view wanted, std::span<const std::string> known) {
  std::string_view best;
  for (const std::string& effort : known) {
    if (effort == wanted) return effort;
    if (best.empty() || std::abs(rank(effort) - rank(wanted)) < std::abs(rank(best) - rank(wanted)))
      best = effort;
  }
  return best;
}

}  // namespace rung::wire
