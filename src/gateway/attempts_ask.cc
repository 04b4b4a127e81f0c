// One call: sent, and read until it is clear whether it is an answer.

#include <fmt/format.h>

#include <algorithm>

#include "gateway/attempts.h"
#include "upstream/retry_after.h"
#include "wire/exchange.h"
#include "wire/reply_check.h"

namespace rung::gateway {
namespace {

using upstream::Fault;

constexpr std::chrono::seconds kErrorBodyPatience{5};
constexpr std::size_t kMostHeldBytes = 256 * 1024;

std::int64_t us_between(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

bool is_event_stream(const ClientResponse& response) {
  constexpr std::string_view kEvents = "text/event-stream";
  return same_name(response.header("content-type").substr(0, kEvents.size()), kEvents);
}

}  // namespace

void Attempts::fail(Attempt& a, const Error& error) {
  a.error = error;
  a.response.reset();
  switch (error.code) {
    case ErrorCode::kCancelled:
      a.fault = Fault::kNone;
      break;
    case ErrorCode::kUnavailable:
      a.fault = Fault::kUnreachable;
      break;
    case ErrorCode::kTimeout:
      a.fault = Fault::kStalled;
      break;
    case ErrorCode::kTooLarge:
      a.fault = Fault::kTooLarge;
      break;
    case ErrorCode::kUpstream:
      a.fault = Fault::kBroken;
      break;
    default:
      a.fault = Fault::kRefused;
  }
}

void Attempts::note_model(Attempt& a, std::string_view served) {
  if (!wire::is_model_asked(a.at->upstream_name, served)) a.served = served;
}

Task<void> Attempts::once(Attempt& a) {
  ++made_;
  // 1. What this host is sent.
  const UpstreamConfig& upstream = upstream_of(*a.at);
  UpstreamRequest sent;
  auto made = make_upstream_request(
      exchange_.head(), exchange_.body(), *request_, *a.at,
      a.stand.arm != nullptr ? std::string_view(a.stand.arm->effort) : std::string_view(), upstream,
      sent);
  if (!made) co_return fail(a, made.error());
  // What a further call can cost is reserved first; the first one's is.
  if (!record_.calls.empty())
    if (auto covered = admission_.cover(record_, *a.at, worker_.shared().clock.wall_us()); !covered)
      co_return fail(a, covered.error());
  // 2. The call begins.
  a.asked = now();
  a.call = record_.calls.size();
  if (trace_ != nullptr) trace_->pass_on(*a.call, sent.traceparent, sent.headers);
  {
    state::CallRecord& call = record_.calls.emplace_back();
    call.upstream = upstream.name;
    call.model = a.at->upstream_name;
    call.attempt = made_;
    if (a.is_hedge) call.step = "hedge";
    call.start_us = us_between(arrived_, a.asked);
  }
  a.lease = upstream::HostLease(host_of(a), a.asked);
  ClientRequest out;
  out.target = sent.target;
  out.headers = sent.headers;
  out.body = sent.body;
  const Deadline head{std::min(end_, a.asked + upstream.first_byte_timeout)};
  auto response =
      co_await serving_.pools[a.at->upstream]->request(out, exchange_.client_gone(), head);
  if (!response) co_return fail(a, response.error());
  // 3. Its head.
  a.response.emplace(*std::move(response));
  a.form = std::move(sent.form);
  const int status = a.response->status();
  state::CallRecord& call = record_.calls[*a.call];
  call.status = status;
  call.first_byte_us = us_between(arrived_, a.response->first_byte());
  a.fault = upstream::fault_of_status(status);
  if (a.fault != Fault::kNone) {
    a.error = {ErrorCode::kUpstream,
               fmt::format("{} answered with status {}", upstream.name, status)};
    a.retry_after = upstream::parse_retry_after(a.response->header("retry-after"),
                                                a.response->header("retry-after-ms"),
                                                worker_.shared().clock.wall_us());
    a.is_final = a.response->header("x-should-retry") == "false";
  }
  // 4. Its body, or the beginning of it.
  a.is_stream = status < 400 && is_event_stream(*a.response);
  if (a.is_stream) {
    co_await open_stream(a);
  } else {
    co_await read_whole(a);
  }
}

Task<void> Attempts::read_whole(Attempt& a) {
  const bool is_error = a.fault != Fault::kNone;
  TimePoint end = std::min(end_, a.asked + upstream_of(*a.at).timeout);
  if (is_error) end = std::min<TimePoint>(end, now() + kErrorBodyPatience);
  a.response->set_deadline(Deadline{end});
  auto body = co_await a.response->read_all(rules().max_reply_bytes);
  if (!body) {
    const Fault by_status = a.fault;
    const Error said = a.error;
    fail(a, body.error());
    if (is_error && body.error().code != ErrorCode::kCancelled) a.fault = by_status, a.error = said;
    co_return;
  }
  a.body = *std::move(body);
  if (is_error) co_return;
  auto facts = wire::read_reply(a.form.dialect, a.body);
  if (!facts) {
    a.fault = Fault::kMalformed;
    a.error = {ErrorCode::kUpstream,
               facts.error().with("the reply is not the JSON it should be").message};
    co_return;
  }
  a.usage = std::move(facts->usage);
  const wire::ReplyCheck check = wire::check_valid_reply(a.form.dialect, a.body);
  note_model(a, check.model);
  if (check.error_status != 0) {
    a.fault = upstream::fault_of_status(check.error_status);
    a.error = {ErrorCode::kUpstream, fmt::format("{} answered with an error in spite of its status",
                                                 upstream_of(*a.at).name)};
  } else if (check.is_empty) {
    a.fault = Fault::kEmpty;
    a.error = {ErrorCode::kUpstream, "the reply is complete and says nothing"};
  }
}

/// One event of the opening. True: it decides; a.fault says how.
bool Attempts::look_at(const SseEvent& event, Attempt& a, bool& ended, bool& stopped) {
  if (!event.has_data) return false;
  const wire::OpeningEvent seen = wire::read_opening(a.form.dialect, event.data);
  if (!seen.model.empty() && a.served.empty()) note_model(a, seen.model);
  switch (seen.kind) {
    case wire::Opening::kNothing:
      return false;
    case wire::Opening::kContent:
      return true;
    case wire::Opening::kEnd:
      // Usage may follow; it is waited for.
      stopped = ended ? stopped && seen.stopped : seen.stopped;
      ended = true;
      return false;
    case wire::Opening::kError:
      a.fault = upstream::fault_of_status(seen.status);
      a.error = {ErrorCode::kUpstream,
                 fmt::format("{} began its stream with an error", upstream_of(*a.at).name)};
      return true;
    case wire::Opening::kMalformed:
      a.fault = Fault::kMalformed;
      a.error = {ErrorCode::kUpstream,
                 fmt::format("{} began its stream with what is not JSON", upstream_of(*a.at).name)};
      return true;
  }
  return false;
}

Task<void> Attempts::open_stream(Attempt& a) {
  const UpstreamConfig& upstream = upstream_of(*a.at);
  const TimePoint patience = now() + rules().hold;
  a.response->set_deadline(Deadline{std::min(
      {end_, a.asked + upstream.timeout, a.asked + upstream.resilience.first_token_timeout})});
  SseSplitter splitter;
  bool ended = false, stopped = false;
  for (;;) {
    // A stream that is only slow must not be kept from the client for long.
    if (!co_await a.response->wait(patience)) {
      a.waits_for_content = true;
      co_return;
    }
    auto piece = co_await a.response->read();
    if (!piece) {
      const bool is_malformed = a.fault == Fault::kMalformed;
      fail(a, piece.error());
      if (is_malformed && a.fault == Fault::kBroken) a.fault = Fault::kMalformed;
      co_return;
    }
    if (piece->empty()) break;
    if (a.piece.empty() && a.held.empty()) {
      a.piece = *piece;
    } else {
      a.held.append(*piece);
    }
    splitter.feed(*piece);
    bool decided = false;
    for (SseEvent event; !decided && splitter.next(event);)
      decided = look_at(event, a, ended, stopped);
    if (decided || splitter.overflow() || a.opening().size() > kMostHeldBytes) co_return;
    if (a.held.empty()) a.held.assign(a.piece);  // the next read uses its bytes anew
  }
  // It ended before it said anything.
  if (ended && !stopped) co_return;  // and says why: a limit, a filter
  if (ended) {
    a.fault = Fault::kEmpty;
    a.error = {ErrorCode::kUpstream, "the stream is complete and says nothing"};
    co_return;
  }
  fail(a, {ErrorCode::kUpstream,
           fmt::format("{}: the stream ended before any content", upstream.name)});
}

}  // namespace rung::gateway
