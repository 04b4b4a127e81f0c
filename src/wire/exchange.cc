#include "wire/exchange.h"

#include <fmt/format.h>

#include "wire/anthropic_messages.h"
#include "wire/error_reply.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"

namespace rung::wire {
namespace {

Outgoing edit_chat(const Request& request, std::string_view body, const Target& target) {
  Outgoing out;
  out.hide_usage = request.stream && !request.wants_usage;
  const bool same = request.model == target.model;
  out.body = edit_chat_request(request, body,
                               {.model = same ? std::string_view() : target.model,
                                .effort = target.effort,
                                .ask_usage = out.hide_usage});
  return out;
}

Error cannot(const Request& request, Dialect upstream) {
  return {ErrorCode::kUnsupported, fmt::format("there is no translation from {} to {}",
                                               name(request.dialect), name(upstream))};
}

}  // namespace

Result<Request> parse_request(Dialect dialect, std::string_view body) {
  switch (dialect) {
    case Dialect::kChat:
      return parse_chat_request(body);
    case Dialect::kMessages:
      return parse_messages_request(body);
    case Dialect::kResponses:
    case Dialect::kEmbeddings:
      break;
  }
  return Error{ErrorCode::kUnsupported, fmt::format("{} cannot be read", name(dialect))};
}

std::string why_not(const Request& request, Dialect upstream) {
  if (request.dialect == upstream || request.only_native.empty()) return {};
  return fmt::format("{}, which {} has no form for", request.only_native, name(upstream));
}

Result<Outgoing> make_outgoing(const Request& request, std::string_view body,
                               const Target& target) {
  if (std::string why = why_not(request, target.dialect); !why.empty())
    return Error{ErrorCode::kUnsupported, std::move(why)};
  if (request.dialect == target.dialect) {
    switch (target.dialect) {
      case Dialect::kChat:
        return edit_chat(request, body, target);
      case Dialect::kMessages:
        return edit_messages_request(request, body, target);
      case Dialect::kResponses:
      case Dialect::kEmbeddings:
        break;
    }
  }
  return cannot(request, target.dialect);
}

Result<ReplyFacts> read_reply(Dialect upstream, std::string_view body) {
  const auto root = json::parse(body);
  if (!root) return root.error();
  if (!root->is_object())
    return Error{ErrorCode::kInvalidJson,
                 fmt::format("the reply is {}; expected an object", name(root->kind()))};
  ReplyFacts facts;
  facts.model = text_of(*root, "model");
  const auto usage = present(*root, "usage");
  if (!usage) return facts;
  if (upstream == Dialect::kMessages)
    merge_messages_usage(*usage, facts.usage);
  else
    facts.usage = parse_usage(*usage);
  return facts;
}

Result<std::string> translate_reply(const Request& request, Dialect upstream, std::string_view,
                                    std::vector<std::string>&) {
  return cannot(request, upstream);
}

std::string translate_error(Dialect client, int status, std::string_view body,
                            std::string_view request_id) {
  std::string message, type, param, code;
  if (const auto root = json::parse(body); root && root->is_object()) {
    const auto error = present(*root, "error");
    if (error && error->is_object()) {
      message = text_of(*error, "message");
      type = text_of(*error, "type");
      param = text_of(*error, "param");
      code = text_of(*error, "code");
    } else if (error && error->is_string()) {
      message = error->text();
    } else {  // FastAPI says "detail", others say "message" at the top
      message = text_of(*root, "message");
      if (message.empty()) message = text_of(*root, "detail");
    }
  }
  if (message.empty())
    message = fmt::format("the upstream answered with status {} and no message", status);
  if (client == Dialect::kMessages)
    return messages_error_body(messages_error_type(status), message, request_id);
  if (type.empty()) type = status < 500 ? "invalid_request_error" : "server_error";
  return openai_error_body(message, type, param, code);
}

}  // namespace rung::wire
