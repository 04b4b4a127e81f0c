#include "gateway/endpoints.h"

#include <fmt/format.h>

#include "gateway/chat.h"
#include "gateway/count_tokens.h"
#include "gateway/headers.h"
#include "json/value.h"
#include "json/write.h"
#include "net/content_coding.h"
#include "net/url.h"
#include "wire/error_reply.h"

namespace rung::gateway {
namespace {

/// A reply with its request id: the caller's own, or a new one. `allow` is a header where it is not
/// empty.
Task<void> send(Worker& worker, Exchange& exchange, int status, std::string_view type,
                std::string body, std::string_view allow = {}) {
  const state::DecisionId fresh = worker.ids().next(worker.shared().clock.wall_us());
  const std::string_view own = callers_request_id(exchange.head().headers);
  std::vector<HttpHeader> headers{{"x-request-id", own.empty() ? fresh.view() : own}};
  if (!type.empty()) headers.push_back({"content-type", type});
  if (!allow.empty()) headers.push_back({"allow", allow});
  auto sent = co_await exchange.respond(status, headers, body);
  static_cast<void>(sent);  // the client left: there is nobody to tell
}

Task<void> send_json(Worker& worker, Exchange& exchange, int status, std::string body) {
  return send(worker, exchange, status, "application/json", std::move(body));
}

/// The path without `/v1` and without a slash at its end.
std::string_view plain_path(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with("/v1/")) path.remove_prefix(3);
  return path;
}

/// Whose form the errors at a path (of plain_path) have.
wire::Dialect dialect_at(std::string_view path) {
  if (path == "/messages" || path == "/messages/count_tokens") return wire::Dialect::kMessages;
  return wire::Dialect::kChat;
}

Task<void> send_error(Worker& worker, Exchange& exchange, const Error& error) {
  return send_json(worker, exchange, wire::error_reply(error.code).status,
                   wire::error_body(dialect_at(plain_path(exchange.path())), error, {}));
}

void write_model(json::Writer& w, const ModelConfig& model) {
  w.begin_object()
      .key("id")
      .string(model.name)
      .key("object")
      .string("model")
      .key("created")
      .number(0);
  w.key("owned_by").string("rung");
  if (model.abilities.context_tokens)
    w.key("context_length").number(*model.abilities.context_tokens);
  w.end_object();
}

void write_route(json::Writer& w, const Route& route) {
  w.begin_object()
      .key("id")
      .string(route.name)
      .key("object")
      .string("model")
      .key("created")
      .number(0);
  w.key("owned_by").string("rung").key("arms").begin_array();
  std::optional<std::int64_t> context = 0;
  for (const Arm& arm : route.arms) {
    w.string(arm.label);
    const auto own = arm.model->abilities.context_tokens;
    context = context && own ? std::optional(std::max(*context, *own)) : std::nullopt;
  }
  w.end_array();
  if (context) w.key("context_length").number(*context);
  w.end_object();
}

/// The list as Anthropic's clients read it, who say their version.
Task<void> list_for_anthropic(Worker& worker, Exchange& exchange) {
  const auto serving = worker.serving();
  json::Writer w;
  std::string first, last;
  w.begin_object().key("data").begin_array();
  const auto write = [&](const std::string& name) {
    w.begin_object().key("type").string("model").key("id").string(name);
    w.key("display_name").string(name).key("created_at").string("1970-01-01T00:00:00Z");
    w.end_object();
    if (first.empty()) first = name;
    last = name;
  };
  for (const auto& route : serving->snapshot->routes) write(route->name);
  for (const ModelConfig& model : serving->snapshot->config->models) write(model.name);
  w.end_array().key("has_more").boolean(false);
  w.key("first_id").string(first).key("last_id").string(last).end_object();
  co_await send_json(worker, exchange, 200, w.take());
}

Task<void> list_models(Worker& worker, Exchange& exchange) {
  if (!exchange.header("anthropic-version").empty())
    co_return co_await list_for_anthropic(worker, exchange);
  const auto serving = worker.serving();
  json::Writer w;
  w.begin_object().key("object").string("list").key("data").begin_array();
  for (const auto& route : serving->snapshot->routes) write_route(w, *route);
  for (const ModelConfig& model : serving->snapshot->config->models) write_model(w, model);
  w.end_array().end_object();
  co_await send_json(worker, exchange, 200, w.take());
}

Task<void> show_model(Worker& worker, Exchange& exchange, std::string name) {
  const auto serving = worker.serving();
  const Snapshot& snapshot = *serving->snapshot;
  json::Writer w;
  if (const auto route = snapshot.route_by_name.find(name); route != snapshot.route_by_name.end()) {
    write_route(w, *route->second);
  } else if (const auto model = snapshot.model_by_name.find(name);
             model != snapshot.model_by_name.end()) {
    write_model(w, *model->second);
  } else {
    Error error{ErrorCode::kNotFound, fmt::format("there is no model or route \"{}\"", name),
                "model"};
    co_return co_await send_error(worker, exchange, error);
  }
  co_await send_json(worker, exchange, 200, w.take());
}

Result<state::FeedbackRecord> parse_feedback(std::string_view body, const Clock& clock) {
  const auto bad = [](const char* field, std::string_view sentence) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("{}: {}", field, sentence), field};
  };
  const auto root = json::parse(body);
  if (!root) return root.error().with("the request body is not valid JSON");
  if (!root->is_object())
    return Error{ErrorCode::kInvalidArgument,
                 "the request body must be an object with decision_id and score"};
  state::FeedbackRecord feedback;
  const auto id = json::find(*root, "decision_id");
  if (!id || !id->is_string())
    return bad("decision_id", "expected the x-rung-decision-id of a reply");
  const std::string id_text = id->text();
  const auto decision = state::parse_decision_id(id_text);
  if (!decision)
    return Error{ErrorCode::kNotFound, fmt::format("decision_id \"{}\" is no decision's", id_text),
                 "decision_id"};
  feedback.decision = *decision;
  const auto score = json::find(*root, "score");
  const auto value = score ? score->number() : std::nullopt;
  if (!value || !(*value >= 0 && *value <= 1)) return bad("score", "expected a number from 0 to 1");
  feedback.score = *value;
  if (const auto source = json::find(*root, "source"); source && source->is_string())
    feedback.source = source->text();
  if (const auto comment = json::find(*root, "comment"); comment && comment->is_string())
    feedback.comment = comment->text();
  feedback.time_us = clock.wall_us();
  return feedback;
}

Task<void> take_feedback(Worker& worker, Exchange& exchange) {
  auto feedback = parse_feedback(exchange.body(), worker.shared().clock);
  if (!feedback) co_return co_await send_error(worker, exchange, feedback.error());
  if (auto taken = worker.shared().ledger.feedback(*std::move(feedback)); !taken)
    co_return co_await send_error(worker, exchange, taken.error());
  co_await send_json(worker, exchange, 200, R"({"object":"feedback","accepted":true})");
}

Task<void> readiness(Worker& worker, Exchange& exchange) {
  const bool draining = worker.shared().draining.load(std::memory_order_relaxed);
  const state::LedgerStats ledger = worker.shared().ledger.stats();
  json::Writer w;
  w.begin_object().key("ready").boolean(!draining);
  w.key("ledger")
      .begin_object()
      .key("healthy")
      .boolean(ledger.healthy)
      .key("waiting")
      .number(ledger.waiting);
  w.key("lost").number(ledger.lost);
  if (!ledger.healthy) w.key("error").string(ledger.last_error);
  w.end_object().end_object();
  co_await send_json(worker, exchange, draining ? 503 : 200, w.take());
}

Task<void> metrics(Worker& worker, Exchange& exchange) {
  co_await send(worker, exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                worker.shared().metrics.text());
}

/// Undoes the compression of the body. False: it was refused.
Task<bool> unpack(Worker& worker, Exchange& exchange) {
  const std::string_view coding = exchange.header("content-encoding");
  if (coding.empty() || same_name(coding, "identity")) co_return true;
  auto plain =
      decode_content(coding, exchange.body(), worker.serving()->snapshot->config->max_body_bytes);
  if (plain) {
    exchange.body() = *std::move(plain);
    co_return true;
  }
  if (plain.error().code == ErrorCode::kUnsupported) {
    std::string body =
        dialect_at(plain_path(exchange.path())) == wire::Dialect::kMessages
            ? wire::messages_error_body(wire::messages_error_type(415), plain.error().message, {})
            : wire::openai_error_body(plain.error().message, "invalid_request_error",
                                      "content-encoding", "unsupported_encoding");
    co_await send_json(worker, exchange, 415, std::move(body));
  } else {
    co_await send_error(worker, exchange, plain.error());
  }
  co_return false;
}

/// What may be done at a path, as an Allow header says it; "" where there is nothing.
std::string_view allowed_at(std::string_view path) {
  if (path == "/chat/completions" || path == "/messages" || path == "/messages/count_tokens" ||
      path == "/feedback")
    return "POST, OPTIONS";
  if (path == "/models" || path.starts_with("/models/") || path == "/healthz" ||
      path == "/readyz" || path == "/metrics")
    return "GET, HEAD, OPTIONS";
  return {};
}

}  // namespace

Task<void> answer(Worker& worker, Exchange& exchange) {
  const std::string_view path = plain_path(exchange.path());
  const bool is_get = exchange.method() == "GET" || exchange.method() == "HEAD";
  const bool is_post = exchange.method() == "POST";
  if (is_post && !allowed_at(path).empty() && !co_await unpack(worker, exchange)) co_return;
  if (path == "/chat/completions" && is_post)
    co_return co_await answer_chat(worker, exchange, wire::Dialect::kChat);
  if (path == "/responses" && is_post)
    co_return co_await answer_chat(worker, exchange, wire::Dialect::kResponses);
  if (path == "/embeddings" && is_post)
    co_return co_await answer_chat(worker, exchange, wire::Dialect::kEmbeddings);
  if (path == "/messages" && is_post)
    co_return co_await answer_chat(worker, exchange, wire::Dialect::kMessages);
  if (path == "/messages/count_tokens" && is_post)
    co_return co_await answer_count_tokens(worker, exchange);
  if (path == "/feedback" && is_post) co_return co_await take_feedback(worker, exchange);
  if (path == "/models" && is_get) co_return co_await list_models(worker, exchange);
  if (path.starts_with("/models/") && is_get)
    co_return co_await show_model(worker, exchange, percent_decoded(path.substr(8)));
  if (path == "/healthz" && is_get)
    co_return co_await send_json(worker, exchange, 200, R"({"ok":true})");
  if (path == "/readyz" && is_get) co_return co_await readiness(worker, exchange);
  if (path == "/metrics" && is_get) co_return co_await metrics(worker, exchange);
  const std::string_view allowed = allowed_at(path);
  // No word about other origins: a website must not be able to spend the user's money.
  if (exchange.method() == "OPTIONS" && !allowed.empty())
    co_return co_await send(worker, exchange, 204, {}, {}, allowed);
  const std::string sentence =
      allowed.empty() ? fmt::format(
                            "there is nothing at {}; requests go to /v1/chat/completions, "
                            "/v1/messages, /v1/responses or /v1/embeddings",
                            exchange.path())
                      : fmt::format("{} does not take {}; it takes {}", exchange.path(),
                                    exchange.method(), allowed);
  const std::string body =
      dialect_at(path) == wire::Dialect::kMessages
          ? wire::messages_error_body(wire::messages_error_type(405), sentence, {})
          : wire::openai_error_body(sentence, "invalid_request_error", "",
                                    allowed.empty() ? "not_found" : "method_not_allowed");
  co_await send(worker, exchange, allowed.empty() ? 404 : 405, "application/json", body, allowed);
}

}  // namespace rung::gateway
