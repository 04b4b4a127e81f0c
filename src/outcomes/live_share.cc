#include "outcomes/live_share.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/check.h"
#include "outcomes/quantile.h"
#include "outcomes/thresholds.h"

namespace rung::outcomes {

P2Quantile::P2Quantile(double p) : p_(p) {
  RUNG_CHECK(p > 0 && p < 1, "a quantile strictly between 0 and 1");
}

// The height of marker i after `step` (+1 or -1), by the parabola through it and its neighbours.
double P2Quantile::parabolic(std::size_t i, double step) const {
  const auto& n = position_;
  const auto& q = height_;
  return q[i] + step / (n[i + 1] - n[i - 1]) *
                    ((n[i] - n[i - 1] + step) * (q[i + 1] - q[i]) / (n[i + 1] - n[i]) +
                     (n[i + 1] - n[i] - step) * (q[i] - q[i - 1]) / (n[i] - n[i - 1]));
}

void P2Quantile::add(double value) {
  if (!std::isfinite(value)) return;
  if (count_ < 5) {
    height_[count_++] = value;
    if (count_ < 5) return;
    std::sort(height_.begin(), height_.end());
    position_ = {1, 2, 3, 4, 5};
    wanted_ = {1, 1 + 2 * p_, 1 + 4 * p_, 3 + 2 * p_, 5};
    return;
  }
  ++count_;
  // 1. The cell that the value falls in; the end markers take new extremes.
  height_[0] = std::min(height_[0], value);
  height_[4] = std::max(height_[4], value);
  std::size_t cell = 0;
  while (cell < 3 && value >= height_[cell + 1]) ++cell;
  // 2. Ranks above it grow, and so do all wished ranks.
  for (std::size_t i = cell + 1; i < 5; ++i) position_[i] += 1;
  const std::array<double, 5> growth{0, p_ / 2, p_, (1 + p_) / 2, 1};
  for (std::size_t i = 0; i < 5; ++i) wanted_[i] += growth[i];
  // 3. The inner markers follow by one rank where there is room.
  for (std::size_t i = 1; i < 4; ++i) {
    const double off = wanted_[i] - position_[i];
    const bool up = off >= 1 && position_[i + 1] - position_[i] > 1;
    const bool down = off <= -1 && position_[i - 1] - position_[i] < -1;
    if (!up && !down) continue;
    const double step = up ? 1 : -1;
    const std::size_t towards = up ? i + 1 : i - 1;
    double height = parabolic(i, step);
    if (!(height_[i - 1] < height && height < height_[i + 1])) {  // linear where that would cross
      height =
          height_[i] + step * (height_[towards] - height_[i]) / (position_[towards] - position_[i]);
    }
    height_[i] = height;
    position_[i] += step;
  }
}

std::optional<double> P2Quantile::value() const {
  if (count_ == 0) return std::nullopt;
  if (count_ > 5) return height_[2];
  std::array<double, 5> sorted = height_;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count_));
  return quantile_of_sorted(std::span(sorted).first(count_), p_);
}

LiveShare::LiveShare(const LiveShareOptions& options) : options_(options) {
  RUNG_CHECK(options.window > 0, "a window holds a request");
  RUNG_CHECK(options.expected >= 0 && options.expected <= 1, "a share is from 0 to 1");
}

void LiveShare::add(std::size_t strong, std::size_t count) {
  RUNG_CHECK(strong <= count, "no more strong ones than there are");
  strong_ += strong;
  count_ += count;
  if (count_ < options_.window) return;
  const auto n = static_cast<double>(count_);
  Window window{static_cast<double>(strong_) / n,
                std::hypot(binomial_se(options_.expected, n), options_.expected_se), count_, false};
  window.drifted =
      std::abs(window.share - options_.expected) > options_.standard_errors * window.se;
  last_ = window;
  count_ = strong_ = 0;
}

LiveThreshold::LiveThreshold(const LiveThresholdOptions& options, TimePoint now)
    : options_(options), tau_(options.tau), last_(now), filling_(1 - options.share) {
  RUNG_CHECK(options.window > 0 && options.most_change_per_hour >= 0, "a window and an allowance");
}

void LiveThreshold::add(double score) {
  filling_.add(score);
  if (filling_.count() < options_.window) return;
  target_ = filling_.value();
  filling_ = P2Quantile(1 - options_.share);
}

double LiveThreshold::update(TimePoint now) {
  const double hours = std::chrono::duration<double, std::ratio<3600>>(now - last_).count();
  RUNG_CHECK(hours >= 0, "time does not go back");
  last_ = now;
  if (!target_) return tau_;
  const double most = options_.most_change_per_hour * std::min(1.0, hours);
  tau_ = std::clamp(*target_, tau_ - most, tau_ + most);
  return tau_;
}

}  // namespace rung::outcomes
