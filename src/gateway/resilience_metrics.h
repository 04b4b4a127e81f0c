#pragma once
// What retries, fallbacks, breakers, checks and hedges did, for /metrics. docs/resilience.md lists
// the names. As metrics.h: each worker writes cells of its own with plain stores, a scrape adds up.

#include <prometheus/metric_family.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "upstream/host.h"

namespace rung::gateway {

/// One worker's counters, apart from the others' cache lines.
struct alignas(64) ResilienceCells {
  std::atomic<std::uint64_t> same_host{0}, other_host{0}, fallbacks{0};  // further attempts
  std::atomic<std::uint64_t> over_budget{0};  // retries that the budget did not allow
  std::atomic<std::uint64_t> hedges{0}, hedges_won{0};
  std::atomic<std::uint64_t> shed_busy{0}, shed_hosts_busy{0}, shed_breaker{0};
  static void bump(std::atomic<std::uint64_t>& cell) {
    cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

class ResilienceMetrics {
 public:
  explicit ResilienceMetrics(std::size_t workers) : cells_(workers) {}

  ResilienceCells& cells(std::size_t worker) { return cells_[worker]; }
  /// Where a worker's host of this name writes; the same again after a reload. Any thread.
  std::shared_ptr<upstream::HostWatch> watch(std::size_t worker, const std::string& upstream);
  /// True while the checks of this upstream say that it is down. Written by whoever checks. Any
  /// thread.
  std::shared_ptr<std::atomic<bool>> down(const std::string& upstream);

  std::vector<prometheus::MetricFamily> collect() const;

 private:
  std::vector<ResilienceCells> cells_;
  mutable std::mutex mutex_;  // guards the maps; taken at reloads and scrapes only
  std::map<std::string, std::map<std::size_t, std::shared_ptr<upstream::HostWatch>>> watches_;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> down_;
};

}  // namespace rung::gateway
