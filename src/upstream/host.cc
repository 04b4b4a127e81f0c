#include "upstream/host.h"

#include <algorithm>
#include <utility>

namespace rung::upstream {
namespace {

/// Only the host's worker writes: a load and a store are enough.
void bump(std::atomic<std::uint64_t>& cell) {
  cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Host::Host(HostConfig config, std::shared_ptr<HostWatch> watch,
           std::shared_ptr<const std::atomic<bool>> down)
    : config_(config), breaker_(config.breaker), watch_(std::move(watch)), down_(std::move(down)) {}

void Host::configure(const HostConfig& config) {
  config_ = config;
  breaker_.configure(config.breaker);
}

Standing Host::standing(TimePoint now) const {
  if (is_full() || !breaker_.allows(now)) return Standing::kClosed;
  if (is_ejected(now) || (down_ && down_->load(std::memory_order_relaxed)))
    return Standing::kDoubtful;
  return now < rest_until_ ? Standing::kResting : Standing::kGood;
}

void Host::rest_until(TimePoint until) { rest_until_ = std::max(rest_until_, until); }

void Host::eject(TimePoint now) {
  ++times_ejected_;
  const EjectionConfig& c = config_.ejection;
  ejected_until_ = now + std::min(c.pause * times_ejected_, std::max(c.max_pause, c.pause));
  window_.clear();  // it begins anew when it comes back
  if (!watch_) return;
  bump(watch_->ejections);
  watch_->ejected.store(true, std::memory_order_relaxed);
}

void Host::note_wrong_model() {
  if (watch_) bump(watch_->wrong_model);
}

bool Host::begin(TimePoint now) {
  ++in_flight_;
  return breaker_.begin(now);
}

bool Host::end(Fault fault, bool was_trial, TimePoint now) {
  const bool failed = speaks_against_host(fault);
  bool opened = false;
  window_.add(failed, now, config_.ejection.window);
  if (!failed) {
    breaker_.success();
    if (!is_ejected(now) && fault == Fault::kNone && times_ejected_ > 0) {
      // A window without trouble after an ejection forgets one of them.
      const Tally seen = tally(now);
      if (seen.failures == 0 && seen.requests >= config_.ejection.min_requests) --times_ejected_;
    }
  } else {
    opened = breaker_.failure(now, was_trial);
  }
  if (!watch_) return opened;
  if (opened) bump(watch_->opened);
  bump(watch_->ends[static_cast<std::size_t>(fault)]);
  watch_->breaker_open.store(breaker_.state(now) != BreakerState::kClosed,
                             std::memory_order_relaxed);
  if (!is_ejected(now)) watch_->ejected.store(false, std::memory_order_relaxed);
  return opened;
}

HostLease& HostLease::operator=(HostLease&& other) noexcept {
  if (this != &other) {
    release();
    host_ = std::exchange(other.host_, nullptr);
    is_trial_ = other.is_trial_;
    settled_ = other.settled_;
  }
  return *this;
}

bool HostLease::settle(Fault fault, TimePoint now) {
  if (host_ == nullptr || settled_) return false;
  settled_ = true;
  return host_->end(fault, is_trial_, now);
}

void HostLease::release() {
  if (host_ == nullptr) return;
  if (!settled_) host_->breaker_.abandoned(is_trial_);
  --host_->in_flight_;
  host_ = nullptr;
}

}  // namespace rung::upstream
