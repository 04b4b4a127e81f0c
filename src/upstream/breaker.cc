#include "upstream/breaker.h"

#include <algorithm>

namespace rung::upstream {

bool Breaker::begin(TimePoint now) {
  if (!open_ || now < until_ || trial_) return false;
  trial_ = true;
  return true;
}

void Breaker::success() {
  row_ = opened_ = 0;
  open_ = trial_ = false;
}

bool Breaker::failure(TimePoint now, bool was_trial) {
  if (was_trial) trial_ = false;
  if (config_.failures == 0) return false;
  ++row_;
  // What began before it opened says nothing new.
  if (open_ ? !was_trial : row_ < config_.failures) return false;
  open_ = true;
  const auto pause = config_.cool_down * (std::int64_t{1} << std::min(opened_, 20u));
  until_ = now + std::min(pause, std::max(config_.max_cool_down, config_.cool_down));
  ++opened_;
  return true;
}

}  // namespace rung::upstream
