#include "wire/error_reply.h"

#include "json/write.h"

namespace rung::wire {

ErrorReply error_reply(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return {400, "invalid_request_error", ""};
    case ErrorCode::kInvalidJson:
      return {400, "invalid_request_error", "invalid_json"};
    case ErrorCode::kUnsupported:
      return {400, "invalid_request_error", "unsupported"};
    case ErrorCode::kInvalidData:
      return {400, "invalid_request_error", ""};
    case ErrorCode::kNotFound:
      return {404, "invalid_request_error", "not_found"};
    case ErrorCode::kTooLarge:
      return {413, "invalid_request_error", "request_too_large"};
    case ErrorCode::kUnauthorized:
      return {401, "authentication_error", "invalid_api_key"};
    case ErrorCode::kForbidden:
      return {403, "permission_error", "forbidden"};
    case ErrorCode::kRateLimited:
      return {429, "rate_limit_error", "rate_limit_exceeded"};
    case ErrorCode::kInfeasible:
      return {400, "invalid_request_error", "no_eligible_arm"};
    case ErrorCode::kUnavailable:
      return {503, "server_error", "unavailable"};
    case ErrorCode::kUpstream:
      return {502, "server_error", "upstream_error"};
    case ErrorCode::kTimeout:
      return {504, "server_error", "upstream_timeout"};
    case ErrorCode::kCancelled:
      return {499, "invalid_request_error", "client_gone"};
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kCorruptFile:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return {500, "server_error", "internal_error"};
  }
  return {500, "server_error", "internal_error"};
}

std::string openai_error_body(std::string_view message, std::string_view type,
                              std::string_view param, std::string_view code) {
  json::Writer w;
  const auto string_or_null = [&](std::string_view text) {
    text.empty() ? w.null() : w.string(text);
  };
  w.begin_object().key("error").begin_object();
  w.key("message").string(message).key("type").string(type);
  w.key("param"), string_or_null(param);
  w.key("code"), string_or_null(code);
  w.end_object().end_object();
  return w.take();
}

std::string openai_error_body(const Error& error) {
  ErrorReply reply = error_reply(error.code);
  if (error.code == ErrorCode::kNotFound && error.field == "model") reply.code = "model_not_found";
  return openai_error_body(error.message, reply.type, error.field, reply.code);
}

std::string_view messages_error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string messages_error_body(std::string_view type, std::string_view message,
                                std::string_view request_id) {
  json::Writer w;
  w.begin_object().key("type").string("error").key("error").begin_object();
  w.key("type").string(type).key("message").string(message).end_object();
  if (!request_id.empty()) w.key("request_id").string(request_id);
  w.end_object();
  return w.take();
}

std::string error_body(Dialect dialect, const Error& error, std::string_view request_id) {
  if (dialect != Dialect::kMessages) return openai_error_body(error);
  return messages_error_body(messages_error_type(error_reply(error.code).status), error.message,
                             request_id);
}

}  // namespace rung::wire
