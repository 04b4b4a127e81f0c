#include "gateway/chat.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "gateway/ask_classifier.h"
#include "gateway/headers.h"
#include "gateway/keep_alive.h"
#include "gateway/record.h"
#include "gateway/upstream_request.h"
#include "net/sse.h"
#include "wire/error_reply.h"
#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::gateway {
namespace {

constexpr std::size_t kMaxReplyBytes = 256u << 20;

std::int64_t us_between(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

/// One request from arrival to its record.
class ChatCall {
 public:
  ChatCall(Worker& worker, Exchange& exchange, wire::Dialect dialect)
      : worker_(worker),
        exchange_(exchange),
        dialect_(dialect),
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
      if (has_answer_call()) record_stream_usage();
    }
    note_failure(error);
    remember();
  }

  Task<void> run() {
    begin();
    // 1. Understand.
    auto request = wire::parse_request(dialect_, exchange_.body());
    if (!request) co_return co_await refuse(request.error());
    if (auto whole =
            worker_.shared().responses.expand(record_.key_name, *request, exchange_.body())) {
      // What it refers to is known here: it is read again with that in place.
      exchange_.body() = *std::move(whole);
      request = wire::parse_request(dialect_, exchange_.body());
      if (!request) co_return co_await refuse(request.error());
    }
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
    if (request->stream)
      keep_alive_.begin(serving_->snapshot->config->keep_alive, [this] { start_early(); });
    co_await ask(*request);
    if (!response_) co_return co_await refuse(failure_);
    // 4. Pass the answer on, as it comes.
    if (is_stream()) {
      co_await relay_stream(*request);
    } else {
      co_await relay_whole(*request);
    }
    if (!kept_.empty()) worker_.shared().responses.keep(record_.key_name, *request, kept_);
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

  Result<void> decide(const wire::Request& request, const Overrides& overrides,
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

  Task<void> ask(const wire::Request& request) {
    UpstreamRequest sent;
    if (auto made = make_upstream_request(
            exchange_.head(), exchange_.body(), request, *choice_.model,
            choice_.arm != nullptr ? std::string_view(choice_.arm->effort) : std::string_view(),
            upstream(), sent);
        !made) {
      failure_ = made.error();
      co_return;
    }
    state::CallRecord& call = record_.calls.emplace_back();
    call.upstream = record_.upstream = upstream().name;
    call.model = choice_.model->upstream_name;
    asked_ = std::chrono::steady_clock::now();
    call.start_us = us_between(arrived_, asked_);
    ClientPool& pool = *serving_->pools[choice_.model->upstream];
    ClientRequest out;
    out.target = sent.target;
    out.headers = sent.headers;
    out.body = sent.body;
    const Deadline head_deadline{asked_ + upstream().first_byte_timeout};
    auto response = co_await pool.request(out, exchange_.client_gone(), head_deadline);
    waited_us_ += us_between(asked_, std::chrono::steady_clock::now());
    if (!response) {
      failure_ = response.error();
      end_call(failure_);
      co_return;
    }
    form_ = std::move(sent.form);
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

  /// The caller's id of the request, else ours.
  std::string_view request_id() const {
    const std::string_view own = callers_request_id(exchange_.head().headers);
    return own.empty() ? record_.id.view() : own;
  }

  void default_header(std::string_view name, std::string_view value) {
    for (const HttpHeader& header : headers_)
      if (same_name(header.name, name)) return;
    headers_.push_back({name, value});
  }

  void decision_headers(std::optional<state::NanoUsd> cost) {
    const std::string_view own = callers_request_id(exchange_.head().headers);
    if (!own.empty()) {
      for (HttpHeader& header : headers_)
        if (same_name(header.name, "x-request-id")) header.name = "x-rung-upstream-request-id";
      headers_.push_back({"x-request-id", own});
    } else {
      default_header("x-request-id", record_.id.view());
    }
    if (dialect_ == wire::Dialect::kMessages) default_header("request-id", request_id());
    if (!form_.dropped.empty()) {
      dropped_ = dropped_text(form_.dropped);
      headers_.push_back({"x-rung-dropped", dropped_});
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

  /// The head of a stream of which nothing has come yet.
  void start_early() {
    headers_ = {{"content-type", "text/event-stream"}};
    decision_headers(std::nullopt);
    stream_headers();
    record_.http_status = 200;
    static_cast<void>(exchange_.start(200, headers_));
  }

  /// Proxies in front of us (nginx) hold a stream back unless they are told not to.
  void stream_headers() {
    default_header("cache-control", "no-cache");
    default_header("x-accel-buffering", "no");
  }

  /// The error where a comment has already begun a stream.
  Task<void> answer_late(Error error) {
    const std::string event = wire::error_event(dialect_, error);
    auto sent = co_await exchange_.write(event);
    static_cast<void>(sent);  // the connection is given up in either case
    exchange_.abort();
  }

  Task<void> relay_whole(const wire::Request& request) {
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
      if (auto reply = wire::read_reply(form_.dialect, *body)) {
        usage = std::move(reply->usage);
      } else {
        call().error = reply.error().with("the reply is not the JSON it should be").message;
      }
    }
    if (form_.dialect != dialect_) {
      if (auto translated = translate(request, *body); !translated) {
        end_call(translated.error());
        failure_ = translated.error();
        co_return co_await answer_error();
      }
    }
    finish_call(success ? state::Outcome::kOk : state::Outcome::kUpstreamError);
    if (!success)
      call().error = record_.error =
          fmt::format("{} answered with status {}", upstream().name, response_->status());
    if (success || usage) record_usage(choice_, usage, 0, call());
    record_.outcome = call().outcome;
    record_.http_status = response_->status();
    if (exchange_.started()) {
      record_.http_status = 200;
      co_return co_await answer_late(wire::error_of_reply(response_->status(), *body));
    }
    reply_headers(whole_cost());
    auto sent = co_await exchange_.respond(response_->status(), headers_, *body);
    first_byte_ = std::chrono::steady_clock::now();
    if (!sent) client_left(sent.error());
  }

  wire::ReplyContext reply_context(const wire::Request& request) {
    return {.upstream = form_.dialect,
            .hide_usage = form_.hide_usage,
            .created = record_.time_us / 1'000'000,
            .prompt_tokens = choice_.prompt_tokens,
            .id = record_.id.view(),
            .kept = wire::asks_to_be_stored(request) ? &kept_ : nullptr};
  }

  /// The reply's body in the client's dialect.
  Result<void> translate(const wire::Request& request, std::string& body) {
    if (response_->status() >= 400) {
      body = wire::translate_error(dialect_, response_->status(), body, request_id());
      return {};
    }
    auto translated = wire::translate_reply(request, reply_context(request), body, form_.dropped);
    if (!translated)
      return Error{ErrorCode::kUpstream,
                   translated.error().with("the upstream's reply cannot be translated").message};
    body = *std::move(translated);
    return {};
  }

  Task<void> relay_stream(const wire::Request& request) {
    record_.http_status = response_->status();
    SseSplitter splitter;
    relay_ = wire::make_stream_relay(request, reply_context(request));
    const wire::StreamFacts& facts = relay_->facts();
    std::string out, early;
    if (exchange_.started() && !form_.dropped.empty())  // the headers have left already
      early = fmt::format(": x-rung-dropped: {}\n\n", dropped_text(form_.dropped));
    if (!exchange_.started()) {
      reply_headers(std::nullopt);
      stream_headers();
      if (auto started = co_await exchange_.start(response_->status(), headers_); !started) {
        end_call(started.error());
        co_return client_left(started.error());
      }
    }
    for (;;) {
      const TimePoint before = std::chrono::steady_clock::now();
      auto piece = co_await response_->read();
      const TimePoint came = std::chrono::steady_clock::now();
      waited_us_ += us_between(before, came);
      if (!piece) co_return co_await break_off(piece.error());
      const bool last = piece->empty();
      out = std::exchange(early, {});
      splitter.feed(*piece);
      for (SseEvent event; splitter.next(event);)
        relay_->take({event.raw, event.event, event.data, event.has_data}, out);
      if (last) relay_->end(splitter.rest(), out);
      // Some hosts and proxies end a stream that broke as if it were whole.
      const bool is_whole = facts.is_whole || response_->status() >= 400;
      if (splitter.overflow())
        co_return co_await break_off(
            {ErrorCode::kUpstream, "the upstream sent an event without end"});
      if (last && !is_whole)
        co_return co_await break_off(
            {ErrorCode::kUpstream,
             fmt::format("the upstream's stream ended without {}", facts.proper_end)});
      if (!out.empty()) {
        if (first_byte_ == TimePoint{}) first_byte_ = came;
        keep_alive_.touch();
        if (auto sent = co_await exchange_.write(out); !sent) {
          end_call(sent.error());
          record_stream_usage();
          co_return client_left(sent.error());
        }
      }
      if (last) break;
    }
    finish_call(facts.has_error ? state::Outcome::kUpstreamError : state::Outcome::kOk);
    if (facts.has_error)
      call().error = record_.error = "the upstream reported an error in its stream";
    record_stream_usage();
    record_.outcome = call().outcome;
    if (auto sent = co_await exchange_.finish(); !sent) client_left(sent.error());
  }

  /// A stream that was cut: the client is told in an event, and the connection ends in a way that
  /// is no proper end.
  Task<void> break_off(Error error) {
    end_call(error);
    record_stream_usage();
    note_failure(error);
    if (error.code == ErrorCode::kCancelled) co_return;
    std::string event;
    relay_->break_off(error, event);
    auto sent = co_await exchange_.write(event);
    static_cast<void>(sent);  // the connection is given up in either case
    exchange_.abort();
  }

  void record_stream_usage() {
    static const wire::StreamFacts kNothing;
    const wire::StreamFacts& facts = relay_ ? relay_->facts() : kNothing;
    record_usage(choice_, facts.usage, facts.produced, call());
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
    if (exchange_.started()) co_return co_await answer_late(failure_);
    // What is too large here is the upstream's reply, not the client's request.
    const wire::ErrorReply reply = wire::error_reply(
        !ours && failure_.code == ErrorCode::kTooLarge ? ErrorCode::kUpstream : failure_.code);
    record_.http_status = reply.status;
    headers_.clear();
    headers_.push_back({"content-type", "application/json"});
    if (reply.status == 503) headers_.push_back({"retry-after", "1"});
    response_.reset();
    decision_headers(std::nullopt);
    const std::string body = wire::error_body(dialect_, failure_, request_id());
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
  const wire::Dialect dialect_;  // the client's
  std::shared_ptr<const Serving>
      serving_;  // a reload swaps the worker's; this request ends on its own
  TimePoint arrived_, asked_, first_byte_;
  std::int64_t waited_us_ = 0, decision_us_ = 0;
  Choice choice_;
  state::RequestRecord record_;
  std::optional<ClientResponse> response_;
  Error failure_;
  ReplyForm form_;  // of response_
  KeepAlive keep_alive_{exchange_};
  std::unique_ptr<wire::StreamRelay> relay_;  // null until a stream is passed on
  bool remembered_ = false;
  // Working memory of the reply's head; views of headers_ point into the rest.
  std::vector<HttpHeader> headers_;
  std::string reason_, cost_, dropped_;
  std::string kept_;  // a response object that is to be remembered
};

}  // namespace

Task<void> answer_chat(Worker& worker, Exchange& exchange, wire::Dialect dialect) {
  ChatCall call(worker, exchange, dialect);
  co_await call.run();
}

}  // namespace rung::gateway
