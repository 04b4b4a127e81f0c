#include "outcomes/thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "outcomes/cascade_metrics.h"
#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

Result<void> check_scores(std::span<const double> scores) {
  if (scores.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "no calibration rows; expected at least one with both arms"};
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= 0 && scores[i] <= 1) continue;
    return Error{ErrorCode::kInvalidData,
                 fmt::format("calibration row {} has score {}; expected 0 to 1", i, scores[i])};
  }
  return {};
}

Result<void> check(const PairRows& rows) {
  if (auto good = check_scores(rows.score); !good) return good;
  for (const auto& [name, column] : {std::pair{"weak qualities", rows.weak_quality},
                                     {"strong qualities", rows.strong_quality},
                                     {"weak costs", rows.weak_cost},
                                     {"strong costs", rows.strong_cost}}) {
    if (column.size() != rows.score.size()) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("calibration has {} scores and {} {}; expected as many of each",
                               rows.score.size(), column.size(), name)};
    }
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (std::isfinite(column[i])) continue;
      return Error{ErrorCode::kInvalidData,
                   fmt::format("calibration row {} has {} among the {}; expected a finite number",
                               i, column[i], name)};
    }
  }
  return {};
}

// The rows by rising score, with the sums that each cut has: the first `weak` rows go weak.
struct Cuts {
  std::vector<double> score;          // ascending
  std::vector<double> quality, cost;  // [n + 1]

  explicit Cuts(const PairRows& rows) {
    const std::size_t n = rows.score.size();
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return rows.score[a] < rows.score[b]; });
    quality.assign(n + 1, 0.0);
    cost.assign(n + 1, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      quality[0] += rows.strong_quality[i];
      cost[0] += rows.strong_cost[i];
    }
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = order[i];
      score.push_back(rows.score[row]);
      quality[i + 1] = quality[i] + rows.weak_quality[row] - rows.strong_quality[row];
      cost[i + 1] = cost[i] + rows.weak_cost[row] - rows.strong_cost[row];
    }
  }

  OperatingPoint at(std::size_t weak, double tau) const {
    const auto n = static_cast<double>(score.size());
    OperatingPoint point;
    point.tau = tau;
    point.strong_share = static_cast<double>(score.size() - weak) / n;
    point.strong_share_se = binomial_se(point.strong_share, n);
    point.quality = quality[weak] / n;
    point.cost = cost[weak] / n;
    point.drop_percent = quality_drop_percent(point.quality, quality[0] / n);
    if (weak > 0) point.highest_weak = score[weak - 1];
    return point;
  }
};

}  // namespace

double binomial_se(double p, double n) { return std::sqrt(p * (1 - p) / n); }

double shortest_between(double low, double high) {
  double scale = 1;
  for (int digits = 0; digits <= 15; ++digits, scale *= 10) {
    // The number of so many digits that is nearest to the middle.
    const double candidate = std::round((low + high) / 2 * scale) / scale;
    if (candidate > low && candidate <= high) return candidate;
  }
  return high;
}

Result<double> threshold_for_share(std::span<const double> scores, double p) {
  if (auto good = check_scores(scores); !good) return good.error();
  if (!(p >= 0 && p <= 1)) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("the wished share of strong calls is {:g}; expected 0 to 1", p)};
  }
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  return quantile_of_sorted(sorted, 1 - p);
}

Result<OperatingPoint> at_threshold(const PairRows& rows, double tau) {
  if (auto good = check(rows); !good) return good.error();
  const Cuts cuts(rows);
  const auto first = std::lower_bound(cuts.score.begin(), cuts.score.end(), tau);
  return cuts.at(static_cast<std::size_t>(first - cuts.score.begin()), tau);
}

Result<std::vector<OperatingPoint>> operating_points(const PairRows& rows) {
  if (auto good = check(rows); !good) return good.error();
  const Cuts cuts(rows);
  const std::size_t n = cuts.score.size();
  std::vector<OperatingPoint> points{cuts.at(0, 0)};
  for (std::size_t weak = 1; weak < n; ++weak) {
    if (cuts.score[weak] == cuts.score[weak - 1]) continue;
    points.push_back(cuts.at(weak, shortest_between(cuts.score[weak - 1], cuts.score[weak])));
  }
  if (cuts.score.back() < 1) points.push_back(cuts.at(n, 1));
  return points;
}

Result<OperatingPoint> calibrate_share(const PairRows& rows, double p) {
  auto tau = threshold_for_share(rows.score, p);
  if (!tau) return tau.error();
  return at_threshold(rows, *tau);
}

Result<OperatingPoint> calibrate_budget(const PairRows& rows, double budget) {
  auto points = operating_points(rows);
  if (!points) return points.error();
  double lowest = points->front().cost;
  for (const OperatingPoint& point : *points) {
    if (point.cost <= budget) return point;
    lowest = std::min(lowest, point.cost);
  }
  return Error{
      ErrorCode::kInfeasible,
      fmt::format("no threshold keeps the mean cost within {:g} USD per query: the lowest "
                  "that these {} rows allow is {:g}{}",
                  budget, rows.score.size(), lowest,
                  points->back().strong_share > 0 ? " (a score of 1 always goes strong)" : "")};
}

Result<OperatingPoint> calibrate_quality(const PairRows& rows, double max_drop_percent) {
  auto points = operating_points(rows);
  if (!points) return points.error();
  if (!points->front().drop_percent) {
    return Error{ErrorCode::kInfeasible,
                 "the strong arm has a mean quality of 0: a drop in percent of it is undefined"};
  }
  double smallest = *points->front().drop_percent;
  for (auto point = points->rbegin(); point != points->rend(); ++point) {
    if (*point->drop_percent <= max_drop_percent) return *point;
    smallest = std::min(smallest, *point->drop_percent);
  }
  return Error{ErrorCode::kInfeasible,
               fmt::format("no threshold keeps the drop of quality within {:g} %: the smallest "
                           "that these {} rows allow is {:g} %",
                           max_drop_percent, rows.score.size(), smallest)};
}

}  // namespace rung::outcomes
