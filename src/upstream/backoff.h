#pragma once
// How long to wait before the same host is asked again.

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace rung::upstream {

struct BackoffConfig {
  std::chrono::milliseconds first{50};    // the most before the first retry; doubles with each
  std::chrono::milliseconds most{2'000};  // and ends here
};

/// The wait before the `retry`th retry (1 is the first): uniform from 0 to its ceiling ("full
/// jitter", Brooker, AWS 2015), so that clients that failed together do not come back together.
/// `random`: 64 random bits.
Duration backoff(const BackoffConfig& config, unsigned retry, std::uint64_t random);

}  // namespace rung::upstream
