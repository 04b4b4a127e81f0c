#pragma once
// One host as one worker sees it: its load, its breaker, whether it rests, is ejected or down.
//
//   if (host.standing(now) != Standing::kClosed) {
//     HostLease lease(host, now);
//     ... ask ...
//     lease.settle(fault, now);        // once; without it the call counts for nothing
//   }                                  // the lease's end takes it off the load
// Single-threaded, but for `watch` and `down`, which other threads read and write.

#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

#include "upstream/breaker.h"
#include "upstream/fault.h"
#include "upstream/outlier.h"

namespace rung::upstream {

/// Best first.
enum class Standing : std::uint8_t {
  kGood,
  kResting,   // it asked to be left alone for a while (429, 503 with Retry-After)
  kDoubtful,  // ejected, or its checks fail: only where there is nobody better
  kClosed,    // its breaker is open, or too many requests wait for it: not asked at all
};

struct HostConfig {
  BreakerConfig breaker{};
  EjectionConfig ejection{};
  std::size_t most_in_flight = 8192;  // sent and waiting together
};

/// What others may see of a host of one worker: plain stores by the worker, loads by a scrape.
struct HostWatch {
  std::atomic<bool> breaker_open{false}, ejected{false};
  std::atomic<std::uint64_t> opened{0}, ejections{0}, wrong_model{0};
  std::array<std::atomic<std::uint64_t>, std::size(kFaults)> ends{};  // calls by how they ended
};

class Host {
 public:
  Host(HostConfig config, std::shared_ptr<HostWatch> watch = {},
       std::shared_ptr<const std::atomic<bool>> down = {});
  /// After a reload; what was learnt stays.
  void configure(const HostConfig& config);

  Standing standing(TimePoint now) const;
  std::uint32_t in_flight() const { return in_flight_; }
  bool is_full() const { return in_flight_ >= config_.most_in_flight; }
  const Breaker& breaker() const { return breaker_; }
  Tally tally(TimePoint now) const { return window_.total(now, config_.ejection.window); }
  const EjectionConfig& ejection() const { return config_.ejection; }
  bool is_ejected(TimePoint now) const { return now < ejected_until_; }

  /// It asked for it; never shortens a rest.
  void rest_until(TimePoint until);
  TimePoint rests_until() const { return rest_until_; }
  void eject(TimePoint now);
  /// It answered as another model than the one that was asked for.
  void note_wrong_model();

 private:
  friend class HostLease;
  bool begin(TimePoint now);
  bool end(Fault fault, bool was_trial, TimePoint now);
  HostConfig config_;
  Breaker breaker_;
  TallyWindow window_;
  std::uint32_t in_flight_ = 0, times_ejected_ = 0;
  TimePoint rest_until_{}, ejected_until_{};
  std::shared_ptr<HostWatch> watch_;
  std::shared_ptr<const std::atomic<bool>> down_;
};

/// A call to a host. The host must outlive it.
class HostLease {
 public:
  HostLease() = default;
  HostLease(Host& host, TimePoint now) : host_(&host), is_trial_(host.begin(now)) {}
  HostLease(HostLease&& other) noexcept
      : host_(std::exchange(other.host_, nullptr)),
        is_trial_(other.is_trial_),
        settled_(other.settled_) {}
  HostLease& operator=(HostLease&& other) noexcept;
  ~HostLease() { release(); }
  /// What came of the call, when that is known: for a stream with its first content. Only the first
  /// word counts. True: the host's breaker opened by this.
  bool settle(Fault fault, TimePoint now);

 private:
  void release();
  Host* host_ = nullptr;
  bool is_trial_ = false, settled_ = false;
};

}  // namespace rung::upstream
