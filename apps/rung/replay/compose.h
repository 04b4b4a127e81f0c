#pragma once
// Answers in the shapes that a request asks for: text, a tool call, JSON that fits a schema. Pure
// functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace rung::replay {

/// What one choice of a reply says.
struct Message {
  std::string content;
  bool is_call = false;
  std::string call_name, call_arguments;  // arguments: a JSON object
  bool cut_short = false;                 // finish_reason "length"
};

/// A JSON value that fits `schema` in simple cases: type, enum, const, required properties, items
/// with minItems, minimum, anyOf (the first), local $ref into `root`. Strings are `text` where one
/// is wanted first.
std::string fill_schema(json::Value schema, json::Value root, std::string_view text);

/// A function call out of a recorded answer such as `[area(base=10, unit="m")]`; arguments become a
/// JSON object.
struct RecordedCall {
  std::string name, arguments;
};
std::optional<RecordedCall> parse_recorded_call(std::string_view output);

/// Shapes `text` for the request: a tool call if tools are offered and (tool_choice demands one, or
/// `text` is a recorded call of an offered tool) and the last message is not a tool's result; JSON
/// if response_format demands it; else the text itself.
Message compose(json::Value request, std::string text);

/// `text` in pieces of about a token each (a word with the space before it), whole UTF-8
/// characters.
std::vector<std::string_view> token_pieces(std::string_view text);

/// Characters / 4, at least 1 for text: an estimate, marked as one wherever it is shown.
std::int64_t estimate_tokens(std::size_t bytes);

}  // namespace rung::replay
