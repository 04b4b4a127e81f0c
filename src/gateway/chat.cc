#include "gateway/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "gateway/admission.h"
#include "gateway/ask_classifier.h"
#include "gateway/attempts.h"
#include "gateway/headers.h"
#include "gateway/keep_alive.h"
#include "gateway/log.h"
#include "gateway/record.h"
#include "gateway/session_hold.h"
#include "gateway/trace.h"
#include "net/sse.h"
#include "wire/error_reply.h"
#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::gateway {
namespace {

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
        arrived_(exchange.received()),
        attempts_(worker, exchange, *serving_, record_, admission_, arrived_) {
    ++worker_.running();
  }
  ChatCall(const ChatCall&) = delete;
  ChatCall& operator=(const ChatCall&) = delete;
  /// The frame of a request that still runs is destroyed when the gateway stops at once, or when
  /// its patience ends: what was asked of an upstream is billed all the same.
  ~ChatCall() {
    --worker_.running();
    if (remembered_ || !record_.id.is_set()) return;
    const Error error{ErrorCode::kInternal, "the gateway was stopped while this request ran"};
    for (state::CallRecord& open : record_.calls) {
      if (open.end_us != 0) continue;
      open.outcome = outcome_of(error.code);
      open.end_us = us_between(arrived_, std::chrono::steady_clock::now());
      open.error = error.message;
      if (has_answer_call() && &open == &call()) record_stream_usage();
    }
    note_failure(error);
    remember();
  }

  Task<void> run() {
    begin();
    if (auto admitted = admit(); !admitted) co_return co_await refuse(admitted.error());
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
    overrides->key = key_ ? &key_->spec : nullptr;
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
    if (auto admitted =
            admission_.reserve(key_, worker_.keys(), choice_, *request, exchange_.body(),
                               *serving_->snapshot->config, worker_.shared().clock.wall_us());
        !admitted)
      co_return co_await refuse(admitted.error());
    // 3. Ask.
    if (request->stream)
      keep_alive_.begin(serving_->snapshot->config->keep_alive, [this] { start_early(); });
    if (auto asked = co_await ask(*request); !asked) co_return co_await refuse(asked.error());
    if (response().status() < 400) session_.claim(record_, us_between({}, arrived_));
    // 4. Pass the answer on, as it comes.
    if (attempts_.answer().is_stream) {
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
    trace_.begin(worker_.shared().traces, exchange_.head(), record_.seed);
    if (key_) record_.key_name = key_->spec.name;
  }

  Result<void> decide(const wire::Request& request, const Overrides& overrides,
                      const Ahead& ahead) {
    const TimePoint before = std::chrono::steady_clock::now();
    auto choice = decide_chat(*serving_->snapshot, request, overrides, record_.seed,
                              worker_.scratch(), &ahead);
    decision_us_ += us_between(before, std::chrono::steady_clock::now());
    if (!choice) return choice.error();
    choice_ = *std::move(choice);
    session_.apply(worker_.shared().sessions, request, exchange_.header("x-rung-session"),
                   record_.key_name, !overrides.arm.empty(), us_between({}, arrived_), choice_);
    if (choice_.threshold)
      if (LiveShareCell* cell = serving_->live_shares[choice_.route->index]; cell != nullptr)
        cell->add(*choice_.threshold);
    record_.prompt_hash = hash64(request.prompt);
    if (serving_->snapshot->config->ledger.keep_prompts) record_.prompt = request.prompt;
    record_choice(choice_, record_);
    return {};
  }

  /// More than we can carry is refused before anything is spent on it.
  Result<void> admit() {
    const Resilience& rules = serving_->snapshot->config->resilience;
    if (worker_.running() <= rules.max_requests) return {};
    ResilienceCells::bump(worker_.cells().shed_busy);
    retry_after_ = rules.shed_retry_after;
    return Error{ErrorCode::kUnavailable, "the gateway is busy; come back later"};
  }

  /// How long the request may take: as configured, or less if the client says so.
  Result<std::chrono::milliseconds> limit() const {
    const auto total = serving_->snapshot->config->resilience.total_timeout;
    const std::string_view own = exchange_.header("x-rung-timeout-ms");
    if (own.empty()) return total;
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(own.data(), own.data() + own.size(), ms);
    if (error != std::errc() || end != own.data() + own.size() || ms < 1)
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("x-rung-timeout-ms is \"{}\"; expected milliseconds, 1 or more", own),
          "x-rung-timeout-ms"};
    return std::min(total, std::chrono::milliseconds(ms));
  }

  const UpstreamConfig& upstream() const {
    return serving_->snapshot->config->upstreams[attempts_.answer().at->upstream];
  }
  ReplyForm& form() { return attempts_.answer().form; }

  Task<Result<void>> ask(const wire::Request& request) {
    auto most = limit();
    if (!most) co_return most.error();
    attempts_.trace(trace_);
    auto asked = co_await attempts_.run(request, choice_, *most);
    waited_us_ += attempts_.waited_us();
    retry_after_ = attempts_.retry_after();
    co_return asked;
  }

  ClientResponse& response() { return *attempts_.answer().response; }

  /// The head of our reply: the upstream's headers and what was decided. `cost` only where it is
  /// already known.
  void reply_headers(std::optional<state::NanoUsd> cost) {
    response_headers(response().head().headers, upstream(), headers_);
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
    if (!form().dropped.empty()) {
      dropped_ = dropped_text(form().dropped);
      headers_.push_back({"x-rung-dropped", dropped_});
    }
    headers_.push_back({"x-rung-decision-id", record_.id.view()});
    admission_.add_headers(headers_, worker_.shared().clock.wall_us());
    if (choice_.model == nullptr) return;
    if (choice_.route != nullptr) headers_.push_back({"x-rung-route", choice_.route->name});
    headers_.push_back({"x-rung-model", choice_.model->name});
    headers_.push_back({"x-rung-arm", record_.arm});
    attempt_headers();
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

  /// How many calls it took, why more than one, and who really answered.
  void attempt_headers() {
    constexpr std::string_view kCounts[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    const std::size_t calls = attempts_.calls();
    attempts_text_ = calls < std::size(kCounts) ? std::string() : fmt::format("{}", calls);
    headers_.push_back({"x-rung-attempts", attempts_text_.empty()
                                               ? kCounts[calls]
                                               : std::string_view(attempts_text_)});
    if (calls > 1 && !attempts_.trail().empty()) {
      trail_ = header_text(attempts_.trail());
      headers_.push_back({"x-rung-attempt-errors", trail_});
    }
    const Attempt& answer = attempts_.answer();
    if (answer.at == nullptr) return;
    if (calls > 1 || !choice_.model->other_hosts.empty())
      headers_.push_back({"x-rung-upstream", record_.upstream});
    if (answer.served.empty()) return;
    served_ = header_text(answer.served);
    headers_.push_back({"x-rung-served-model", served_});
  }

  /// What all calls cost together, if that is known.
  std::optional<state::NanoUsd> total_cost() const {
    state::NanoUsd sum;
    for (const state::CallRecord& call : record_.calls) {
      if (!call.cost) return std::nullopt;
      sum += *call.cost;
    }
    return sum;
  }

  Task<void> relay_whole(const wire::Request& request) {
    std::string& body = attempts_.answer().body;
    const bool success = response().status() < 400;
    if (!success) mask_key(upstream(), body);
    const std::optional<wire::Usage> usage = std::move(attempts_.answer().usage);
    if (form().dialect != dialect_) {
      if (auto translated = translate(request, body); !translated) {
        end_call(translated.error());
        record_usage(choice_, usage, 0, call());  // it is billed all the same
        failure_ = translated.error();
        co_return co_await answer_error();
      }
    }
    finish_call(success ? state::Outcome::kOk : state::Outcome::kUpstreamError);
    if (!success)
      call().error = record_.error =
          fmt::format("{} answered with status {}", upstream().name, response().status());
    if (success || usage) record_usage(choice_, usage, 0, call());
    record_.outcome = call().outcome;
    record_.http_status = response().status();
    if (exchange_.started()) {
      record_.http_status = 200;
      const Error late = wire::error_of_reply(response().status(), body);
      if (success) note_failure(late);  // of no use to a client that waits for a stream
      co_return co_await answer_late(late);
    }
    reply_headers(total_cost());
    co_await commit();
    auto sent = co_await exchange_.respond(response().status(), headers_, body);
    first_byte_ = std::chrono::steady_clock::now();
    if (!sent) client_left(sent.error());
  }

  wire::ReplyContext reply_context(const wire::Request& request) {
    return {.upstream = form().dialect,
            .hide_usage = form().hide_usage,
            .created = record_.time_us / 1'000'000,
            .prompt_tokens = choice_.prompt_tokens,
            .id = record_.id.view(),
            .kept = wire::asks_to_be_stored(request) ? &kept_ : nullptr};
  }

  /// The reply's body in the client's dialect.
  Result<void> translate(const wire::Request& request, std::string& body) {
    if (response().status() >= 400) {
      body = wire::translate_error(dialect_, response().status(), body, request_id());
      return {};
    }
    auto translated = wire::translate_reply(request, reply_context(request), body, form().dropped);
    if (!translated)
      return Error{ErrorCode::kUpstream,
                   translated.error().with("the upstream's reply cannot be translated").message};
    body = *std::move(translated);
    return {};
  }

  Task<void> relay_stream(const wire::Request& request) {
    record_.http_status = response().status();
    SseSplitter splitter;
    relay_ = wire::make_stream_relay(request, reply_context(request));
    const wire::StreamFacts& facts = relay_->facts();
    std::string out, early, held;
    std::string_view opening = attempts_.answer().opening();
    if (exchange_.started() && !form().dropped.empty())  // the headers have left already
      early = fmt::format(": x-rung-dropped: {}\n\n", dropped_text(form().dropped));
    if (!exchange_.started()) {
      reply_headers(std::nullopt);
      stream_headers();
      if (auto started = co_await exchange_.start(response().status(), headers_); !started) {
        end_call(started.error());
        co_return client_left(started.error());
      }
    }
    for (;;) {
      const TimePoint before = std::chrono::steady_clock::now();
      // What was read until it was clear that this is an answer comes first.
      std::string_view piece = std::exchange(opening, {});
      if (piece.empty()) {
        response().set_deadline(attempts_.next_piece());
        auto read = co_await response().read();
        if (!read) co_return co_await break_off(read.error(), held);
        piece = *read;
      }
      const TimePoint came = std::chrono::steady_clock::now();
      waited_us_ += us_between(before, came);
      const bool last = piece.empty();
      out = std::exchange(early, {});
      splitter.feed(piece);
      for (SseEvent event; splitter.next(event);)
        relay_->take({event.raw, event.event, event.data, event.has_data}, out);
      if (last) relay_->end(splitter.rest(), out);
      // Some hosts and proxies end a stream that broke as if it were whole.
      const bool is_whole = facts.is_whole || response().status() >= 400;
      if (splitter.overflow() || (last && !is_whole)) {
        const Error error{
            ErrorCode::kUpstream,
            splitter.overflow()
                ? std::string("the upstream sent an event without end")
                : fmt::format("the upstream's stream ended without {}", facts.proper_end)};
        co_return co_await break_off(error, held);
      }
      if (commits() && (last || is_whole)) {
        // The end is kept back until its row is there.
        held.append(out);
        if (!last) continue;
        end_stream(facts);
        co_await commit();
        out.swap(held);
      }
      if (!out.empty()) {
        if (first_byte_ == TimePoint{}) first_byte_ = came;
        keep_alive_.touch();
        if (auto sent = co_await exchange_.write(out); !sent) {
          if (remembered_) co_return;
          end_call(sent.error());
          record_stream_usage();
          co_return client_left(sent.error());
        }
      }
      if (last) break;
    }
    if (!remembered_) end_stream(facts);
    if (auto sent = co_await exchange_.finish(); !sent) client_left(sent.error());
  }

  /// A stream that was cut: the client is told in an event, and the connection ends in a way that
  /// is no proper end.
  Task<void> break_off(Error error, std::string event) {
    end_call(error);
    record_stream_usage();
    note_failure(error);
    if (error.code == ErrorCode::kCancelled) co_return;
    relay_->break_off(error, event);
    auto sent = co_await exchange_.write(event);
    static_cast<void>(sent);  // the connection is given up in either case
    exchange_.abort();
  }

  void end_stream(const wire::StreamFacts& facts) {
    finish_call(facts.has_error ? state::Outcome::kUpstreamError : state::Outcome::kOk);
    if (facts.has_error)
      call().error = record_.error = "the upstream reported an error in its stream";
    record_stream_usage();
    record_.outcome = call().outcome;
  }

  void record_stream_usage() {
    static const wire::StreamFacts kNothing;
    const wire::StreamFacts& facts = relay_ ? relay_->facts() : kNothing;
    // Where nothing was an answer, events are no tokens.
    const bool is_answer = attempts_.answer().fault == upstream::Fault::kNone;
    record_usage(choice_, facts.usage, is_answer ? facts.produced : 0, call());
  }

  /// The call whose answer is passed on, else the last one.
  state::CallRecord& call() {
    const auto answer = attempts_.answer().call;
    return answer ? record_.calls[*answer] : record_.calls.back();
  }
  /// Whether a model was asked for the answer itself, and not only a classifier about it.
  bool has_answer_call() const {
    return !record_.calls.empty() && record_.calls.back().step != kClassifyStep;
  }

  void finish_call(state::Outcome outcome) {
    call().outcome = outcome;
    call().end_us = us_between(arrived_, std::chrono::steady_clock::now());
  }

  void end_call(const Error& error) {
    finish_call(outcome_of(error.code));
    call().error = error.message;
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
    if (reply.status == 503 || retry_after_.count() > 0) {
      retry_text_ = fmt::format("{}", std::max<std::int64_t>(1, retry_after_.count()));
      headers_.push_back({"retry-after", retry_text_});
    }
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
    if (std::exchange(remembered_, true)) return;
    close_books();
    worker_.shared().ledger.append(std::move(record_), worker_.index());
  }

  bool commits() const { return serving_->snapshot->config->ledger.before_reply; }

  /// Where a reply's end waits for the ledger: remembers now, and comes back when the row is in the
  /// database. A disk that fails holds nobody up for longer than kLongestCommit. A client that
  /// leaves after this counts as answered.
  Task<void> commit() {
    if (!commits()) co_return;
    constexpr std::chrono::seconds kLongestCommit{2};
    if (first_byte_ == TimePoint{}) first_byte_ = std::chrono::steady_clock::now();
    remembered_ = true;
    close_books();
    const auto done = std::make_shared<Event>(exchange_.loop());
    // The headers of the reply still look into record_.
    worker_.shared().ledger.append(
        state::RequestRecord(record_), worker_.index(),
        [done, poster = exchange_.loop().poster()](bool) { poster.post([done] { done->set(); }); });
    auto waited =
        co_await done->wait({}, Deadline{std::chrono::steady_clock::now() + kLongestCommit});
    static_cast<void>(waited);  // the reply goes out in either case
  }

  void close_books() {
    const TimePoint end = std::chrono::steady_clock::now();
    record_.total_us = us_between(arrived_, end);
    record_.gateway_us = record_.total_us - waited_us_;
    if (first_byte_ != TimePoint{}) record_.first_byte_us = us_between(arrived_, first_byte_);
    if (has_answer_call()) record_reference(choice_, call(), record_);
    session_.note(record_, us_between({}, end));
    Shared& shared = worker_.shared();
    admission_.settle(record_, shared.clock.wall_us());
    shared.metrics.record(worker_.index(), record_, decision_us_);
    const Config& config = *serving_->snapshot->config;
    trace_.finish(record_, decision_us_, config, worker_.index());
    if (config.observe.log.requests)
      log_request(record_, trace_.trace_id(), config.observe.log.json);
  }

  Worker& worker_;
  Exchange& exchange_;
  const wire::Dialect dialect_;  // the client's
  std::shared_ptr<const Serving>
      serving_;  // a reload swaps the worker's; this request ends on its own
  std::shared_ptr<const Key> key_ = key_of(exchange_);  // null: nobody is asked for one
  Admission admission_;
  TimePoint arrived_, first_byte_;
  std::int64_t waited_us_ = 0, decision_us_ = 0;
  RequestTrace trace_;
  SessionHold session_;
  Choice choice_;
  state::RequestRecord record_;
  Attempts attempts_;
  Error failure_;
  std::chrono::seconds retry_after_{0};  // told to the client with failure_
  KeepAlive keep_alive_{exchange_};
  std::unique_ptr<wire::StreamRelay> relay_;  // null until a stream is passed on
  bool remembered_ = false;
  // Working memory of the reply's head; views of headers_ point into the rest.
  std::vector<HttpHeader> headers_;
  std::string reason_, cost_, dropped_, trail_, served_, attempts_text_, retry_text_;
  std::string kept_;  // a response object that is to be remembered
};

}  // namespace

Task<void> answer_chat(Worker& worker, Exchange& exchange, wire::Dialect dialect) {
  ChatCall call(worker, exchange, dialect);
  co_await call.run();
}

}  // namespace rung::gateway
