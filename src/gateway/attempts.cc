#include "gateway/attempts.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/random.h"
#include "gateway/record.h"
#include "upstream/balance.h"
#include "upstream/retry_after.h"
#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::gateway {
namespace {

using upstream::Fault;
using upstream::Next;
using upstream::Standing;

constexpr std::chrono::seconds kRestWithoutAWord{1};
constexpr std::chrono::seconds kLongestRest{60};

std::int64_t us_between(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

const ModelConfig& host_at(const ModelConfig& model, std::size_t host) {
  return host == 0 ? model : model.other_hosts[host - 1];
}

/// What a conversation keeps from turn to turn: its beginning, up to the first words of the user.
std::uint64_t affinity_of(const wire::Request& request) {
  if (!request.root.is_object()) return 0;
  for (const std::string_view key : {"prompt_cache_key", "messages", "input"}) {
    const auto value = json::find(request.root, key);
    if (!value || value->is_null()) continue;
    if (!value->is_array()) return hash64(value->raw);
    std::uint64_t hash = 0;
    for (const json::Value item : json::elements(*value)) {
      hash = mix64(hash ^ hash64(item.raw));
      const auto role = item.is_object() ? json::find(item, "role") : std::nullopt;
      if (role && role->equals("user")) break;
    }
    return hash;
  }
  return 0;
}

}  // namespace

state::Outcome outcome_of(ErrorCode code) {
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

Attempts::Attempts(Worker& worker, Exchange& exchange, const Serving& serving,
                   state::RequestRecord& record, Admission& admission, TimePoint arrived)
    : worker_(worker),
      exchange_(exchange),
      serving_(serving),
      record_(record),
      admission_(admission),
      arrived_(arrived) {}

ModelState& Attempts::state_of(const ModelConfig& model) const {
  return *serving_
              .models[static_cast<std::size_t>(&model - serving_.snapshot->config->models.data())];
}

Deadline Attempts::next_piece() {
  const UpstreamConfig& upstream = upstream_of(*answer_.at);
  // Some think for minutes between their first event and their first word.
  const TimePoint patience = std::exchange(answer_.waits_for_content, false)
                                 ? answer_.asked + upstream.resilience.first_token_timeout
                                 : now() + upstream.resilience.idle_timeout;
  return Deadline{std::min({end_, answer_.asked + upstream.timeout, patience})};
}

// --- the loop
// ---------------------------------------------------------------------------------------------

Task<Result<void>> Attempts::run(const wire::Request& request, Choice& choice,
                                 std::chrono::milliseconds limit) {
  request_ = &request;
  choice_ = &choice;
  end_ = arrived_ + limit;
  // 1. The arm that was decided on, or who may stand in for it.
  TimePoint at = now();
  std::optional<Attempt> first = at_some_host({choice.model, choice.arm}, at);
  if (!first && rules().fallback) first = at_some_arm(at);
  if (!first) co_return nobody(at);
  state_of(*first->stand.model).retries.earn(at);
  Attempt attempt = *std::move(first);
  for (;;) {
    // 2. Ask.
    become(attempt);
    if (made_ == 0 && attempt.stand.model->hedge.after.count() > 0) {
      co_await hedged(attempt);
    } else {
      co_await once(attempt);
    }
    // 3. An answer, or a client that left: nothing more to do.
    at = now();
    judge(attempt, at);
    if (attempt.fault == Fault::kNone) {
      if (attempt.error.code == ErrorCode::kCancelled) co_return attempt.error;
      answer_ = std::move(attempt);
      co_return Result<void>();
    }
    // 4. Somewhere else, or here again, as far as that is of use.
    note_failed(attempt);
    std::optional<Step> step = plan(attempt, at);
    error_ = attempt.error;
    if (attempt.response) kept_.emplace(std::move(attempt));
    if (!step) break;
    if (step->wait > Duration::zero()) {
      auto slept = co_await exchange_.loop().sleep_until(at + step->wait, exchange_.client_gone());
      waited_us_ += us_between(at, now());
      if (!slept) co_return Error{ErrorCode::kCancelled, "the client left between two attempts"};
    }
    attempt = std::move(step->next);
  }
  // 5. Nothing helped: what an upstream said itself tells the client most.
  if (!kept_) co_return error_;
  answer_ = *std::move(kept_);
  become(answer_);
  co_return Result<void>();
}

// --- choosing
// ---------------------------------------------------------------------------------------------

std::optional<Attempt> Attempts::at_some_host(const Stand& stand, TimePoint at) {
  const ModelConfig& model = *stand.model;
  const auto view = [&](std::size_t i) {
    const std::size_t index = host_at(model, i).upstream;
    const upstream::Host& host = *serving_.hosts[index];
    const bool tried = (tried_ >> i & 1) != 0 || std::find(unreachable_.begin(), unreachable_.end(),
                                                           index) != unreachable_.end();
    const Standing standing = host.standing(at);
    if (standing == Standing::kClosed && host.is_full()) shed_for_load_ = true;
    if (standing == Standing::kClosed && !host.is_full())
      closed_until_ = std::min(closed_until_, host.breaker().until());
    return upstream::HostView{0, standing, host.in_flight(), tried};
  };
  std::optional<std::size_t> chosen;
  if (model.other_hosts.empty()) {
    const upstream::HostView only = view(0);
    if (!only.tried && only.standing != Standing::kClosed) chosen = 0;
  } else {
    std::array<upstream::HostView, 64> views;
    const std::size_t count = 1 + model.other_hosts.size();
    for (std::size_t i = 0; i < count; ++i) {
      views[i] = view(i);
      views[i].id = hash64(upstream_of(host_at(model, i)).name);
    }
    const std::uint64_t key =
        model.balance == upstream::Balance::kPrefix ? affinity_of(*request_) : 0;
    chosen = upstream::choose_host(std::span(views).first(count), model.balance, key,
                                   mix64(record_.seed + made_));
  }
  if (!chosen) return std::nullopt;
  Attempt attempt;
  attempt.stand = stand;
  attempt.host = *chosen;
  attempt.at = &host_at(model, *chosen);
  return attempt;
}

std::optional<Attempt> Attempts::at_some_arm(TimePoint at) {
  if (!fallbacks_) fallbacks_.emplace(*serving_.snapshot, *request_, *choice_);
  while (const auto stand = fallbacks_->next()) {
    const std::uint64_t before = std::exchange(tried_, 0);
    if (auto attempt = at_some_host(*stand, at)) {
      again_here_ = false;
      ResilienceCells::bump(worker_.cells().fallbacks);
      return attempt;
    }
    tried_ = before;
  }
  return std::nullopt;
}

bool Attempts::may_retry(const ModelConfig& model, TimePoint at) {
  if (state_of(model).retries.spend(at)) return true;
  ResilienceCells::bump(worker_.cells().over_budget);
  return false;
}

std::optional<Attempts::Step> Attempts::here_again(const Attempt& failed, TimePoint at) {
  if (host_of(failed).standing(at) == Standing::kClosed) return std::nullopt;
  const Duration wait = failed.retry_after ? Duration(*failed.retry_after)
                                           : upstream::backoff(rules().backoff, retries_here_ + 1,
                                                               mix64(record_.seed ^ made_));
  if (failed.retry_after > rules().max_retry_after || at + wait >= end_) return std::nullopt;
  if (!may_retry(*failed.stand.model, at)) return std::nullopt;
  ++retries_here_;
  ResilienceCells::bump(worker_.cells().same_host);
  Step step{.next = {}, .wait = wait};
  step.next.stand = failed.stand;
  step.next.host = failed.host;
  step.next.at = failed.at;
  return step;
}

std::optional<Attempts::Step> Attempts::plan(const Attempt& failed, TimePoint at) {
  const Next next = !failed.call      ? Next::kElsewhere  // its dialect cannot carry this request
                    : failed.is_final ? Next::kNowhere
                                      : upstream::next_after(failed.fault);
  if (next == Next::kNowhere || made_ >= rules().attempts || at >= end_) return std::nullopt;
  if (failed.fault == Fault::kEmpty || failed.fault == Fault::kMalformed) {
    // It was an answer of a kind, and paid for: asking once more is enough.
    if (!rules().retry_empty || std::exchange(repeated_answer_, true)) return std::nullopt;
  }
  tried_ |= std::uint64_t{1} << failed.host;
  if (failed.fault == Fault::kUnreachable) unreachable_.push_back(failed.at->upstream);
  // 1. Another host of the same model answers as well as this one would have.
  if (auto other = at_some_host(failed.stand, at); other && may_retry(*failed.stand.model, at)) {
    ResilienceCells::bump(worker_.cells().other_host);
    return Step{.next = *std::move(other)};
  }
  // 2. What may have been an accident is tried once more where it happened.
  if (next == Next::kHereOnce && !again_here_)
    if (auto step = here_again(failed, at)) {
      again_here_ = true;
      return step;
    }
  // 3. Another arm.
  if (rules().fallback)
    if (auto other = at_some_arm(at)) return Step{.next = *std::move(other)};
  // 4. Nobody else is there: here again, if a wait may help.
  return next == Next::kElsewhere ? std::nullopt : here_again(failed, at);
}

Error Attempts::nobody(TimePoint at) {
  ResilienceCells& cells = worker_.cells();
  if (shed_for_load_) {
    ResilienceCells::bump(cells.shed_hosts_busy);
    retry_after_ = rules().shed_retry_after;
    return {ErrorCode::kRateLimited,
            fmt::format("every host of {} has as many requests as it takes; come back later",
                        choice_->model->name)};
  }
  ResilienceCells::bump(cells.shed_breaker);
  const auto left = std::chrono::ceil<std::chrono::seconds>(closed_until_ - at);
  retry_after_ = closed_until_ == TimePoint::max() ? std::chrono::seconds(1)
                                                   : std::max(std::chrono::seconds(1), left);
  return {ErrorCode::kUnavailable,
          fmt::format("{} has failed again and again and is left alone for {} s more, and nobody "
                      "else may answer instead",
                      choice_->model->name, retry_after_.count())};
}

// --- afterwards
// -------------------------------------------------------------------------------------------

/// Tells the host's state machines what came of the call.
void Attempts::judge(Attempt& a, TimePoint at) {
  if (a.error.code == ErrorCode::kCancelled && a.fault == Fault::kNone && !a.response) {
    end_call(a, state::Outcome::kClientGone);
    return;
  }
  upstream::Host& host = host_of(a);
  if (a.lease.settle(a.fault, at))
    spdlog::warn("upstream {} is left alone for {} ms: {}", upstream_of(*a.at).name,
                 std::chrono::ceil<std::chrono::milliseconds>(host.breaker().until() - at).count(),
                 a.error.message);
  if (!a.served.empty()) host.note_wrong_model();
  if (a.fault == Fault::kRateLimited || a.fault == Fault::kOverloaded)
    host.rest_until(at + std::min<Duration>(
                             a.retry_after ? Duration(*a.retry_after) : Duration(kRestWithoutAWord),
                             kLongestRest));
  if (speaks_against_host(a.fault) && !a.stand.model->other_hosts.empty()) eject_if_outlier(a, at);
}

void Attempts::eject_if_outlier(const Attempt& a, TimePoint at) {
  upstream::Host& host = host_of(a);
  const ModelConfig& model = *a.stand.model;
  const std::size_t count = 1 + model.other_hosts.size();
  std::array<upstream::Tally, 64> peers;
  std::size_t peer_count = 0, ejected = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const upstream::Host& other = *serving_.hosts[host_at(model, i).upstream];
    ejected += other.is_ejected(at) ? 1 : 0;
    if (&other != &host) peers[peer_count++] = other.tally(at);
  }
  const auto most =
      static_cast<std::size_t>(static_cast<double>(count) * host.ejection().max_ejected);
  if (host.is_ejected(at) || ejected >= most) return;
  if (is_outlier(host.ejection(), host.tally(at), std::span(peers).first(peer_count))) {
    spdlog::warn("upstream {} fails more than the other hosts of {} and is passed over for a while",
                 upstream_of(*a.at).name, model.name);
    host.eject(at);
  }
}

void Attempts::end_call(Attempt& a, state::Outcome outcome) {
  if (!a.call || std::exchange(a.is_ended, true)) return;
  state::CallRecord& call = record_.calls[*a.call];
  call.outcome = outcome;
  call.error = a.error.message;
  call.end_us = us_between(arrived_, now());
}

/// Ends the record of a call that brought no answer, with what it cost as far as that is known.
void Attempts::note_failed(Attempt& a) {
  if (!trail_.empty()) trail_ += "; ";
  const std::string& name = upstream_of(*a.at).name;
  trail_ += fmt::format("{} at {}: {}", a.at->upstream_name, name, upstream::name(a.fault));
  if (!a.call) return;
  end_call(a,
           a.fault == Fault::kStalled ? state::Outcome::kTimeout : state::Outcome::kUpstreamError);
  state::CallRecord& call = record_.calls[*a.call];
  if (call.status) trail_ += fmt::format(" (status {})", *call.status);
  // Nobody was reached, or an error status was all that came: providers charge nothing for these.
  if (a.fault == Fault::kUnreachable || call.status.value_or(0) >= 400) {
    call.cost = state::NanoUsd{0};
    return;
  }
  std::optional<wire::Usage> usage;
  if (a.is_stream) {
    const wire::ReplyContext context{.upstream = a.form.dialect, .hide_usage = a.form.hide_usage};
    auto relay = wire::make_stream_relay(*request_, context);
    SseSplitter splitter;
    std::string unused;
    splitter.feed(a.opening());
    for (SseEvent event; splitter.next(event);)
      relay->take({event.raw, event.event, event.data, event.has_data}, unused);
    usage = relay->facts().usage;
  } else {
    usage = a.usage;
  }
  record_usage(*choice_, usage, 0, call);
}

/// The decision and its record speak of the one that is asked now.
void Attempts::become(const Attempt& a) {
  record_.upstream = upstream_of(*a.at).name;
  if (choice_->model == a.stand.model && choice_->arm == a.stand.arm) return;
  const std::string before = record_.arm;
  choice_->model = a.stand.model;
  choice_->arm = a.stand.arm;
  record_.arm = a.stand.arm != nullptr ? a.stand.arm->label : a.stand.model->name;
  record_.strategy = a.stand.arm != nullptr ? a.stand.arm->strategy : "single";
  record_.served_model = a.stand.model->name;
  // Whoever learns from the ledger must not take an accident for the policy's choice.
  record_.propensity.reset();
  record_.reason += fmt::format("; {} stands in for {}", record_.arm, before);
}

}  // namespace rung::gateway
