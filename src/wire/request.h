#pragma once
// What the gateway knows of a request, whatever dialect it came in.

#include <cstdint>
#include <optional>
#include <string>

#include "json/value.h"
#include "wire/dialect.h"

namespace rung::wire {

/// Facts of a request. `root` points into the body, which must outlive this.
struct Request {
  Dialect dialect = Dialect::kChat;
  json::Value root;
  std::string model;  // as the client wrote it
  bool stream = false;
  bool wants_usage = false;  // the client itself asked for usage in the stream
  bool has_tools = false;    // offers tools or functions
  bool has_images = false;
  bool has_audio = false;  // audio in or out
  bool has_json_schema = false;
  std::optional<std::int64_t> max_tokens;  // of the answer, if limited
  std::int64_t choices = 1;                // n
  std::string
      prompt;  // what is routed on: the last user message, then a line for each offered tool
  std::size_t text_bytes =
      0;               // all text that the model reads: messages, tools, schema; without media
  std::string effort;  // reasoning effort as the client set it; empty: not set
  /// What no other dialect can carry, as a sentence's subject ("n is 2"); empty: nothing. An
  /// upstream of another dialect is then not eligible.
  std::string only_native;
  bool has_foreign_thinking = false;  // Messages: holds thinking that we signed (thinking.h)
};

/// What the provider says it counted. Absent fields stay empty: they are unknown, not 0.
struct Usage {
  std::optional<std::int64_t> prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens;
  std::optional<std::int64_t> cache_write_tokens;     // written to the cache, part of prompt_tokens
  std::optional<std::int64_t> cache_write_1h_tokens;  // part of cache_write_tokens, kept an hour
  std::string raw;                                    // the object as it came
};

}  // namespace rung::wire
