#pragma once
// Progress of long work, with the time left, on a terminal only; and the flag that Ctrl-C sets.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace rung {

/// Draws "training  43 %  0:12 left" on standard error, at most ten times a second; silent when
/// standard error is not a terminal. Thread-safe. The line is wiped on destruction.
class Progress {
 public:
  Progress(std::string label, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void advance(std::uint64_t by = 1);
  /// For work whose size is learnt on the way.
  void set_total(std::uint64_t total);

 private:
  void draw(TimePoint now, std::uint64_t done);
  std::string label_;
  std::atomic<std::uint64_t> total_, done_{0};
  TimePoint started_;
  std::mutex mutex_;
  TimePoint drawn_;
  bool terminal_;
};

/// After this, Ctrl-C (SIGINT) and SIGTERM set the flag instead of ending the process; a second one
/// ends it.
void catch_interrupts();
/// True once an interrupt came: long loops look at it and return kCancelled, so that files are
/// tidied.
bool interrupted();

}  // namespace rung
