#pragma once
// Time comes in through the front door, so that a test can hold it still.

#include <chrono>
#include <cstdint>
#include <string>

namespace rung {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const { return std::chrono::steady_clock::now(); }
  /// Microseconds since 1970-01-01 UTC.
  virtual std::int64_t wall_us() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

/// A clock that stands until it is moved.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  std::int64_t wall_us() const override { return wall_us_; }
  void advance(std::chrono::microseconds by) {
    now_ += by;
    wall_us_ += by.count();
  }

 private:
  TimePoint now_{};
  std::int64_t wall_us_ = 1'700'000'000'000'000;
};

}  // namespace rung
