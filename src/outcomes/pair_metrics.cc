#include "outcomes/pair_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/check.h"
#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

// By rising share; of equal shares the lower quality first, so that a step goes up.
std::vector<SharePoint> by_share(std::span<const SharePoint> curve) {
  std::vector<SharePoint> sorted(curve.begin(), curve.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const SharePoint& a, const SharePoint& b) {
    return a.share != b.share ? a.share < b.share : a.quality < b.quality;
  });
  return sorted;
}

double at_share(std::span<const SharePoint> sorted, double share) {
  const auto after =
      std::upper_bound(sorted.begin(), sorted.end(), share,
                       [](double s, const SharePoint& point) { return s < point.share; });
  if (after == sorted.end()) return sorted.back().quality;
  if (after == sorted.begin()) return sorted.front().quality;
  const SharePoint &a = *(after - 1), &b = *after;
  return a.quality + (b.quality - a.quality) * (share - a.share) / (b.share - a.share);
}

Result<void> whole(std::span<const SharePoint> sorted, double weak, double strong) {
  constexpr double kSlack = 1e-9;
  if (sorted.empty() || sorted.front().share > kSlack || sorted.back().share < 1 - kSlack) {
    return Error{ErrorCode::kInvalidArgument,
                 sorted.empty()
                     ? std::string("APGR of a curve without points; expected shares of strong "
                                   "calls from 0 to 1")
                     : fmt::format("APGR of a curve from {:.4g} to {:.4g} of strong calls; "
                                   "expected 0 to 1, since a cut curve flatters the router",
                                   sorted.front().share, sorted.back().share)};
  }
  if (strong != weak) return {};
  return Error{ErrorCode::kInfeasible,
               fmt::format("strong and weak both have quality {:g}; without a gap between them "
                           "APGR is undefined",
                           weak)};
}

Result<void> check(const PairScores& rows, std::size_t steps) {
  const std::size_t n = rows.score.size();
  if (n == 0 || rows.weak.size() != n || rows.strong.size() != n || steps == 0) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("threshold sweep of {} scores, {} weak and {} strong qualities in {} "
                             "steps; expected as many of each, and at least one",
                             n, rows.weak.size(), rows.strong.size(), steps)};
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isfinite(rows.score[i]) && std::isfinite(rows.weak[i]) &&
        std::isfinite(rows.strong[i]))
      continue;
    return Error{ErrorCode::kInvalidData,
                 fmt::format("threshold sweep: row {} has score {}, weak {}, strong {}; expected "
                             "finite numbers",
                             i, rows.score[i], rows.weak[i], rows.strong[i])};
  }
  return {};
}

}  // namespace

std::optional<double> pgr(double quality, double weak, double strong) {
  if (strong == weak) return std::nullopt;
  return (quality - weak) / (strong - weak);
}

std::optional<double> cpt(std::span<const SharePoint> curve, double weak, double strong, double x) {
  if (!(strong > weak)) return std::nullopt;
  const std::vector<SharePoint> sorted = by_share(curve);
  const double wanted = weak + x * (strong - weak);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i].quality < wanted) continue;
    if (i == 0) return sorted[0].share;
    const SharePoint &a = sorted[i - 1], &b = sorted[i];
    return a.share + (b.share - a.share) * (wanted - a.quality) / (b.quality - a.quality);
  }
  return std::nullopt;
}

std::optional<double> area_under(std::span<const SharePoint> curve) {
  if (curve.size() < 2) return std::nullopt;
  const std::vector<SharePoint> sorted = by_share(curve);
  double area = 0;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    area +=
        0.5 * (sorted[i].quality + sorted[i - 1].quality) * (sorted[i].share - sorted[i - 1].share);
  }
  return area;
}

Result<double> apgr(std::span<const SharePoint> curve, double weak, double strong) {
  if (auto good = whole(by_share(curve), weak, strong); !good) return good.error();
  return *apgr_of_span(curve, weak, strong);
}

std::optional<double> apgr_of_span(std::span<const SharePoint> curve, double weak, double strong) {
  const auto area = area_under(curve);
  if (!area || strong == weak) return std::nullopt;
  const auto [first, last] = std::minmax_element(
      curve.begin(), curve.end(),
      [](const SharePoint& a, const SharePoint& b) { return a.share < b.share; });
  const double span = last->share - first->share;
  if (!(span > 0)) return std::nullopt;
  return (*area - weak * span) / ((strong - weak) * span);
}

Result<double> apgr_at_levels(std::span<const SharePoint> curve, double weak, double strong,
                              std::size_t levels) {
  RUNG_CHECK(levels > 0, "APGR needs a level");
  const std::vector<SharePoint> sorted = by_share(curve);
  if (auto good = whole(sorted, weak, strong); !good) return good.error();
  double sum = 0;
  for (std::size_t i = 1; i <= levels; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(levels);
    sum += *pgr(at_share(sorted, share), weak, strong);
  }
  return sum / static_cast<double>(levels);
}

Result<std::vector<SweepThreshold>> threshold_sweep(const PairScores& rows, std::size_t steps) {
  if (auto good = check(rows, steps); !good) return good.error();
  const std::size_t n = rows.score.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return rows.score[a] != rows.score[b] ? rows.score[a] < rows.score[b] : a < b;
  });
  std::vector<double> sorted(n);
  std::vector<double> quality(n + 1, 0.0);  // sum, if the first i in order go weak
  for (std::size_t i = 0; i < n; ++i) {
    sorted[i] = rows.score[order[i]];
    quality[0] += rows.strong[i];
  }
  for (std::size_t i = 0; i < n; ++i)
    quality[i + 1] = quality[i] + rows.weak[order[i]] - rows.strong[order[i]];
  std::vector<SweepThreshold> sweep;
  for (std::size_t step = 0; step <= steps; ++step) {
    const double p = static_cast<double>(step) / static_cast<double>(steps);
    const double threshold = quantile_of_sorted(sorted, p);
    const bool inclusive = step < steps;
    if (!sweep.empty() && sweep.back().threshold == threshold &&
        sweep.back().inclusive == inclusive)
      continue;
    const auto first = inclusive ? std::lower_bound(sorted.begin(), sorted.end(), threshold)
                                 : std::upper_bound(sorted.begin(), sorted.end(), threshold);
    const auto weak = static_cast<std::size_t>(first - sorted.begin());
    sweep.push_back({threshold,
                     inclusive,
                     {static_cast<double>(n - weak) / static_cast<double>(n),
                      quality[weak] / static_cast<double>(n)}});
  }
  return sweep;
}

std::vector<SharePoint> curve_of(std::span<const SweepThreshold> sweep) {
  std::vector<SharePoint> curve;
  for (const SweepThreshold& threshold : sweep) curve.push_back(threshold.point);
  return curve;
}

std::vector<SharePoint> oracle_curve(std::span<const double> weak, std::span<const double> strong) {
  RUNG_CHECK(weak.size() == strong.size(), "one quality of each arm for each row");
  const auto n = static_cast<double>(weak.size());
  std::vector<double> gains;
  double sum = 0;
  for (std::size_t i = 0; i < weak.size(); ++i) {
    gains.push_back(std::max(0.0, strong[i] - weak[i]));
    sum += weak[i];
  }
  std::sort(gains.begin(), gains.end(), std::greater<>());
  std::vector<SharePoint> curve;
  if (gains.empty()) return curve;
  curve.push_back({0, sum / n});
  for (std::size_t i = 0; i < gains.size(); ++i) {
    sum += gains[i];
    curve.push_back({static_cast<double>(i + 1) / n, sum / n});
  }
  return curve;
}

}  // namespace rung::outcomes
