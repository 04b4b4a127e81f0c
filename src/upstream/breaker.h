#pragma once
// A circuit breaker for one host: after a row of failures nobody waits for it any more; after a
// pause one request at a time finds out whether it is well again.
//
//   closed ──row of failures──► open ──pause──► trial ──success──► closed
//                                 ▲───────failure──┘  (the pause doubles)

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace rung::upstream {

struct BreakerConfig {
  std::uint32_t failures = 10;                      // in a row; 0: never opens
  std::chrono::milliseconds cool_down{5'000};       // the first pause
  std::chrono::milliseconds max_cool_down{60'000};  // doubling ends here
};

enum class BreakerState : std::uint8_t { kClosed, kOpen, kTrial };

class Breaker {
 public:
  explicit Breaker(BreakerConfig config = {}) : config_(config) {}
  void configure(BreakerConfig config) { config_ = config; }

  /// Whether a request may go to the host now.
  bool allows(TimePoint now) const { return !open_ || (now >= until_ && !trial_); }
  BreakerState state(TimePoint now) const {
    return !open_         ? BreakerState::kClosed
           : now < until_ ? BreakerState::kOpen
                          : BreakerState::kTrial;
  }
  /// When the pause ends; meaningful while it is open.
  TimePoint until() const { return until_; }

  /// A request goes to the host. True: it is the trial, and exactly one of the next three follows
  /// with this.
  bool begin(TimePoint now);
  void success();
  /// True: it opened, or opened again, by this.
  bool failure(TimePoint now, bool was_trial);
  /// It ended without telling anything: the client left, a hedge lost.
  void abandoned(bool was_trial) {
    if (was_trial) trial_ = false;
  }

 private:
  BreakerConfig config_;
  std::uint32_t row_ = 0, opened_ = 0;
  bool open_ = false, trial_ = false;
  TimePoint until_{};
};

}  // namespace rung::upstream
