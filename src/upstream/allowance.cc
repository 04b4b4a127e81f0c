#include "upstream/allowance.h"

#include <algorithm>

namespace rung::upstream {

void Allowance::trickle(TimePoint now) {
  if (last_ == TimePoint{}) last_ = now;
  if (now <= last_) return;
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  // Time alone fills it to its beginning only; the rest must be earned.
  if (tokens_ < config_.at_first)
    tokens_ = std::min(config_.at_first, tokens_ + seconds * config_.per_second);
}

void Allowance::earn(TimePoint now) {
  trickle(now);
  tokens_ = std::min(std::max(config_.most, config_.at_first), tokens_ + config_.share);
}

bool Allowance::spend(TimePoint now) {
  trickle(now);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void Allowance::give_back() {
  tokens_ = std::min(std::max(config_.most, config_.at_first), tokens_ + 1);
}

}  // namespace rung::upstream
