#pragma once
// Active checks: a host that fails several in a row is taken for down until several in a row
// succeed.

#include <chrono>
#include <cstdint>
#include <string>

namespace rung::upstream {

struct HealthConfig {
  std::string path{};                          // asked with GET; empty: no checks
  std::chrono::milliseconds interval{10'000};  // between checks
  std::chrono::milliseconds timeout{2'000};    // of one
  std::uint32_t fall = 3;                      // failed checks in a row that make it down
  std::uint32_t rise = 2;                      // good ones in a row that make it up again
};

class Health {
 public:
  /// True: this check changed is_up().
  bool report(const HealthConfig& config, bool good);
  bool is_up() const { return up_; }

 private:
  bool up_ = true;
  std::uint32_t row_ = 0;  // checks in a row that speak against up_
};

}  // namespace rung::upstream
