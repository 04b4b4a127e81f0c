#pragma once
// What the thresholds of routes do to live traffic, held against what calibration expected: the
// share that goes strong with an alarm when it drifts, and the threshold that would bring the
// expected share back.
//
// Each worker counts in cells of its own with plain relaxed stores: no lock and no shared cache
// line while serving. `watch`, called now and then by one thread, adds them up and judges. Only
// routes whose policy states a `share` are watched (rung calibrate writes it).

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gateway/decider.h"
#include "outcomes/live_share.h"

namespace rung::gateway {

/// One worker's counts of one route; `add` from its thread alone.
class alignas(64) LiveShareCell {
 public:
  LiveShareCell(const decide::PolicySpec& policy, std::size_t workers);
  void add(const Choice::Threshold& use);

 private:
  friend class LiveShares;
  std::atomic<std::uint64_t> strong_{0}, count_{0};
  std::atomic<double> wanted_;  // threshold; NaN: not known yet
  std::optional<outcomes::LiveThreshold> sketch_;
};

/// What is known of one route.
struct LiveShareStatus {
  std::string route;
  double expected = 0;
  std::optional<outcomes::LiveShare::Window> last;  // empty before the first window is full
  std::optional<double> wanted;  // threshold with the expected share on the last scores
  /// "41.2 % of the last 1000 requests went to large, 31.0 % were expected": for people; "" at
  /// first.
  std::string sentence;
};

class LiveShares final : public prometheus::Collectable {
 public:
  explicit LiveShares(std::size_t workers) : workers_(workers) {}

  /// The cell for `worker` of `route`; null if its policy states no share. The same policy under
  /// the same name goes on counting where it was before a reload. Lives as long as this.
  /// Thread-safe.
  LiveShareCell* cell(std::size_t worker, const Route& route);
  /// From now on only routes of `snapshot` are shown. Thread-safe.
  void serve(const Snapshot& snapshot);

  /// Adds up and judges; gives the routes whose alarm began or ended since the last call.
  std::vector<LiveShareStatus> watch();
  /// Of every route that is watched. Thread-safe, as of the last watch().
  std::vector<LiveShareStatus> status() const;
  /// rung_strong_share, ..._expected, ..._drifted, rung_threshold_wanted; thread-safe.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Watched {
    std::string route;
    decide::PolicySpec policy;
    std::string predictor;
    std::vector<std::unique_ptr<LiveShareCell>> cells;  // of each worker
    outcomes::LiveShare share;
    std::uint64_t strong = 0, count = 0;  // so far judged or in the window
    bool shown = false;
    Watched(const Route& of, std::size_t workers);
    bool is(const Route& other) const;
    LiveShareStatus status() const;
  };
  Watched& find(const Route& route);  // needs the lock
  const std::size_t workers_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Watched>> watched_;  // of every policy so far
};

}  // namespace rung::gateway
