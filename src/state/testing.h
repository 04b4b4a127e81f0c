#pragma once
// For tests of the ledger and of what reads it: a folder that goes away, and records with sane
// defaults.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "state/record.h"

namespace rung::state::testing {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/rung-state-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name = "ledger.db") const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline constexpr std::int64_t kNoon = 1'760'000'000'000'000;  // some microsecond in October 2025

/// A request that was answered by `small` for 1,000 nano-dollars where `large` would have cost
/// 9,000.
inline RequestRecord answered(DecisionIdSource& ids, std::int64_t time_us = kNoon) {
  RequestRecord record;
  record.id = ids.next(time_us);
  record.time_us = time_us;
  record.route = "auto";
  record.requested_model = "auto";
  record.arm = "small";
  record.served_model = "small";
  record.upstream = "local";
  record.strategy = "single";
  record.policy = "tradeoff";
  record.policy_parameter = 0.0005;
  record.reason = "cheapest arm within the tradeoff";
  record.runner_up = "large";
  record.propensity = 1.0;
  record.seed = 0xfedcba9876543210ULL;
  record.prompt_hash = 0xabcdef0123456789ULL;
  record.arms = {
      {"small", "", 0.71f, 0.05f, NanoUsd{1100}, 120.0f},
      {"large", "", 0.78f, 0.04f, NanoUsd{9500}, 150.0f},
      {"blind", "the request has an image, and this model supports none", {}, {}, {}, {}}};
  record.reference_arm = "large";
  record.reference_estimate = NanoUsd{9500};
  record.reference_cost = NanoUsd{9000};
  CallRecord call;
  call.upstream = "local";
  call.model = "qwen3-8b";
  call.status = 200;
  call.first_byte_us = 40'000;
  call.end_us = 300'000;
  call.prompt_tokens = 100;
  call.completion_tokens = 50;
  call.usage_source = UsageSource::kProvider;
  call.cost = NanoUsd{1000};
  record.calls.push_back(call);
  record.http_status = 200;
  record.gateway_us = 150;
  record.first_byte_us = 41'000;
  record.total_us = 301'000;
  return record;
}

}  // namespace rung::state::testing
