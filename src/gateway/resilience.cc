#include "gateway/resilience.h"

#include <fmt/format.h>

#include "gateway/yaml_section.h"

namespace rung::gateway {
namespace {

using std::chrono::milliseconds;

void read_ms(YamlSection& s, const char* key, milliseconds& value, std::int64_t low = 1) {
  value = milliseconds(s.integer(key, value.count(), low, 86'400'000));
}

template <class Count>
void read_count(YamlSection& s, const char* key, Count& value, std::int64_t low,
                std::int64_t high) {
  value = static_cast<Count>(s.integer(key, static_cast<std::int64_t>(value), low, high));
}

void read_number(YamlSection& s, const char* key, double& value, double low, double high) {
  const auto found = s.number(key);
  if (!found) return;
  if (!(*found >= low && *found <= high))
    s.fail(key, fmt::format("is {:g}; expected {:g} to {:g}", *found, low, high));
  value = *found;
}

/// Reads the mapping `key`, if it is there, with `read`.
template <class Read>
void read_part(YamlSection& s, const char* key, Read read) {
  if (!s.has(key)) {
    s.child(key);  // known, though absent
    return;
  }
  YamlSection part = s.part(key);
  if (!part.failed()) read(part);
  if (auto done = part.finish(); !done) s.fail(done.error());
}

}  // namespace

void read_hedge(YamlSection& s, HedgeConfig& out) {
  read_part(s, "hedge", [&](YamlSection& p) {
    read_ms(p, "after_ms", out.after, 0);
    read_number(p, "share", out.share, 0, 1);
    read_number(p, "max_usd", out.max_usd, 0, 1e6);
  });
}

void read_host_resilience(YamlSection& s, HostResilience& out) {
  read_ms(s, "first_token_timeout_ms", out.first_token_timeout);
  read_ms(s, "idle_timeout_ms", out.idle_timeout);
  read_count(s, "max_waiting", out.max_waiting, 0, 1'000'000);
  read_part(s, "breaker", [&](YamlSection& p) {
    read_count(p, "failures", out.breaker.failures, 0, 1'000'000);
    read_ms(p, "cool_down_ms", out.breaker.cool_down);
    read_ms(p, "max_cool_down_ms", out.breaker.max_cool_down);
    if (out.breaker.max_cool_down < out.breaker.cool_down)
      p.fail("max_cool_down_ms",
             fmt::format("is {}, below cool_down_ms, which is {}",
                         out.breaker.max_cool_down.count(), out.breaker.cool_down.count()));
  });
  read_part(s, "ejection", [&](YamlSection& p) {
    read_number(p, "failure_share", out.ejection.failure_share, 0, 1);
    read_count(p, "min_requests", out.ejection.min_requests, 1, 1'000'000);
    read_ms(p, "window_ms", out.ejection.window);
    read_ms(p, "pause_ms", out.ejection.pause);
    read_number(p, "max_share", out.ejection.max_ejected, 0, 1);
  });
  read_part(s, "health", [&](YamlSection& p) {
    out.health.path = p.string("path", out.health.path);
    if (!out.health.path.empty() && out.health.path.front() != '/')
      p.fail("path", fmt::format("is \"{}\"; expected a path from the host's root, as in /health",
                                 out.health.path));
    read_ms(p, "interval_ms", out.health.interval, 10);
    read_ms(p, "timeout_ms", out.health.timeout);
    read_count(p, "fall", out.health.fall, 1, 1'000);
    read_count(p, "rise", out.health.rise, 1, 1'000);
  });
}

void read_resilience(YamlSection& s, Resilience& out) {
  read_count(s, "attempts", out.attempts, 1, 20);
  read_number(s, "retry_share", out.retry_budget.share, 0, 1);
  read_ms(s, "backoff_ms", out.backoff.first, 0);
  read_ms(s, "max_backoff_ms", out.backoff.most, 0);
  read_ms(s, "max_retry_after_ms", out.max_retry_after, 0);
  out.retry_empty = s.boolean("retry_empty", out.retry_empty);
  out.fallback = s.boolean("fallback", out.fallback);
  read_ms(s, "total_timeout_ms", out.total_timeout);
  read_ms(s, "hold_ms", out.hold, 0);
  std::size_t reply_mb = out.max_reply_bytes >> 20;
  read_count(s, "max_reply_mb", reply_mb, 1, 4096);
  out.max_reply_bytes = reply_mb << 20;
  read_count(s, "max_requests", out.max_requests, 1, 1'000'000);
  std::int64_t wait = out.shed_retry_after.count();
  read_count(s, "shed_retry_after_s", wait, 0, 3'600);
  out.shed_retry_after = std::chrono::seconds(wait);
  read_host_resilience(s, out.host);
  read_hedge(s, out.hedge);
}

}  // namespace rung::gateway
