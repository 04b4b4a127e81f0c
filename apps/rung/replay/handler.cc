#include "replay/handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "json/write.h"
#include "wire/error_reply.h"

namespace rung::replay {
namespace {

constexpr std::int64_t kCreated =
    1'700'000'000;  // fixed, so that the same request gives the same bytes
constexpr std::chrono::milliseconds kSlowToken{200};
constexpr HttpHeader kJson[] = {{"content-type", "application/json"}};

std::string not_found(std::string_view message, std::string_view code) {
  return wire::openai_error_body(message, "invalid_request_error", "model", code);
}

/// At most `tokens` tokens of about four bytes, cut between UTF-8 characters.
bool shorten(std::string& text, std::int64_t tokens) {
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(tokens, 0)) * 4;
  if (text.size() <= limit) return false;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return true;
}

}  // namespace

/// Everything about one answer, made before its first byte.
struct Handler::Reply {
  Fault fault = Fault::kNone;
  std::string id, model;
  std::vector<Message> choices;
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
  bool estimated = false;  // one of the two was not recorded
  bool wants_usage = false;
  std::string record;  // JSON about the row: x_replay

  void write_usage(json::Writer& out) const {
    out.key("usage").begin_object();
    out.key("prompt_tokens").number(prompt_tokens);
    out.key("completion_tokens").number(completion_tokens);
    out.key("total_tokens").number(prompt_tokens + completion_tokens);
    if (estimated) out.key("x_estimated").boolean(true);
    out.end_object();
  }
  std::string_view finish_reason(std::size_t choice) const {
    return choices[choice].is_call ? "tool_calls" : choices[choice].cut_short ? "length" : "stop";
  }
  std::string call_id(std::size_t choice) const {
    return fmt::format("call_{}_{}", std::string_view(id).substr(9), choice);
  }
  /// An event with one choice; `delta` is JSON.
  std::string event(std::size_t choice, std::string_view delta, std::string_view finish) const {
    json::Writer out;
    begin_chunk(out);
    out.key("choices").begin_array().begin_object();
    out.key("index").number(choice).key("delta").raw(delta);
    out.key("logprobs").null().key("finish_reason");
    if (finish.empty()) {
      out.null();
    } else {
      out.string(finish);
    }
    out.end_object().end_array();
    if (wants_usage) out.key("usage").null();
    out.end_object();
    return "data: " + out.take() + "\n\n";
  }
  void begin_chunk(json::Writer& out) const {
    out.begin_object().key("id").string(id).key("object").string("chat.completion.chunk");
    out.key("created").number(kCreated).key("model").string(model);
  }
};

Task<void> Handler::operator()(Exchange& exchange) {
  std::string_view path = exchange.path();
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with("/v1/")) path.remove_prefix(3);
  if (path == "/chat/completions") {
    if (exchange.method() != "POST") {
      co_await fail(exchange, 405,
                    wire::openai_error_body("use POST", "invalid_request_error", "", ""));
      co_return;
    }
    co_await chat(exchange);
    co_return;
  }
  if (path == "/models" || path == "/stats" || path == "/healthz") {
    const std::string body = path == "/models" ? models_body() : stats_body();
    (void)co_await exchange.respond(200, kJson, body);
    co_return;
  }
  const std::string message =
      fmt::format("there is no {} here; the paths are /v1/chat/completions, /v1/models and /stats",
                  exchange.path());
  co_await fail(exchange, 404, wire::openai_error_body(message, "invalid_request_error", "", ""));
}

Task<void> Handler::fail(Exchange& exchange, int status, std::string body) {
  const HttpHeader headers[] = {{"content-type", "application/json"}, {"retry-after", "1"}};
  (void)co_await exchange.respond(
      status, status == 429 ? std::span<const HttpHeader>(headers) : kJson, body);
}

Task<bool> Handler::wait(Exchange& exchange, Duration time) {
  if (exchange.client_gone().cancelled()) co_return false;
  if (time <= Duration::zero()) co_return true;
  const auto slept = co_await exchange.loop().sleep_for(time, exchange.client_gone());
  co_return slept.has_value();
}

Task<void> Handler::chat(Exchange& exchange) {
  ++stats_.requests;
  // 1. What is asked.
  auto request = wire::parse_chat_request(exchange.body());
  if (!request) {
    const auto reply = wire::error_reply(request.error().code);
    co_await fail(exchange, reply.status, wire::openai_error_body(request.error()));
    co_return;
  }
  // 2. What shall go wrong: as the request says, else by the dice.
  Fault fault = faults_.draw();
  if (const auto marked = take_marker(request->prompt)) fault = *marked;
  if (const std::string_view header = exchange.header("x-replay-fault"); !header.empty()) {
    const auto named = fault_named(header);
    if (!named) {
      const std::string message =
          fmt::format("x-replay-fault: \"{}\" is no fault; see rung replay --help", header);
      co_await fail(exchange, 400,
                    wire::openai_error_body(message, "invalid_request_error", "", ""));
      co_return;
    }
    fault = *named;
  }
  if (fault != Fault::kNone) ++stats_.faults;
  if (fault == Fault::kRefuse) co_return exchange.abort();
  if (fault == Fault::kReset) co_return exchange.reset();
  if (fault == Fault::k429) {
    co_await fail(exchange, 429,
                  wire::openai_error_body("replay: too many requests, on purpose",
                                          "rate_limit_error", "", "rate_limit_exceeded"));
    co_return;
  }
  if (fault == Fault::k500 || fault == Fault::k503) {
    const int status = fault == Fault::k500 ? 500 : 503;
    co_await fail(exchange, status,
                  wire::openai_error_body("replay: a failure, on purpose", "server_error", "",
                                          "replay_fault"));
    co_return;
  }
  // 3. The answer.
  if (!data_.has_model(request->model)) {
    const std::string message = fmt::format(
        "The model `{}` does not exist: no row of the replayed files names it", request->model);
    co_await fail(exchange, 404, not_found(message, "model_not_found"));
    co_return;
  }
  auto reply = prepare(*request);
  if (!reply) {
    co_await fail(exchange, 404, not_found(reply.error().message, "prompt_not_found"));
    co_return;
  }
  reply->fault = fault;
  if (fault == Fault::kWrongModel) reply->model += "-other";
  if (fault == Fault::kStall && !request->stream) {
    (void)co_await wait(exchange, std::chrono::hours(24));
    ++stats_.aborted;
    co_return;
  }
  if (!co_await wait(exchange, pace_.first_token)) {
    ++stats_.aborted;
    co_return;
  }
  // 4. Sent, at the pace asked for.
  if (request->stream) {
    co_await stream(exchange, *reply);
  } else {
    co_await whole(exchange, *reply);
  }
}

Result<Handler::Reply> Handler::prepare(const wire::ChatRequest& request) {
  Reply reply;
  reply.model = request.model;
  reply.wants_usage = request.wants_usage;
  reply.id = fmt::format("chatcmpl-{:016x}", hash64(request.prompt, hash64(request.model)));
  // The recorded prompt may hold the offered tools behind the text, or the text alone.
  auto found = data_.find(request.prompt, request.model);
  if (!found) {
    const std::size_t tools = request.prompt.rfind("\n\nTools:");
    if (tools != std::string::npos)
      found = data_.find(std::string_view(request.prompt).substr(0, tools), request.model);
  }
  json::Writer record;
  record.begin_object();
  if (!found) {
    ++stats_.unknown;
    if (strict_) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format("no replayed row has this prompt and an answer of `{}`", request.model)};
    }
    record.key("id").null();
  } else {
    record.key("id").string(found->id).key("exact").boolean(found->exact);
  }
  const std::int64_t count = std::clamp<std::int64_t>(request.choices, 1, 128);
  bool first = true;
  for (std::int64_t i = 0; i < count; ++i) {
    std::string text;
    const Answer* answer = nullptr;
    if (found) {
      std::uint64_t turn = 0;
      if (found->answers.size() > 1)
        turn = next_sample_[std::string(found->id) + '\0' + request.model]++;
      answer = &found->answers[turn % found->answers.size()];
      if (answer->output) {
        text = *answer->output;
      } else if (answer->score == 1.0 && found->reference) {
        text = *found->reference;
      } else {
        text = fmt::format("This is the recorded answer of {} to {}; its text was not kept.",
                           request.model, found->id);
      }
    } else {
      text = fmt::format(
          "This is a replayed upstream, and nothing was recorded of {} for this prompt. "
          "The answer is the same each time it is asked.",
          request.model);
    }
    const std::size_t full = text.size();
    Message message = compose(request.root, std::move(text));
    const bool as_recorded = !message.is_call && message.content.size() == full;
    if (request.max_tokens && !message.is_call && !request.has_json_schema) {
      message.cut_short = shorten(message.content, *request.max_tokens);
    }
    if (answer != nullptr && answer->completion_tokens && as_recorded && !message.cut_short) {
      reply.completion_tokens += *answer->completion_tokens;
    } else {
      reply.estimated = true;
      reply.completion_tokens +=
          estimate_tokens(message.is_call ? message.call_name.size() + message.call_arguments.size()
                                          : message.content.size());
    }
    if (answer != nullptr && first) {
      if (answer->prompt_tokens) reply.prompt_tokens = *answer->prompt_tokens;
      record.key("score").number_or_null(answer->score).key("cost").number_or_null(answer->cost);
    }
    if (answer != nullptr) stats_.cost += answer->cost.value_or(0);
    if (first && (answer == nullptr || !answer->prompt_tokens)) {
      reply.estimated = true;
      reply.prompt_tokens = estimate_tokens(request.text_bytes);
    }
    first = false;
    reply.choices.push_back(std::move(message));
  }
  record.end_object();
  reply.record = record.take();
  stats_.prompt_tokens += reply.prompt_tokens;
  stats_.completion_tokens += reply.completion_tokens;
  return reply;
}

Duration Handler::token_time(Fault fault) const {
  if (fault == Fault::kSlow) return kSlowToken;
  if (pace_.tokens_per_second <= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(1.0 / pace_.tokens_per_second));
}

Task<void> Handler::whole(Exchange& exchange, const Reply& reply) {
  const auto tokens = std::max<std::int64_t>(reply.completion_tokens - 1, 0);
  if (!co_await wait(exchange, token_time(reply.fault) * tokens)) {
    ++stats_.aborted;
    co_return;
  }
  json::Writer out;
  out.begin_object().key("id").string(reply.id).key("object").string("chat.completion");
  out.key("created").number(kCreated).key("model").string(reply.model).key("choices").begin_array();
  for (std::size_t i = 0; i < reply.choices.size(); ++i) {
    const Message& message = reply.choices[i];
    out.begin_object().key("index").number(i).key("message").begin_object().key("role").string(
        "assistant");
    if (message.is_call) {
      out.key("content").null().key("tool_calls").begin_array().begin_object();
      out.key("id")
          .string(reply.call_id(i))
          .key("type")
          .string("function")
          .key("function")
          .begin_object();
      out.key("name").string(message.call_name).key("arguments").string(message.call_arguments);
      out.end_object().end_object().end_array();
    } else {
      out.key("content").string(message.content);
    }
    out.key("refusal").null().end_object();
    out.key("logprobs").null().key("finish_reason").string(reply.finish_reason(i)).end_object();
  }
  out.end_array();
  reply.write_usage(out);
  out.key("x_replay").raw(reply.record).end_object();
  std::string body = out.take();
  if (reply.fault == Fault::kMalformedJson) body.resize(body.size() / 2);
  if (reply.fault == Fault::kEmpty) body.clear();
  if (reply.fault == Fault::kCut) {
    // In chunks, so that the cut shows in the framing and not in the JSON only.
    if (!co_await exchange.start(200, kJson)) co_return;
    (void)co_await exchange.write(std::string_view(body).substr(0, body.size() / 2));
    exchange.abort();
    co_return;
  }
  const HttpHeader headers[] = {{"content-type", "application/json"}, {"x-request-id", reply.id}};
  if (co_await exchange.respond(200, headers, body)) {
    ++stats_.answered;
  } else {
    ++stats_.aborted;
  }
}

Task<bool> Handler::stream_choice(Exchange& exchange, const Reply& reply, std::size_t index) {
  const Message& message = reply.choices[index];
  const Duration pause = token_time(reply.fault);
  json::Writer opening;
  opening.begin_object().key("role").string("assistant");
  if (message.is_call) {
    opening.key("content").null().key("tool_calls").begin_array().begin_object();
    opening.key("index")
        .number(0)
        .key("id")
        .string(reply.call_id(index))
        .key("type")
        .string("function");
    opening.key("function")
        .begin_object()
        .key("name")
        .string(message.call_name)
        .key("arguments")
        .string("");
    opening.end_object().end_object().end_array();
  } else {
    opening.key("content").string("");
  }
  opening.end_object();
  const std::string head = reply.event(index, opening.text(), "");
  if (!co_await exchange.write(head)) co_return false;
  const std::vector<std::string_view> pieces =
      token_pieces(message.is_call ? message.call_arguments : message.content);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if ((reply.fault == Fault::kCut || reply.fault == Fault::kStall) && i >= pieces.size() / 2) {
      if (reply.fault == Fault::kStall && !co_await wait(exchange, std::chrono::hours(24)))
        ++stats_.aborted;
      exchange.abort();
      co_return false;
    }
    if (i > 0 && !co_await wait(exchange, pause)) {
      ++stats_.aborted;
      co_return false;
    }
    json::Writer delta;
    if (message.is_call) {
      delta.begin_object().key("tool_calls").begin_array().begin_object().key("index").number(0);
      delta.key("function").begin_object().key("arguments").string(pieces[i]).end_object();
      delta.end_object().end_array().end_object();
    } else {
      delta.begin_object().key("content").string(pieces[i]).end_object();
    }
    std::string event = reply.event(index, delta.text(), "");
    if (reply.fault == Fault::kMalformedJson && i == pieces.size() / 2)
      event = event.substr(0, event.size() / 2) + "\n\n";
    if (!co_await exchange.write(event)) {
      ++stats_.aborted;
      co_return false;
    }
  }
  if (pieces.empty() && reply.fault == Fault::kCut) {
    exchange.abort();
    co_return false;
  }
  const std::string last = reply.event(index, "{}", reply.finish_reason(index));
  const auto sent = co_await exchange.write(last);
  co_return sent.has_value();
}

Task<void> Handler::stream(Exchange& exchange, const Reply& reply) {
  const HttpHeader headers[] = {{"content-type", "text/event-stream"},
                                {"cache-control", "no-cache"},
                                {"x-accel-buffering", "no"},
                                {"x-request-id", reply.id}};
  if (!co_await exchange.start(200, headers)) co_return;
  if (reply.fault == Fault::kEmpty) {
    (void)co_await exchange.finish();
    co_return;
  }
  for (std::size_t i = 0; i < reply.choices.size(); ++i) {
    if (!co_await stream_choice(exchange, reply, i)) co_return;
  }
  std::string end;
  if (reply.wants_usage) {
    json::Writer out;
    reply.begin_chunk(out);
    out.key("choices").begin_array().end_array();
    reply.write_usage(out);
    out.key("x_replay").raw(reply.record).end_object();
    end = "data: " + out.take() + "\n\n";
  }
  end += "data: [DONE]\n\n";
  (void)co_await exchange.write(end);
  if (co_await exchange.finish()) {
    ++stats_.answered;
  } else {
    ++stats_.aborted;
  }
}

std::string Handler::models_body() const {
  json::Writer out;
  out.begin_object().key("object").string("list").key("data").begin_array();
  for (const std::string& model : data_.models()) {
    out.begin_object().key("id").string(model).key("object").string("model");
    out.key("created").number(kCreated).key("owned_by").string("replay").end_object();
  }
  out.end_array().end_object();
  return out.take();
}

std::string Handler::stats_body() const {
  json::Writer out;
  out.begin_object()
      .key("requests")
      .number(stats_.requests)
      .key("answered")
      .number(stats_.answered);
  out.key("aborted")
      .number(stats_.aborted)
      .key("unknown")
      .number(stats_.unknown)
      .key("faults")
      .number(stats_.faults);
  out.key("tokens").number(stats_.prompt_tokens + stats_.completion_tokens);
  out.key("prompt_tokens")
      .number(stats_.prompt_tokens)
      .key("completion_tokens")
      .number(stats_.completion_tokens);
  out.key("cost").number(stats_.cost).end_object();
  return out.take() + "\n";
}

}  // namespace rung::replay
