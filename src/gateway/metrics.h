#pragma once
// Counters and times for /metrics. docs/ledger.md lists the names.
//
// Each worker counts in memory of its own with plain relaxed stores: no lock and no shared cache
// line while serving. A scrape adds the workers up. Labels are names from the configuration, never
// words of a client: what is not configured is counted as "other", what is not there (a model named
// directly has no route) as "".

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/resilience_metrics.h"
#include "state/ledger.h"
#include "state/record.h"

namespace rung::gateway {

struct Snapshot;

/// The names that labels may have.
struct MetricLabels {
  struct RouteArms {
    std::string route;
    std::vector<std::string> arms;
    bool operator==(const RouteArms&) const = default;
  };
  std::vector<RouteArms> routes;
  std::vector<std::string> models;
  bool operator==(const MetricLabels&) const = default;
};

class Metrics final : public prometheus::Collectable {
 public:
  /// `ledger` must outlive this. Before `serve` every name is "other".
  Metrics(std::size_t workers, const state::Ledger& ledger, std::string version = {});
  ~Metrics() override;

  /// After start and after each reload; from one thread at a time. Counts made under the labels
  /// before stay.
  void serve(const Snapshot& snapshot);
  void serve(MetricLabels labels);

  /// A counter that somebody else keeps: `read` is asked at each scrape, from any thread. Before
  /// the workers start.
  void watch(std::string name, std::string help, std::function<double()> read);

  /// The hot path; each `worker` number from one thread at a time. `decision_us` below 0: no
  /// decision was made.
  void record(std::size_t worker, const state::RequestRecord& record, std::int64_t decision_us);
  void connection_opened(std::size_t worker);
  void connection_closed(std::size_t worker);
  ResilienceMetrics& resilience() { return resilience_; }

  /// For scrapes, from any thread.
  std::vector<prometheus::MetricFamily> Collect() const override;
  /// The Prometheus text format, version 0.0.4.
  std::string text() const;

 private:
  struct Table;
  struct alignas(64) Connections {
    std::atomic<std::int64_t> opened{0}, closed{0};  // two counters: each side is one plain store
  };
  const std::size_t workers_;
  const state::Ledger& ledger_;
  const std::string version_;
  struct Watched {
    std::string name, help;
    std::function<double()> read;
  };
  std::vector<Watched> watched_;
  std::vector<Connections> connections_;
  ResilienceMetrics resilience_;
  std::atomic<Table*> current_;
  mutable std::mutex mutex_;  // guards tables_
  std::vector<std::unique_ptr<Table>>
      tables_;  // of every set of labels so far: workers may still hold an old one
};

}  // namespace rung::gateway
