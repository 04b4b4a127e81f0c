#pragma once
// Questions to the ledger: what was decided, what it cost, what it would have cost, how good it
// was.
//
// A connection of its own that cannot write; the writer never waits for it. Opened at the first
// question and again after a failure, so a ledger that does not exist yet is no error until it is
// asked. Thread-safe: one question at a time, the others wait. Meant for the admin listener and the
// command line, not for the request path.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "state/record.h"

namespace rung::state {

/// [since_us, until_us), microseconds since 1970, by time of arrival.
struct Window {
  std::int64_t since_us = 0;
  std::int64_t until_us = 253'402'300'800'000'000;  // the year 10000
};

struct DecisionFilter {
  Window window{};
  std::string route{};                 // empty: every route
  std::string model{};                 // served; empty: every model
  std::string arm{};                   // empty: every arm
  std::string key_name{};              // of the client's key; empty: every key
  std::optional<Outcome> outcome{};    // empty: every outcome
  std::optional<DecisionId> before{};  // only older ones: the last id of the page before
  std::size_t limit = 50;
};

struct StoredDecision {
  RequestRecord record;
  std::vector<FeedbackRecord> feedback;  // oldest first
  std::int64_t tokens_unknown = 0;       // answered calls without token counts
  std::int64_t cost_unknown = 0;         // calls without a cost
  NanoUsd spent;                         // the calls whose cost is known
  /// True if there were calls and each has a cost.
  bool cost_known() const { return cost_unknown == 0 && !record.calls.empty(); }
};

/// The middle and the tail of a set of times, microseconds. Nearest rank; exact.
struct Quantiles {
  std::uint64_t count = 0;  // 0: the others mean nothing
  std::int64_t p50 = 0, p90 = 0, p99 = 0;
};

/// Sums over the requests that share a name. Unknown is counted apart and never added as 0.
struct Totals {
  std::string name;  // of the arm, route, model, day or key; empty: none
  std::uint64_t requests = 0;
  std::uint64_t outcomes[std::size(kOutcomes)] = {};  // in the order of kOutcomes
  std::optional<std::int64_t> prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
  std::uint64_t tokens_unknown = 0;    // calls
  std::uint64_t tokens_estimated = 0;  // calls
  NanoUsd spent;                       // known costs
  std::uint64_t cost_unknown = 0;      // calls
  // Spent against the reference arm, over those requests where both are known.
  std::uint64_t compared = 0;
  NanoUsd compared_spent, compared_reference;
  // Mean score of the decisions that got feedback (several scores of one decision count as their
  // mean), with Wilson's 95 % interval (Wilson 1927; wide enough for any score in 0..1, since no
  // variance exceeds a coin's).
  std::uint64_t scored = 0;  // decisions; 0: the next three mean nothing
  double score = 0, score_low = 0, score_high = 0;
  Quantiles total, first_byte, gateway;

  std::uint64_t failed() const;  // upstream_error, timeout and internal
};

enum class GroupBy : std::uint8_t { kArm, kRoute, kModel, kDay, kKey };  // days are UTC: 2026-11-24

struct ArmCount {
  std::string arm;
  std::uint64_t requests = 0;
};
struct Bucket {
  std::int64_t start_us = 0;
  std::vector<ArmCount> arms;  // those with requests, most first
  NanoUsd spent;
  NanoUsd compared_spent, compared_reference;
};
struct Summary {
  Window window;  // `until_us` as asked
  Totals all;
  std::vector<Totals> by_arm, by_route, by_model;  // most requests first
  std::int64_t bucket_us = 0;
  std::vector<Bucket> buckets;  // equal steps over the window, also the empty ones
  std::optional<std::int64_t>
      oldest_us;  // arrival of the first request ever kept; empty: there is none
};

/// Wilson's score interval for a mean of values in 0..1 over `count` > 0 of them; z = 1.96.
struct Interval {
  double low = 0, high = 1;
};
Interval wilson_interval(double mean, std::uint64_t count);

class LedgerReader {
 public:
  /// `path` from Ledger::reader_path, or a file; empty: every question is answered kUnavailable.
  static std::unique_ptr<LedgerReader> open(std::string path);
  virtual ~LedgerReader() = default;

  /// Newest first. Calls and feedback are not read: see `decision`.
  virtual Result<std::vector<StoredDecision>> recent(const DecisionFilter& filter) const = 0;
  /// One decision whole. Error: kNotFound.
  virtual Result<StoredDecision> decision(const DecisionId& id) const = 0;
  /// Oldest first, whole ones, one at a time: for export. Stops at the first error that `each`
  /// gives, and gives it.
  virtual Result<void> scan(
      const DecisionFilter& filter,
      const std::function<Result<void>(const StoredDecision&)>& each) const = 0;
  virtual Result<std::vector<Totals>> totals(Window window, GroupBy by) const = 0;
  /// One pass over the requests of the window, which must be finite; `buckets` from 1 to 1000.
  virtual Result<Summary> summary(Window window, std::size_t buckets) const = 0;
  // Every question may fail with kUnavailable (no ledger, not readable now) or kCorruptFile (not
  // ours, newer).
};

}  // namespace rung::state
