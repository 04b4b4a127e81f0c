#include "wire/exchange.h"

#include <fmt/format.h>

#include "json/splice.h"
#include "wire/anthropic_messages.h"
#include "wire/error_reply.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"
#include "wire/openai_responses.h"
#include "wire/stream_sink.h"
#include "wire/translate.h"

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

/// By way of Chat Completions.
Result<Outgoing> responses_to_messages(const Request& request, const Target& target) {
  auto half = responses_to_chat(request, target);
  if (!half) return half.error();
  const auto chat = parse_chat_request(half->body);
  if (!chat) return chat.error();
  auto whole = chat_to_messages(*chat, target);
  if (!whole) return whole.error();
  for (const std::string& field : whole->dropped) half->drop(field);
  whole->dropped = std::move(half->dropped);
  return whole;
}

Result<Request> parse_embeddings_request(std::string_view body) {
  auto root = parse_object(body);
  if (!root) return root.error();
  Request request;
  request.dialect = Dialect::kEmbeddings;
  request.root = *root;
  request.model = text_of(*root, "model");
  request.only_native = "embeddings are asked for";
  if (request.model.empty())
    return bad_field("model", "nothing", "the name of a model; GET /v1/models lists them");
  const auto input = json::find(*root, "input");
  if (!input) return bad_field("input", "nothing", "a text, or an array of texts or tokens");
  request.text_bytes = input->raw.size();
  return request;
}

Outgoing edit_embeddings(const Request& request, std::string_view body, const Target& target) {
  Outgoing out;
  json::Splice splice(body);
  if (request.model != target.model) splice.set(request.root, "model", quoted(target.model));
  out.body = splice.apply();
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
      return parse_responses_request(body);
    case Dialect::kEmbeddings:
      return parse_embeddings_request(body);
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
        return edit_responses_request(request, body, target);
      case Dialect::kEmbeddings:
        return edit_embeddings(request, body, target);
    }
  }
  if (request.dialect == Dialect::kMessages && target.dialect == Dialect::kChat)
    return messages_to_chat(request, target);
  if (request.dialect == Dialect::kChat && target.dialect == Dialect::kMessages)
    return chat_to_messages(request, target);
  if (request.dialect == Dialect::kResponses && target.dialect == Dialect::kChat)
    return responses_to_chat(request, target);
  if (request.dialect == Dialect::kResponses && target.dialect == Dialect::kMessages)
    return responses_to_messages(request, target);
  return cannot(request, target.dialect);
}

bool asks_to_be_stored(const Request& request) {
  if (request.dialect != Dialect::kResponses) return false;
  const auto store = json::find(request.root, "store");
  return !(store && store->raw == "false");
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
  // Nothing is generated: that is known.
  if (upstream == Dialect::kEmbeddings && facts.usage) facts.usage->completion_tokens = 0;
  return facts;
}

Result<std::string> translate_reply(const Request& request, const ReplyContext& context,
                                    std::string_view body, std::vector<std::string>& dropped) {
  const auto answer = context.upstream == Dialect::kMessages ? read_messages_answer(body, dropped)
                                                             : read_chat_answer(body, dropped);
  if (!answer) return answer.error();
  if (request.dialect == Dialect::kMessages) return write_messages_answer(*answer);
  if (request.dialect == Dialect::kResponses) {
    std::string response = write_responses_answer(*answer, request, context.created, context.id,
                                                  context.kept != nullptr);
    if (context.kept != nullptr) *context.kept = response;
    return response;
  }
  return write_chat_answer(*answer, request, context.created);
}

namespace {

/// What an error reply says, whoever wrote it.
struct Said {
  std::string message, type, param, code;
};

Said what_it_says(int status, std::string_view body) {
  Said said;
  if (const auto root = json::parse(body); root && root->is_object()) {
    const auto error = present(*root, "error");
    if (error && error->is_object()) {
      said.message = text_of(*error, "message");
      said.type = text_of(*error, "type");
      said.param = text_of(*error, "param");
      said.code = text_of(*error, "code");
    } else if (error && error->is_string()) {
      said.message = error->text();
    } else {  // FastAPI says "detail", others say "message" at the top
      said.message = text_of(*root, "message");
      if (said.message.empty()) said.message = text_of(*root, "detail");
    }
  }
  if (said.message.empty())
    said.message = fmt::format("the upstream answered with status {} and no message", status);
  return said;
}

}  // namespace

std::string translate_error(Dialect client, int status, std::string_view body,
                            std::string_view request_id) {
  const Said said = what_it_says(status, body);
  if (client == Dialect::kMessages)
    return messages_error_body(messages_error_type(status), said.message, request_id);
  const std::string_view type = !said.type.empty() ? std::string_view(said.type)
                                : status < 500     ? "invalid_request_error"
                                                   : "server_error";
  return openai_error_body(said.message, type, said.param, said.code);
}

Error error_of_reply(int status, std::string_view body) {
  if (status < 400)
    return {ErrorCode::kUpstream, "the upstream answered a request for a stream without one"};
  const ErrorCode code = status == 429  ? ErrorCode::kRateLimited
                         : status < 500 ? ErrorCode::kInvalidArgument
                                        : ErrorCode::kUpstream;
  return {code, what_it_says(status, body).message};
}

std::string error_event(Dialect client, const Error& error) {
  std::string event;
  make_passing_stream(client, false)->break_off(error, event);
  return event;
}

}  // namespace rung::wire
