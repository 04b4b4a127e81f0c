#include "upstream/health.h"

namespace rung::upstream {

bool Health::report(const HealthConfig& config, bool good) {
  if (good == up_) {
    row_ = 0;
    return false;
  }
  if (++row_ < (up_ ? config.fall : config.rise)) return false;
  up_ = good;
  row_ = 0;
  return true;
}

}  // namespace rung::upstream
