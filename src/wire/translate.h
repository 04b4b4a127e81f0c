#pragma once
// Requests from one dialect into another, and what replies are made of on their way back. Chat
// Completions is the pivot: Responses becomes it first. docs/dialects.md has every field's row.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/request.h"
#include "wire/target.h"

namespace rung::wire {

/// Errors: kUnsupported, kInvalidArgument with Error::field: what the other dialect has no form
/// for.
Result<Outgoing> messages_to_chat(const Request& request, const Target& target);
Result<Outgoing> chat_to_messages(const Request& request, const Target& target);

/// Why an answer ended.
enum class Stop : std::uint8_t { kEnd, kLength, kSequence, kTools, kFilter, kPause, kUnknown };

/// A part of an answer. Texts are JSON strings as they came, quotes and escapes included, so that
/// nothing is decoded on its way.
struct Block {
  enum class Kind : std::uint8_t { kText, kThinking, kRedacted, kTool, kRefusal };
  Kind kind = Kind::kText;
  std::string text = {};           // of kRedacted: its data; of kTool: the arguments
  std::string signature = {};      // of kThinking; empty: it has none
  std::string id = {}, name = {};  // of kTool: JSON strings
  bool is_custom = false;          // of kTool: the arguments are free text, not JSON
};

/// A whole answer, whatever dialect it came in.
struct Answer {
  std::string id, model;  // as text
  std::vector<Block> blocks;
  Stop stop = Stop::kUnknown;
  std::string stop_sequence;  // a JSON string; empty: none was hit
  std::optional<Usage> usage;
};
/// Errors: kInvalidJson: the reply is not what it should be. `dropped` gets what an Answer has no
/// place for.
Result<Answer> read_chat_answer(std::string_view body, std::vector<std::string>& dropped);
Result<Answer> read_messages_answer(std::string_view body, std::vector<std::string>& dropped);

/// `created` is seconds since 1970.
std::string write_chat_answer(const Answer& answer, const Request& request, std::int64_t created);
std::string write_messages_answer(const Answer& answer);

Stop stop_of_chat(std::string_view finish_reason);
Stop stop_of_messages(std::string_view stop_reason);
std::string_view chat_reason(Stop stop);
std::string_view messages_reason(Stop stop);

/// Usage objects from counts, in each dialect's fields.
std::string chat_usage(const Usage& usage);
std::string messages_usage(const Usage& usage);

/// Names of the request's tools that take free text (Chat Completions and Responses: type custom).
std::vector<std::string> custom_tools(const Request& request);
/// The text that a custom tool was called with, as a JSON string, out of the arguments of the
/// function that stood for it: {"input": "..."}.
std::string custom_input(std::string_view arguments_string);

/// Inner part of a JSON string: without its quotes.
inline std::string_view inside(std::string_view json_string) {
  return json_string.substr(1, json_string.size() - 2);
}
/// Text in quotes, escaped.
std::string quoted(std::string_view text);

}  // namespace rung::wire
