#include "upstream/outlier.h"

namespace rung::upstream {

void TallyWindow::add(bool failed, TimePoint now, Duration window) {
  if (now - begin_ >= window) {
    before_ = now - begin_ < 2 * window ? current_ : Tally{};
    current_ = {};
    begin_ = now;
  }
  ++current_.requests;
  current_.failures += failed;
}

Tally TallyWindow::total(TimePoint now, Duration window) const {
  const Duration age = now - begin_;
  if (age >= 2 * window) return {};
  if (age >= window) return current_;
  return {current_.requests + before_.requests, current_.failures + before_.failures};
}

bool is_outlier(const EjectionConfig& config, const Tally& own, std::span<const Tally> peers) {
  if (config.failure_share <= 0 || own.requests < config.min_requests ||
      own.share() < config.failure_share)
    return false;
  Tally others;
  for (const Tally& peer : peers) {
    others.requests += peer.requests;
    others.failures += peer.failures;
  }
  return others.requests > 0 && others.share() <= own.share() / 2;
}

}  // namespace rung::upstream
