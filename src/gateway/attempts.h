#pragma once
// The calls of one request: asked, tried again, handed to others, until there is an answer to pass
// on. Nothing has reached the client while this runs.
//
//   host of the model ──► another host of it ──► (once more) ──► next arm of the policy ──► ...
//
// An answer is a whole reply, read and looked at, or a stream that has shown its first content.
// What may be tried again and where is upstream/fault.h; docs/resilience.md tells users. Every call
// is a CallRecord that has ended when run() returns, but for the one of the answer: whoever passes
// it on ends that.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/admission.h"
#include "gateway/fallback.h"
#include "gateway/trace.h"
#include "gateway/upstream_request.h"
#include "gateway/worker.h"
#include "net/sse.h"
#include "state/record.h"
#include "upstream/fault.h"
#include "wire/request.h"

namespace rung::gateway {

/// One call and what came of it.
struct Attempt {
  Stand stand;
  const ModelConfig* at = nullptr;  // the model as its host knows it
  std::size_t host = 0;             // 0: the model's first; then its other_hosts
  upstream::HostLease lease;
  TimePoint asked{};
  std::optional<std::size_t> call;  // in RequestRecord::calls; empty: nothing was sent
  upstream::Fault fault = upstream::Fault::kNone;
  Error error;  // where fault says so, or the client left
  std::optional<std::chrono::milliseconds> retry_after;
  bool is_final = false;  // the host says that trying again is no use
  bool is_hedge = false;
  bool is_ended = false;  // its CallRecord is
  std::string served;     // the model that it says it is, where that is not the one asked for

  std::optional<ClientResponse> response;  // its head, if it may be passed on
  ReplyForm form;
  std::string body;                  // of a whole reply
  std::optional<wire::Usage> usage;  // that it tells
  bool is_stream = false;
  bool waits_for_content = false;  // a stream that was slow to say something
  std::string_view piece;          // of a stream: the first piece, in the connection's buffer, or
  std::string held;                // the first pieces, where there were several
  std::string_view opening() const { return held.empty() ? piece : std::string_view(held); }
};

class Attempts {
 public:
  /// All must outlive this, which outlives no loop.
  Attempts(Worker& worker, Exchange& exchange, const Serving& serving, state::RequestRecord& record,
           Admission& admission, TimePoint arrived);
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  /// Asks for `request` as `choice` says, whose arm and model become those of the answer, as does
  /// the record's. `limit`: for all calls together. Without an error answer().response is there, be
  /// it an upstream's own error reply that nobody could better. Errors: kCancelled, the client
  /// left; kRateLimited or kUnavailable without any call where no host may be asked now; else the
  /// last call's.
  Task<Result<void>> run(const wire::Request& request, Choice& choice,
                         std::chrono::milliseconds limit);

  /// Calls carry it on. Before run(); outlives this.
  void trace(const RequestTrace& trace) { trace_ = &trace; }

  Attempt& answer() { return answer_; }
  const Attempt& answer() const { return answer_; }
  /// Until when the next piece of the answer's stream must have come.
  Deadline next_piece();
  std::size_t calls() const { return made_; }
  /// What became of the calls before the answer, for a header: "a: status 503; b: timed out".
  const std::string& trail() const { return trail_; }
  /// After an error: when the client may come back; 0 is not known.
  std::chrono::seconds retry_after() const { return retry_after_; }
  std::int64_t waited_us() const { return waited_us_; }

 private:
  struct Step {
    Attempt next;
    Duration wait{0};
  };
  const UpstreamConfig& upstream_of(const ModelConfig& at) const {
    return serving_.snapshot->config->upstreams[at.upstream];
  }
  const Resilience& rules() const { return serving_.snapshot->config->resilience; }
  ModelState& state_of(const ModelConfig& model) const;
  upstream::Host& host_of(const Attempt& a) const { return *serving_.hosts[a.at->upstream]; }
  TimePoint now() const { return std::chrono::steady_clock::now(); }

  // Choosing.
  std::optional<Attempt> at_some_host(const Stand& stand, TimePoint now);
  std::optional<Attempt> at_some_arm(TimePoint now);
  std::optional<Step> plan(const Attempt& failed, TimePoint now);
  std::optional<Step> here_again(const Attempt& failed, TimePoint now);
  bool may_retry(const ModelConfig& model, TimePoint now);
  Error nobody(TimePoint now);

  // Asking.
  Task<void> once(Attempt& a);
  Task<void> read_whole(Attempt& a);
  Task<void> open_stream(Attempt& a);
  bool look_at(const SseEvent& event, Attempt& a, bool& ended, bool& stopped);
  Task<void> hedged(Attempt& a);
  bool may_hedge(TimePoint now);
  void fail(Attempt& a, const Error& error);
  void note_model(Attempt& a, std::string_view served);

  // Afterwards.
  void judge(Attempt& a, TimePoint now);
  void eject_if_outlier(const Attempt& a, TimePoint now);
  void end_call(Attempt& a, state::Outcome outcome);
  void note_failed(Attempt& a);
  void become(const Attempt& a);

  Worker& worker_;
  Exchange& exchange_;
  const Serving& serving_;
  state::RequestRecord& record_;
  Admission& admission_;
  const TimePoint arrived_;
  const RequestTrace* trace_ = nullptr;
  const wire::Request* request_ = nullptr;
  Choice* choice_ = nullptr;
  std::optional<Fallbacks> fallbacks_;    // once somebody else is looked for
  TimePoint end_{};                       // of the request
  std::uint64_t tried_ = 0;               // hosts of the model that is asked, a bit each
  std::vector<std::size_t> unreachable_;  // upstreams
  std::uint32_t made_ = 0, retries_here_ = 0;
  bool again_here_ = false, repeated_answer_ = false, shed_for_load_ = false;
  TimePoint closed_until_ = TimePoint::max();
  Attempt answer_;
  std::optional<Attempt> kept_;  // the last one that could be passed on
  Error error_;
  std::string trail_;
  std::chrono::seconds retry_after_{0};
  std::int64_t waited_us_ = 0;
};

/// How a call ended, for the ledger.
state::Outcome outcome_of(ErrorCode code);

}  // namespace rung::gateway
