#pragma once
// Adds up requests one at a time and gives their Totals. Inside src/state only.

#include <string>
#include <vector>

#include "state/ledger_reader.h"

namespace rung::state {

/// What the sums need of one row of `requests`.
struct RequestRow {
  std::int64_t time_us = 0;
  std::string_view arm, route, model, key;  // until the next row
  Outcome outcome = Outcome::kOk;
  std::optional<std::int64_t> prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens;
  std::int64_t tokens_unknown = 0, tokens_estimated = 0;
  NanoUsd spent;
  std::int64_t cost_unknown = 0;
  std::int64_t call_count = 0;
  std::optional<NanoUsd> reference;
  std::int64_t gateway_us = 0, total_us = 0;
  std::optional<std::int64_t> first_byte_us;
  std::optional<double> score;  // mean of the decision's scores

  /// Spent and reference are both known, so that they may be held against each other.
  bool is_compared() const { return reference && cost_unknown == 0 && call_count > 0; }
};

class Accumulator {
 public:
  explicit Accumulator(std::string name) { totals_.name = std::move(name); }
  void add(const RequestRow& row);
  std::uint64_t requests() const { return totals_.requests; }
  Totals finish() &&;

 private:
  Totals totals_;
  double score_sum_ = 0;
  std::vector<std::int64_t> total_us_, first_byte_us_, gateway_us_;
};

/// Accumulators by name; few names, so a list in order of arrival is enough.
class Groups {
 public:
  Accumulator& of(std::string_view name);
  /// Most requests first; of equals, by name.
  std::vector<Totals> finish() &&;

 private:
  std::vector<std::pair<std::string, Accumulator>> groups_;
};

}  // namespace rung::state
