#pragma once
// OpenAI Chat Completions: what the gateway must know of a request and of a reply, and the few
// edits it makes. Everything else passes byte for byte. Thread-safe: there is no state.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "wire/request.h"

namespace rung::wire {

using ChatRequest = Request;

/// Errors: kInvalidJson with the byte; kInvalidArgument with Error::field set
/// ("messages[3].content").
Result<ChatRequest> parse_chat_request(std::string_view body);

/// The edits that a decision needs; an empty member leaves its field alone.
struct ChatEdits {
  std::string_view model = {};   // the name that the upstream knows
  std::string_view effort = {};  // reasoning_effort
  bool ask_usage = false;        // streams: set stream_options.include_usage
};
/// The body with the edits spliced in.
std::string edit_chat_request(const ChatRequest& request, std::string_view body,
                              const ChatEdits& edits);

std::optional<Usage> parse_usage(json::Value usage);

/// One `data:` payload of a stream.
struct ChatChunk {
  bool is_done = false;      // [DONE]
  bool is_error = false;     // carries an error object
  bool has_choices = false;  // false: a chunk that is only about usage
  bool is_last = false;      // says why its choice ended: a finish_reason that is not null
  std::optional<Usage> usage;
};
/// Looks closely only at chunks that could matter to us: one that does not mention usage or an
/// error is not parsed.
ChatChunk read_chat_chunk(std::string_view data);

}  // namespace rung::wire
