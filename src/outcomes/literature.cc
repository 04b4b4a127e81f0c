#include "outcomes/literature.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "outcomes/llmrouterbench_metrics.h"
#include "outcomes/pair_metrics.h"
#include "outcomes/routerbench_metrics.h"

namespace rung::outcomes {
namespace {

std::optional<PairReport> pair_report(const Judged& judged) {
  const Estimated& data = judged.data;
  const Hull& fixed = judged.gain.static_hull;
  PairReport out;
  out.weak = fixed.sources().front();
  out.strong = fixed.sources().back();
  if (out.weak == out.strong) return std::nullopt;
  out.pgr = pgr(judged.operating.mean.score, fixed.cheapest().score, fixed.best().score);
  std::vector<double> score, weak, strong;
  for (std::size_t row = 0; row < data.rows; ++row) {
    if (!data.usable(row, out.weak) || !data.usable(row, out.strong)) continue;
    const std::size_t w = data.cell(row, out.weak), s = data.cell(row, out.strong);
    score.push_back(static_cast<double>(data.est_quality[s]) -
                    static_cast<double>(data.est_quality[w]));
    weak.push_back(data.score[w]);
    strong.push_back(data.score[s]);
  }
  out.rows = score.size();
  const auto sweep = threshold_sweep({score, weak, strong});
  if (!sweep) return out;  // no row has both
  const std::vector<SharePoint> curve = curve_of(*sweep);
  const double low = curve.back().quality, high = curve.front().quality;
  if (const auto whole = apgr(curve, low, high)) out.apgr = *whole;
  out.cpt20 = cpt(curve, low, high, 0.2);
  out.cpt50 = cpt(curve, low, high, 0.5);
  out.cpt80 = cpt(curve, low, high, 0.8);
  return out;
}

std::vector<Point> sweep_means(const HullGain& gain) {
  std::vector<Point> points;
  for (const SweepPoint& point : gain.sweep) points.push_back(point.mean);
  return points;
}

AiqReport aiq_report(const HullGain& gain) {
  AiqReport out;
  const std::vector<Point> router = ndch(sweep_means(gain)), fixed = ndch(gain.singles);
  for (const Point& point : sweep_means(gain)) out.x_max = std::max(out.x_max, point.cost);
  for (const Point& point : gain.singles)
    if (std::isfinite(point.cost)) out.x_max = std::max(out.x_max, point.cost);
  out.router = aiq(router, out.x_max, AiqNorm::kMaxCost);
  out.static_hull = aiq(fixed, out.x_max, AiqNorm::kMaxCost);
  out.router_over_range = aiq(router, out.x_max, AiqNorm::kCostRange);
  out.static_hull_over_range = aiq(fixed, out.x_max, AiqNorm::kCostRange);
  return out;
}

ArenaReport arena_report(const Judged& judged) {
  const Estimated& data = judged.data;
  const std::vector<double> accuracy(data.score.begin(), data.score.end()),
      cost(data.cost.begin(), data.cost.end());
  std::vector<std::size_t> picked(judged.picked.begin(), judged.picked.end());
  std::vector<double> got, paid;
  for (std::size_t row = 0; row < data.rows; ++row) {
    if (picked[row] == data.arms) {
      picked[row] = kNoPick;  // a row without a usable cell counts nowhere
      continue;
    }
    got.push_back(accuracy[data.cell(row, picked[row])]);
    paid.push_back(cost[data.cell(row, picked[row])]);
  }
  ArenaReport out;
  out.means = arena_means(got, paid);
  if (out.means.accuracy && out.means.usd_per_1000) {
    out.score = arena_score(*out.means.accuracy, *out.means.usd_per_1000);
    out.cost_score = arena_cost_score(*out.means.usd_per_1000);
    out.score_clamped = arena_score_clamped(*out.means.accuracy, *out.means.usd_per_1000);
  }
  const ArenaOutcomes outcomes{data.rows, data.arms, accuracy, cost, picked};
  out.optimal = optimal_metrics(outcomes, Optimality::kUnconditional);
  out.optimal_if_right = optimal_metrics(outcomes, Optimality::kConditional);
  return out;
}

LlmRouterBenchReport llmrouterbench_report(const Judged& judged) {
  const std::vector<Point> router = sweep_means(judged.gain);
  std::vector<Point> all = router;
  all.insert(all.end(), judged.gain.singles.begin(), judged.gain.singles.end());
  const Point& best = judged.gain.static_hull.best();
  const double score = judged.operating.mean.score;
  return {relative_gain(score, judged.random.score),
          relative_gain(score, best.score),
          oracle_gap(score, judged.oracle.score),
          perf_gain(router, best),
          cost_save(router, best),
          pareto_distance(router, all)};
}

}  // namespace

Literature literature(const Judged& judged) {
  return {pair_report(judged), aiq_report(judged.gain), arena_report(judged),
          llmrouterbench_report(judged)};
}

}  // namespace rung::outcomes
