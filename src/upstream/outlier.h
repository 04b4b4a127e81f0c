#pragma once
// Which of several hosts of one model is worse than its peers. A breaker looks at one host alone
// and wants a row of failures; a host that fails every second request never gives it one, but
// stands out. Source: Envoy's outlier detection by success rate, with a plain comparison instead of
// deviations, because a model has few hosts.

#include <chrono>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace rung::upstream {

struct EjectionConfig {
  double failure_share = 0.5;                // at least this share of requests failed; 0: never
  std::uint32_t min_requests = 10;           // fewer in the window say nothing
  std::chrono::milliseconds window{10'000};  // counted over one to two of these
  std::chrono::milliseconds pause{30'000};   // the first ejection; each further one is longer by it
  std::chrono::milliseconds max_pause{300'000};
  double max_ejected = 0.5;  // of the hosts of a model: the others must carry on
};

struct Tally {
  std::uint32_t requests = 0, failures = 0;
  double share() const {
    return requests == 0 ? 0 : static_cast<double>(failures) / static_cast<double>(requests);
  }
};

/// Counts of the last one to two windows.
class TallyWindow {
 public:
  void add(bool failed, TimePoint now, Duration window);
  Tally total(TimePoint now, Duration window) const;
  void clear() { *this = {}; }

 private:
  TimePoint begin_{};  // of current_
  Tally current_, before_;
};

/// Whether a host with `own` stands out among its `peers` (without itself): it fails at least as
/// often as configured, and at least twice as often as they do together. Without peers that were
/// asked nobody stands out.
bool is_outlier(const EjectionConfig& config, const Tally& own, std::span<const Tally> peers);

}  // namespace rung::upstream
