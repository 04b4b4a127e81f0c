#pragma once
// The `resilience` part of the configuration: deadlines, retries, fallback, breakers, health
// checks, hedging, shedding. docs/resilience.md shows every key. Plain values after parsing.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "upstream/allowance.h"
#include "upstream/backoff.h"
#include "upstream/balance.h"
#include "upstream/health.h"
#include "upstream/host.h"

namespace rung::gateway {

class YamlSection;

/// What each upstream may set for itself; `resilience` has what holds where it does not.
struct HostResilience {
  std::chrono::milliseconds first_token_timeout{300'000};  // streams: until the first content
  std::chrono::milliseconds idle_timeout{300'000};         // streams: between bytes
  upstream::BreakerConfig breaker;
  upstream::EjectionConfig ejection;
  upstream::HealthConfig health;
  std::size_t max_waiting = 1024;  // requests that wait for a connection; more go elsewhere
};

/// A second call where the first is slow; the loser is cancelled.
struct HedgeConfig {
  std::chrono::milliseconds after{0};  // without content by then; 0: never
  double share = 0.05;                 // of a model's requests may be hedged
  double max_usd = 0.01;               // a call that is expected to cost more is never hedged
};

struct Resilience {
  std::uint32_t attempts = 3;  // calls of one request, the first included; 1: none is tried again
  upstream::AllowanceConfig retry_budget;
  upstream::BackoffConfig backoff;
  std::chrono::milliseconds max_retry_after{5'000};  // a longer wait is left to the client
  bool retry_empty = true;                           // an empty or malformed reply, once
  bool fallback = true;                              // to other eligible arms of the route
  std::chrono::milliseconds total_timeout{600'000};  // of a request with all its calls
  std::chrono::milliseconds hold{5'000};  // a stream without content is not kept back longer
  std::size_t max_reply_bytes = 256u << 20;
  HostResilience host;
  HedgeConfig hedge;
  std::size_t max_requests = 8'192;  // running at the same time in one worker
  std::chrono::seconds shed_retry_after{1};
};

/// Reads the mapping; `s` keeps the first error. Values that are absent stay as they are in `out`.
void read_resilience(YamlSection& s, Resilience& out);
/// The same for the `resilience` of one upstream.
void read_host_resilience(YamlSection& s, HostResilience& out);
/// The `hedge` of a model or of `resilience`.
void read_hedge(YamlSection& s, HedgeConfig& out);

}  // namespace rung::gateway
