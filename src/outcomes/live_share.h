#pragma once
// What a served threshold does to live traffic: a sketch of the scores, the share that goes strong
// with an alarm when it leaves what was calibrated, and a threshold that follows the scores slowly.
//
// Sources: P2 quantiles: Jain and Chlamtac, CACM 28(10), 1985: five markers, no samples kept.
// Alarm: the binomial standard error sqrt(p (1 - p) / n) of RouteLLM's share, at three of them.
// Where we differ: sketch and share are of windows of n requests, so that old traffic is forgotten.
// Time comes in as an argument. Not thread-safe: one owner each, or a lock outside.

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "base/clock.h"

namespace rung::outcomes {

/// One quantile of a stream in constant memory.
class P2Quantile {
 public:
  /// p in (0, 1).
  explicit P2Quantile(double p);
  /// Numbers that are not finite are left out.
  void add(double value);
  /// Exact (linear between order statistics) up to five numbers, then an estimate; empty before the
  /// first.
  std::optional<double> value() const;
  std::size_t count() const { return count_; }

 private:
  double parabolic(std::size_t i, double step) const;

  double p_;
  std::size_t count_ = 0;
  std::array<double, 5> height_{};    // estimates at the markers
  std::array<double, 5> position_{};  // ranks, from 1
  std::array<double, 5> wanted_{};
};

struct LiveShareOptions {
  double expected = 0.5;      // calibrated share of strong calls, in [0, 1]
  double expected_se = 0;     // of that share, from its calibration rows
  std::size_t window = 1000;  // requests that are judged together
  double standard_errors = 3;
};

/// The share of strong calls in windows of requests. An alarm stands from the end of a window that
/// left the band until the end of one that keeps it.
class LiveShare {
 public:
  explicit LiveShare(const LiveShareOptions& options);
  void add(bool strong) { add(strong ? 1 : 0, 1); }
  /// `count` requests at once, of which `strong` went strong: a window that they fill takes all of
  /// them, so that their order is of no consequence.
  void add(std::size_t strong, std::size_t count);

  struct Window {
    double share = 0, se = 0;  // se: of share - expected where nothing has drifted
    std::size_t requests = 0;
    bool drifted = false;
  };
  /// The last whole window; empty before the first is full.
  const std::optional<Window>& last() const { return last_; }
  bool alarm() const { return last_ && last_->drifted; }

 private:
  LiveShareOptions options_;
  std::size_t count_ = 0, strong_ = 0;  // of the window that is filling
  std::optional<Window> last_;
};

struct LiveThresholdOptions {
  double share = 0.5;                  // wished share of strong calls, in (0, 1)
  double tau = 0.5;                    // to begin with
  double most_change_per_hour = 0.02;  // of tau
  std::size_t window = 1000;           // scores behind one quantile
};

/// Holds the share while the scores drift: tau goes towards quantile_{1-share} of the last whole
/// window of scores, never faster than allowed.
class LiveThreshold {
 public:
  /// The allowance begins to grow at `now`.
  LiveThreshold(const LiveThresholdOptions& options, TimePoint now);
  void add(double score);
  /// The threshold at `now`, which must not go back. It moves by at most most_change_per_hour times
  /// the hours since the last call; what is not used is not saved up beyond one hour.
  double update(TimePoint now);
  double tau() const { return tau_; }
  /// Where tau is going: empty before the first window is full.
  std::optional<double> target() const { return target_; }

 private:
  LiveThresholdOptions options_;
  double tau_;
  TimePoint last_;
  P2Quantile filling_;
  std::optional<double> target_;
};

}  // namespace rung::outcomes
