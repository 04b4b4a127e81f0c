#pragma once
// Where a request goes: what of the chosen model and its upstream matters to the bytes that are
// sent.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/dialect.h"

namespace rung::wire {

/// How an Anthropic model is told to think.
enum class Thinking : std::uint8_t {
  kAdaptive,  // thinking {"type":"adaptive"} with output_config.effort
  kBudget,    // thinking {"type":"enabled","budget_tokens":N}
};

struct Target {
  Dialect dialect = Dialect::kChat;
  std::string_view model = {};   // as the upstream calls it
  std::string_view effort = {};  // the arm's; empty: as the client asked
  // The rest matters to translations only.
  std::span<const std::string> efforts = {};  // that the model knows; empty: it knows none
  std::int64_t max_output = 8192;  // sent where a limit is required and the client gives none
  Thinking thinking = Thinking::kAdaptive;
  bool max_completion_tokens = false;  // Chat Completions: the name of the limit's field
  bool system_anywhere = true;         // Chat Completions: system messages may stand behind others
  bool takes_reasoning = false;        // Chat Completions: reasoning of earlier turns goes back
};

/// What is sent.
struct Outgoing {
  std::string body;
  bool hide_usage = false;           // streams: usage was asked for by us, not by the client
  std::vector<std::string> dropped;  // fields of the client's that this dialect cannot carry

  /// Notes a field once.
  void drop(std::string_view field) {
    for (const std::string& known : dropped)
      if (known == field) return;
    dropped.emplace_back(field);
  }
};

}  // namespace rung::wire
