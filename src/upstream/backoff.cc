#include "upstream/backoff.h"

#include <algorithm>

namespace rung::upstream {

Duration backoff(const BackoffConfig& config, unsigned retry, std::uint64_t random) {
  const unsigned doublings = std::min(retry > 0 ? retry - 1 : 0u, 20u);
  const auto ceiling = std::min(config.first * (std::int64_t{1} << doublings), config.most);
  const double share = static_cast<double>(random >> 11) * 0x1.0p-53;
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(static_cast<double>(ceiling.count()) * share));
}

}  // namespace rung::upstream
