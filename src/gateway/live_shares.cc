#include "gateway/live_shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace rung::gateway {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// Only one thread writes a cell, so a load and a store are enough: no locked instruction.
void bump(std::atomic<std::uint64_t>& cell, std::uint64_t by) {
  cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

prometheus::MetricFamily gauge(const char* name, const char* help) {
  prometheus::MetricFamily f;
  f.name = name;
  f.help = help;
  f.type = prometheus::MetricType::Gauge;
  return f;
}

}  // namespace

LiveShareCell::LiveShareCell(const decide::PolicySpec& policy, std::size_t workers)
    : wanted_(kUnknown) {
  // Of all or nothing there is no quantile.
  if (*policy.share > 0 && *policy.share < 1)
    sketch_.emplace(outcomes::LiveThresholdOptions{.share = *policy.share,
                                                   .tau = policy.parameter,
                                                   .window = std::max<std::size_t>(
                                                       100, policy.share_window / workers)},
                    TimePoint{});
}

void LiveShareCell::add(const Choice::Threshold& use) {
  bump(count_, 1);
  if (use.strong) bump(strong_, 1);
  if (!sketch_ || !use.score) return;
  sketch_->add(*use.score);
  if (const auto target = sketch_->target()) wanted_.store(*target, std::memory_order_relaxed);
}

LiveShares::Watched::Watched(const Route& of, std::size_t workers)
    : route(of.name),
      policy(of.policy_spec),
      predictor(of.predictor_name),
      share({.expected = *of.policy_spec.share,
             .expected_se = of.policy_spec.share_se,
             .window = of.policy_spec.share_window}) {
  for (std::size_t i = 0; i < workers; ++i)
    cells.push_back(std::make_unique<LiveShareCell>(policy, workers));
}

bool LiveShares::Watched::is(const Route& other) const {
  const decide::PolicySpec& p = other.policy_spec;
  return route == other.name && predictor == other.predictor_name && policy.share == p.share &&
         policy.share_se == p.share_se && policy.share_window == p.share_window &&
         policy.parameter == p.parameter && policy.strong == p.strong && policy.weak == p.weak;
}

LiveShareStatus LiveShares::Watched::status() const {
  LiveShareStatus out{route, *policy.share, share.last(), {}, {}};
  double sum = 0, known = 0;
  for (const auto& cell : cells) {
    const double wanted = cell->wanted_.load(std::memory_order_relaxed);
    if (std::isnan(wanted)) continue;
    sum += wanted;
    known += 1;
  }
  if (known > 0) out.wanted = sum / known;
  if (out.last)
    out.sentence =
        fmt::format("{:.1f} % of the last {} requests went to {}, {:.1f} % were expected",
                    100 * out.last->share, out.last->requests, policy.strong, 100 * out.expected);
  return out;
}

LiveShares::Watched& LiveShares::find(const Route& route) {
  for (const auto& one : watched_)
    if (one->is(route)) return *one;
  return *watched_.emplace_back(std::make_unique<Watched>(route, workers_));
}

LiveShareCell* LiveShares::cell(std::size_t worker, const Route& route) {
  if (!route.policy_spec.share) return nullptr;
  RUNG_CHECK(worker < workers_, "worker number at or above the number of workers");
  const std::lock_guard lock(mutex_);
  return find(route).cells[worker].get();
}

void LiveShares::serve(const Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  for (const auto& one : watched_) one->shown = false;
  for (const auto& route : snapshot.routes)
    if (route->policy_spec.share) find(*route).shown = true;
}

std::vector<LiveShareStatus> LiveShares::watch() {
  const std::lock_guard lock(mutex_);
  std::vector<LiveShareStatus> changed;
  for (const auto& one : watched_) {
    std::uint64_t strong = 0, count = 0;
    for (const auto& cell : one->cells) {
      strong += cell->strong_.load(std::memory_order_relaxed);
      count += cell->count_.load(std::memory_order_relaxed);
    }
    const bool before = one->share.alarm();
    // A request that is counted this very moment may be missing from one of the two sums.
    const std::uint64_t new_count = count - one->count;
    const std::uint64_t new_strong = std::min(strong - one->strong, new_count);
    one->share.add(new_strong, new_count);
    one->count = count;
    one->strong += new_strong;
    if (one->shown && one->share.alarm() != before) changed.push_back(one->status());
  }
  return changed;
}

std::vector<LiveShareStatus> LiveShares::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<LiveShareStatus> out;
  for (const auto& one : watched_)
    if (one->shown) out.push_back(one->status());
  return out;
}

std::vector<prometheus::MetricFamily> LiveShares::Collect() const {
  auto share = gauge("rung_strong_share",
                     "Share of the last window of requests that the route's threshold sent to the "
                     "strong arm");
  auto expected = gauge("rung_strong_share_expected", "The share that calibration found");
  auto drifted =
      gauge("rung_strong_share_drifted",
            "1 if the share is further from what was expected than chance would have it");
  auto wanted = gauge("rung_threshold_wanted",
                      "The threshold that gives the expected share on the last scores");
  for (const LiveShareStatus& s : status()) {
    const auto put = [&](prometheus::MetricFamily& family, double value) {
      prometheus::ClientMetric metric;
      metric.label = {{"route", s.route}};
      metric.gauge.value = value;
      family.metric.push_back(std::move(metric));
    };
    put(expected, s.expected);
    put(drifted, s.last && s.last->drifted ? 1 : 0);
    if (s.last) put(share, s.last->share);
    if (s.wanted) put(wanted, *s.wanted);
  }
  if (expected.metric.empty()) return {};
  return {share, expected, drifted, wanted};
}

}  // namespace rung::gateway
