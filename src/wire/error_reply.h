#pragma once
// One table from our error codes to what an HTTP client sees.

#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/dialect.h"

namespace rung::wire {

struct ErrorReply {
  int status;             // HTTP
  std::string_view type;  // the `type` of OpenAI's error object
  std::string_view code;  // its `code`; empty: null
};

/// What a client is told of an error. SDKs retry on 408, 409, 429 and from 500 on: a mistake of the
/// caller's never is one.
ErrorReply error_reply(ErrorCode code);

/// {"error":{"message","type","param","code"}}, as OpenAI's clients parse it.
std::string openai_error_body(const Error& error);
/// The same from parts, for replies whose status is chosen elsewhere.
std::string openai_error_body(std::string_view message, std::string_view type,
                              std::string_view param, std::string_view code);

/// The `type` of Anthropic's error object for an HTTP status: "invalid_request_error", ...
std::string_view messages_error_type(int status);
/// {"type":"error","error":{"type","message"},"request_id"}, as Anthropic's clients parse it.
std::string messages_error_body(std::string_view type, std::string_view message,
                                std::string_view request_id);

/// Our own error in the shape that clients of the dialect parse.
std::string error_body(Dialect dialect, const Error& error, std::string_view request_id);

}  // namespace rung::wire
