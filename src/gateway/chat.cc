#include "gateway/chat.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "gateway/ask_classifier.h"
#include "gateway/headers.h"
#include "gateway/record.h"
#include "net/sse.h"
#include "wire/error_reply.h"
#include "wire/openai_chat.h"

namespace rung::gateway {
namespace {

constexpr std::size_t kMaxReplyBytes = 256u << 20;

std::int64_t us_between(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

/// One request from arrival to its record.
class ChatCall {
 public:
  ChatCall(Worker& worker, Exchange& exchange)
      : worker_(worker),
        exchange_(exchange),
        serving_(worker.serving()),
        arrived_(exchange.received()) {}
  ChatCall(const ChatCall&) = delete;
  ChatCall& operator=(const ChatCall&) = delete;
  /// The frame of a request that still runs is destroyed when the gateway stops at once, or when
  /// its patience ends: what was asked of an upstream is billed all the same.
  ~ChatCall() {
    if (remembered_ || !record_.id.is_set()) return;
    const Error error{ErrorCode::kInternal, "the gateway was stopped while this request ran"};
    if (!record_.calls.empty() && call().end_us == 0) {
      end_call(error);
      if (has_answer_call()) record_usage(choice_, usage_, produced_, call());
    }
    note_failure(error);
    remember();
  }

  Task<void> run() {
    begin();
    // 1. Understand.
    auto request = wire::parse_chat_request(exchange_.body());
    if (!request) co_return co_await refuse(request.error());
    record_.requested_model = request->model;
    record_.streaming = request->stream;
    // 2. Decide; a classifier or a slow predictor is waited for first.
    auto overrides = parse_overrides(
        exchange_.header("x-rung-usd-per-point"), exchange_.header("x-rung-target-quality"),
        exchange_.header("x-rung-max-cost"), exchange_.header("x-rung-arm"));
    if (!overrides) co_return co_await refuse(overrides.error());
    Ahead ahead;
    if (const Route* route = looks_ahead(*serving_->snapshot, *request, *overrides)) {
      const TimePoint before = std::chrono::steady_clock::now();
      Task<Result<Ahead>> question =
          route->classifier ? ask_classifier(*serving_, *route, request->prompt, arrived_,
                                             exchange_.client_gone(), record_)
                            : worker_.shared().helpers.estimate(
                                  worker_.loop(), *route, request->prompt, exchange_.client_gone());
      auto asked = co_await question;
      // A classifier is somebody else's time, a slow predictor is ours.
      (route->classifier ? waited_us_ : decision_us_) +=
          us_between(before, std::chrono::steady_clock::now());
      if (!asked) co_return co_await refuse(asked.error());
      ahead = *std::move(asked);
    }
    if (auto decided = decide(*request, *overrides, ahead); !decided)
      co_return co_await refuse(decided.error());
    // 3. Ask.
    co_await ask(*request);
    if (!response_) co_return co_await refuse(failure_);
    // 4. Pass the answer on, as it comes.
    if (is_stream()) {
      co_await relay_stream();
    } else {
      co_await relay_whole();
    }
    // 5. Remember, also what failed.
    remember();
  }

 private:
  void begin() {
    const std::int64_t wall = worker_.shared().clock.wall_us();
    record_.id = worker_.ids().next(wall);
    record_.time_us = wall;
    record_.seed = hash64(record_.id.view());
  }

  Result<void> decide(const wire::ChatRequest& request, const Overrides& overrides,
                      const Ahead& ahead) {
    const TimePoint before = std::chrono::steady_clock::now();
    auto choice = decide_chat(*serving_->snapshot, request, overrides, record_.seed,
                              worker_.scratch(), &ahead);
    decision_us_ += us_between(before, std::chrono::steady_clock::now());
    if (!choice) return choice.error();
    choice_ = *std::move(choice);
    if (choice_.threshold)
      if (LiveShareCell* cell = serving_->live_shares[choice_.route->index]; cell != nullptr)
        cell->add(*choice_.threshold);
    record_.prompt_hash = hash64(request.prompt);
    if (serving_->snapshot->config->ledger.keep_prompts) record_.prompt = request.prompt;
    record_choice(choice_, record_);
    return {};
  }

  const UpstreamConfig& upstream() const {
    return serving_->snapshot->config->upstreams[choice_.model->upstream];
  }

  Task<void> ask(const wire::ChatRequest& request) {
    hide_usage_ = request.stream && !request.wants_usage;
    const wire::ChatEdits edits{.model = request.model == choice_.model->upstream_name
                                             ? std::string_view()
                                             : std::string_view(choice_.model->upstream_name),
                                .effort = choice_.arm != nullptr
                                              ? std::string_view(choice_.arm->effort)
                                              : std::string_view(),
                                .ask_usage = hide_usage_};
    const std::string edited = edit_chat_request(request, exchange_.body(), edits);
    const std::string target = upstream().base_url.path + "/chat/completions";
    std::string authorization;
    std::vector<HttpHeader> headers;
    headers.reserve(16);
    request_headers(exchange_.head().headers, upstream(), authorization, headers);

    state::CallRecord& call = record_.calls.emplace_back();
    call.upstream = record_.upstream = upstream().name;
    call.model = choice_.model->upstream_name;
    asked_ = std::chrono::steady_clock::now();
    call.start_us = us_between(arrived_, asked_);
    ClientPool& pool = *serving_->pools[choice_.model->upstream];
    ClientRequest out;
    out.target = target;
    out.headers = headers;
    out.body = edited;
    const Deadline head_deadline{asked_ + upstream().first_byte_timeout};
    auto response = co_await pool.request(out, exchange_.client_gone(), head_deadline);
    waited_us_ += us_between(asked_, std::chrono::steady_clock::now());
    if (!response) {
      failure_ = response.error();
      end_call(failure_);
      co_return;
    }
    response_.emplace(*std::move(response));
    response_->set_deadline(Deadline{asked_ + upstream().timeout});
    call.status = response_->status();
    call.first_byte_us = us_between(arrived_, response_->first_byte());
  }

  bool is_stream() const {
    constexpr std::string_view kEvents = "text/event-stream";
    return same_name(response_->header("content-type").substr(0, kEvents.size()), kEvents);
  }

  /// The head of our reply: the upstream's headers and what was decided. `cost` only where it is
  /// already known.
  void reply_headers(std::optional<state::NanoUsd> cost) {
    response_headers(response_->head().headers, upstream(), headers_);
    decision_headers(cost);
  }

  void default_header(std::string_view name, std::string_view value) {
    for (const HttpHeader& header : headers_)
      if (same_name(header.name, name)) return;
    headers_.push_back({name, value});
  }

  void decision_headers(std::optional<state::NanoUsd> cost) {
    if (const std::string_view own = callers_request_id(exchange_.head().headers); !own.empty()) {
      for (HttpHeader& header : headers_)
        if (same_name(header.name, "x-request-id")) header.name = "x-rung-upstream-request-id";
      headers_.push_back({"x-request-id", own});
    } else {
      default_header("x-request-id", record_.id.view());
    }
    headers_.push_back({"x-rung-decision-id", record_.id.view()});
    if (choice_.model == nullptr) return;
    if (choice_.route != nullptr) headers_.push_back({"x-rung-route", choice_.route->name});
    headers_.push_back({"x-rung-model", choice_.model->name});
    headers_.push_back({"x-rung-arm", record_.arm});
    reason_ = header_text(record_.reason);
    headers_.push_back({"x-rung-reason", reason_});
    if (cost) {
      cost_ = fmt::format("{:.9f}", cost->usd().value);
      headers_.push_back({"x-rung-cost", cost_});
      return;
    }
    for (const ArmOutlook& look : choice_.outlook) {
      if (look.arm != choice_.arm || !look.cost_usd) continue;
      cost_ = fmt::format("{:.9f}", *look.cost_usd);
      headers_.push_back({"x-rung-estimated-cost", cost_});
    }
  }

  Task<void> relay_whole() {
    const TimePoint before = std::chrono::steady_clock::now();
    auto body = co_await response_->read_all(kMaxReplyBytes);
    waited_us_ += us_between(before, std::chrono::steady_clock::now());
    if (!body) {
      end_call(body.error());
      failure_ = body.error();
      co_return co_await answer_error();
    }
    const bool success = response_->status() < 400;
    std::optional<wire::Usage> usage;
    if (success) {
      if (auto reply = wire::parse_chat_reply(*body)) {
        usage = std::move(reply->usage);
      } else {
        call().error = reply.error().with("the reply is not the JSON it should be").message;
      }
    }
    finish_call(success ? state::Outcome::kOk : state::Outcome::kUpstreamError);
    if (!success)
      call().error = record_.error =
          fmt::format("{} answered with status {}", upstream().name, response_->status());
    if (success || usage) record_usage(choice_, usage, 0, call());
    record_.outcome = call().outcome;
    record_.http_status = response_->status();
    reply_headers(whole_cost());
    auto sent = co_await exchange_.respond(response_->status(), headers_, *body);
    first_byte_ = std::chrono::steady_clock::now();
    if (!sent) client_left(sent.error());
  }

  Task<void> relay_stream() {
    reply_headers(std::nullopt);
    // Proxies in front of us (nginx) hold a stream back unless they are told not to.
    default_header("cache-control", "no-cache");
    default_header("x-accel-buffering", "no");
    record_.http_status = response_->status();
    SseSplitter splitter;
    bool upstream_error = false, is_whole = response_->status() >= 400;
    std::string out;
    if (auto started = co_await exchange_.start(response_->status(), headers_); !started) {
      end_call(started.error());
      co_return client_left(started.error());
    }
    for (;;) {
      const TimePoint before = std::chrono::steady_clock::now();
      auto piece = co_await response_->read();
      const TimePoint came = std::chrono::steady_clock::now();
      waited_us_ += us_between(before, came);
      if (!piece) {
        end_call(piece.error());
        record_usage(choice_, usage_, produced_, call());
        co_return co_await break_off(piece.error());
      }
      const bool last = piece->empty();
      out.clear();
      splitter.feed(*piece);
      for (SseEvent event; splitter.next(event);) {
        if (event.has_data) {
          wire::ChatChunk chunk = wire::read_chat_chunk(event.data);
          const bool only_usage = !chunk.has_choices && chunk.usage.has_value();
          if (chunk.usage) usage_ = std::move(chunk.usage);
          upstream_error = upstream_error || chunk.is_error;
          is_whole = is_whole || chunk.is_done || chunk.is_error || chunk.is_last;
          if (chunk.has_choices) ++produced_;
          if (hide_usage_ && only_usage && !chunk.is_error) continue;
        }
        out.append(event.raw);
      }
      if (last) {
        const wire::ChatChunk rest = wire::read_chat_chunk(splitter.rest());
        is_whole =
            is_whole || rest.is_last || splitter.rest().find("[DONE]") != std::string_view::npos;
      }
      // Some hosts and proxies end a stream that broke as if it were whole.
      if (splitter.overflow() || (last && !is_whole)) {
        const Error error{ErrorCode::kUpstream,
                          splitter.overflow()
                              ? "the upstream sent an event without end"
                              : "the upstream's stream ended without a finish_reason or [DONE]"};
        end_call(error);
        record_usage(choice_, usage_, produced_, call());
        co_return co_await break_off(error);
      }
      if (last) out.append(splitter.rest());
      if (!out.empty()) {
        if (first_byte_ == TimePoint{}) first_byte_ = came;
        if (auto sent = co_await exchange_.write(out); !sent) {
          end_call(sent.error());
          record_usage(choice_, usage_, produced_, call());
          co_return client_left(sent.error());
        }
      }
      if (last) break;
    }
    finish_call(upstream_error ? state::Outcome::kUpstreamError : state::Outcome::kOk);
    if (upstream_error)
      call().error = record_.error = "the upstream reported an error in its stream";
    record_usage(choice_, usage_, produced_, call());
    record_.outcome = call().outcome;
    if (auto sent = co_await exchange_.finish(); !sent) client_left(sent.error());
  }

  /// A stream that was cut: the client is told in an event, and the connection ends in a way that
  /// is no proper end.
  Task<void> break_off(const Error& error) {
    note_failure(error);
    if (error.code == ErrorCode::kCancelled) co_return;
    const std::string event = fmt::format("data: {}\n\n", wire::openai_error_body(error));
    auto sent = co_await exchange_.write(event);
    static_cast<void>(sent);  // the connection is given up in either case
    exchange_.abort();
  }

  state::CallRecord& call() { return record_.calls.back(); }
  /// Whether a model was asked for the answer itself, and not only a classifier about it.
  bool has_answer_call() const {
    return !record_.calls.empty() && record_.calls.back().step.empty();
  }

  /// Of all calls so far; empty if one is not known.
  std::optional<state::NanoUsd> whole_cost() const {
    state::NanoUsd sum;
    for (const state::CallRecord& made : record_.calls) {
      if (!made.cost) return std::nullopt;
      sum += *made.cost;
    }
    return sum;
  }

  void finish_call(state::Outcome outcome) {
    call().outcome = outcome;
    call().end_us = us_between(arrived_, std::chrono::steady_clock::now());
  }

  static state::Outcome outcome_of(ErrorCode code) {
    switch (code) {
      case ErrorCode::kCancelled:
        return state::Outcome::kClientGone;
      case ErrorCode::kTimeout:
        return state::Outcome::kTimeout;
      case ErrorCode::kUpstream:
      case ErrorCode::kUnavailable:
      case ErrorCode::kTooLarge:
        return state::Outcome::kUpstreamError;
      default:
        return state::Outcome::kInternal;
    }
  }

  void end_call(const Error& error) {
    finish_call(outcome_of(error.code));
    call().error = error.message;
    // Nobody was reached: nothing can have been charged.
    if (error.code == ErrorCode::kUnavailable) call().cost = state::NanoUsd{0};
  }

  void note_failure(const Error& error) {
    record_.outcome = outcome_of(error.code);
    record_.error = error.message;
    if (error.code == ErrorCode::kCancelled) record_.http_status = 499;
  }

  void client_left(const Error& error) {
    record_.outcome = state::Outcome::kClientGone;
    record_.error = error.message;
    record_.http_status = 499;
  }

  /// Our own error reply, before any byte of an answer.
  Task<void> answer_error() {
    const bool ours = !has_answer_call() && failure_.code != ErrorCode::kCancelled;
    if (ours) {
      record_.outcome = state::Outcome::kRefused;
      record_.error = failure_.message;
    } else {
      note_failure(failure_);
    }
    if (failure_.code == ErrorCode::kCancelled) co_return;
    // What is too large here is the upstream's reply, not the client's request.
    const wire::ErrorReply reply = wire::error_reply(
        !ours && failure_.code == ErrorCode::kTooLarge ? ErrorCode::kUpstream : failure_.code);
    record_.http_status = reply.status;
    headers_.clear();
    headers_.push_back({"content-type", "application/json"});
    if (reply.status == 503) headers_.push_back({"retry-after", "1"});
    response_.reset();
    decision_headers(std::nullopt);
    const std::string body = wire::openai_error_body(failure_);
    auto sent = co_await exchange_.respond(reply.status, headers_, body);
    if (!sent) client_left(sent.error());
  }

  Task<void> refuse(Error error) {
    failure_ = std::move(error);
    co_await answer_error();
    remember();
  }

  void remember() {
    remembered_ = true;
    const TimePoint end = std::chrono::steady_clock::now();
    record_.total_us = us_between(arrived_, end);
    record_.gateway_us = record_.total_us - waited_us_;
    if (first_byte_ != TimePoint{}) record_.first_byte_us = us_between(arrived_, first_byte_);
    if (has_answer_call()) record_reference(choice_, call(), record_);
    Shared& shared = worker_.shared();
    shared.metrics.record(worker_.index(), record_, decision_us_);
    shared.ledger.append(std::move(record_), worker_.index());
  }

  Worker& worker_;
  Exchange& exchange_;
  std::shared_ptr<const Serving>
      serving_;  // a reload swaps the worker's; this request ends on its own
  TimePoint arrived_, asked_, first_byte_;
  std::int64_t waited_us_ = 0, decision_us_ = 0;
  Choice choice_;
  state::RequestRecord record_;
  std::optional<ClientResponse> response_;
  Error failure_;
  bool hide_usage_ = false, remembered_ = false;
  std::optional<wire::Usage> usage_;  // of a stream, so far
  std::int64_t produced_ = 0;         // chunks with choices
  // Working memory of the reply's head; views of headers_ point into the rest.
  std::vector<HttpHeader> headers_;
  std::string reason_, cost_;
};

}  // namespace

Task<void> answer_chat(Worker& worker, Exchange& exchange) {
  ChatCall call(worker, exchange);
  co_await call.run();
}

}  // namespace rung::gateway
