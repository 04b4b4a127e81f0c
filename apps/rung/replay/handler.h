#pragma once
// The upstream that `rung replay` is: /v1/chat/completions, /v1/models, /stats. One loop, one
// thread.

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "net/server.h"
#include "replay/compose.h"
#include "replay/data.h"
#include "replay/faults.h"
#include "wire/openai_chat.h"

namespace rung::replay {

struct Pace {
  std::chrono::milliseconds first_token{
      0};                        // before the first token, and so before any plain answer
  double tokens_per_second = 0;  // after it; 0: as fast as can be
};

struct Stats {
  std::uint64_t requests = 0;  // to /v1/chat/completions
  std::uint64_t answered = 0;  // with 200 and to the end
  std::uint64_t aborted = 0;   // the client left before the end
  std::uint64_t unknown = 0;   // prompts without a row
  std::uint64_t faults = 0;    // made on purpose
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
  double cost = 0;  // USD, of the rows that record one
};

class Handler {
 public:
  /// `data` must outlive this; so must this every server that calls it. `strict`: unknown prompts
  /// are a 404.
  Handler(const Data& data, Pace pace, FaultPlan faults, bool strict)
      : data_(data), pace_(pace), faults_(std::move(faults)), strict_(strict) {}

  Task<void> operator()(Exchange& exchange);
  const Stats& stats() const { return stats_; }

 private:
  struct Reply;
  Task<void> chat(Exchange& exchange);
  Task<void> whole(Exchange& exchange, const Reply& reply);
  Task<void> stream(Exchange& exchange, const Reply& reply);
  Task<bool> stream_choice(Exchange& exchange, const Reply& reply, std::size_t index);
  Task<bool> wait(Exchange& exchange, Duration time);
  Task<void> fail(Exchange& exchange, int status, std::string body);
  Result<Reply> prepare(const wire::ChatRequest& request);
  Duration token_time(Fault fault) const;
  std::string models_body() const;
  std::string stats_body() const;

  const Data& data_;
  Pace pace_;
  FaultPlan faults_;
  bool strict_;
  Stats stats_;
  std::unordered_map<std::string, std::uint64_t>
      next_sample_;  // by row id and model: samples take turns
};

}  // namespace rung::replay
