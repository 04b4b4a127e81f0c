#include "outcomes/hull_gain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/parallel.h"
#include "base/random.h"
#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// As lambda falls through `lambda`, the pick of `row` changes, and with it what was realised.
struct Event {
  double lambda;
  std::uint32_t row;
  float cost_step, score_step;
};

struct Arm {
  double cost, quality;
  std::size_t index;
};

// The whole sweep: realised values at lambda = infinity, then the changes in falling lambda, cut
// into steps.
struct Sweep {
  std::vector<std::uint32_t> rows;             // with at least one usable cell
  std::vector<float> start_cost, start_score;  // [rows of the data]
  std::vector<Event> events;                   // by falling lambda
  std::vector<std::size_t> ends;  // of each step, in events; equal lambdas are never parted
};

// Adds the changes of one row: the upper concave envelope of (est_cost, est_quality) over its
// usable arms.
void add_row(const Estimated& data, std::size_t row, std::vector<Arm>& arms, Sweep& sweep) {
  arms.clear();
  for (std::size_t arm = 0; arm < data.arms; ++arm) {
    if (!data.usable(row, arm)) continue;
    const std::size_t at = data.cell(row, arm);
    arms.push_back({data.est_cost[at], data.est_quality[at], arm});
  }
  if (arms.empty()) return;
  sweep.rows.push_back(static_cast<std::uint32_t>(row));
  std::sort(arms.begin(), arms.end(), [](const Arm& a, const Arm& b) {
    if (a.cost != b.cost) return a.cost < b.cost;
    if (a.quality != b.quality) return a.quality > b.quality;
    return a.index < b.index;
  });
  std::size_t kept = 1;
  for (std::size_t i = 1; i < arms.size(); ++i) {
    if (arms[i].quality <= arms[kept - 1].quality) continue;
    while (kept > 1) {
      const Arm &a = arms[kept - 2], &b = arms[kept - 1], &c = arms[i];
      if ((b.quality - a.quality) * (c.cost - a.cost) > (c.quality - a.quality) * (b.cost - a.cost))
        break;
      --kept;
    }
    arms[kept++] = arms[i];
  }
  const std::size_t first = data.cell(row, arms[0].index);
  sweep.start_cost[row] = data.cost[first];
  sweep.start_score[row] = data.score[first];
  for (std::size_t i = 1; i < kept; ++i) {
    const std::size_t from = data.cell(row, arms[i - 1].index), to = data.cell(row, arms[i].index);
    sweep.events.push_back(
        {(arms[i].quality - arms[i - 1].quality) / (arms[i].cost - arms[i - 1].cost),
         static_cast<std::uint32_t>(row), data.cost[to] - data.cost[from],
         data.score[to] - data.score[from]});
  }
}

Sweep make_sweep(const Estimated& data, std::size_t lambdas) {
  Sweep sweep;
  sweep.start_cost.assign(data.rows, 0);
  sweep.start_score.assign(data.rows, 0);
  std::vector<Arm> arms;
  for (std::size_t row = 0; row < data.rows; ++row) add_row(data, row, arms, sweep);
  std::sort(sweep.events.begin(), sweep.events.end(), [](const Event& a, const Event& b) {
    return a.lambda != b.lambda ? a.lambda > b.lambda : a.row < b.row;
  });
  const std::size_t count = sweep.events.size();
  const double stride =
      lambdas == 0 ? 1.0 : std::max(1.0, static_cast<double>(count) / static_cast<double>(lambdas));
  for (double target = stride; !sweep.events.empty();) {
    std::size_t end = std::min(count, static_cast<std::size_t>(std::llround(target)));
    if (!sweep.ends.empty()) end = std::max(end, sweep.ends.back() + 1);
    while (end < count && sweep.events[end].lambda == sweep.events[end - 1].lambda) ++end;
    sweep.ends.push_back(end);
    if (end == count) break;
    while (std::llround(target) <= static_cast<long long>(end)) target += stride;
  }
  return sweep;
}

std::vector<Point> single_points(const Estimated& data, std::span<const std::uint32_t> weight) {
  std::vector<double> cost(data.arms), score(data.arms), count(data.arms);
  for (std::size_t row = 0; row < data.rows; ++row) {
    const double w = weight[row];
    if (w == 0) continue;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (!data.usable(row, arm)) continue;
      cost[arm] += w * static_cast<double>(data.cost[data.cell(row, arm)]);
      score[arm] += w * static_cast<double>(data.score[data.cell(row, arm)]);
      count[arm] += w;
    }
  }
  std::vector<Point> points(data.arms);
  for (std::size_t arm = 0; arm < data.arms; ++arm)
    points[arm] = {cost[arm] / count[arm], score[arm] / count[arm]};
  return points;  // 0 / 0 is NaN: an arm without a cell
}

// Realised mean cost and score after each step, the start included, with each row counted `weight`
// times.
std::vector<Point> sweep_points(const Sweep& sweep, std::span<const std::uint32_t> weight) {
  double cost = 0, score = 0, total = 0;
  for (const std::uint32_t row : sweep.rows) {
    const double w = weight[row];
    cost += w * static_cast<double>(sweep.start_cost[row]);
    score += w * static_cast<double>(sweep.start_score[row]);
    total += w;
  }
  std::vector<Point> points;
  points.reserve(sweep.ends.size() + 1);
  points.push_back({cost / total, score / total});
  std::size_t at = 0;
  for (const std::size_t end : sweep.ends) {
    for (; at < end; ++at) {
      const Event& event = sweep.events[at];
      const double w = weight[event.row];
      cost += w * static_cast<double>(event.cost_step);
      score += w * static_cast<double>(event.score_step);
    }
    points.push_back({cost / total, score / total});
  }
  return points;
}

double router_at(const Hull& router, const Point& cheapest_arm, double budget) {
  if (const auto score = router.at(budget)) return *score;
  const Point& first = router.cheapest();
  const double width = first.cost - cheapest_arm.cost;
  const double share = width > 0 ? std::clamp((budget - cheapest_arm.cost) / width, 0.0, 1.0) : 0.0;
  return cheapest_arm.score + share * (first.score - cheapest_arm.score);
}

std::vector<double> budgets_of(const Hull& fixed, std::size_t count) {
  std::vector<double> budgets(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(count - 1);
    budgets[i] = fixed.cheapest().cost + share * (fixed.best().cost - fixed.cheapest().cost);
  }
  budgets.back() = fixed.best().cost;
  return budgets;
}

double gain_over(const Hull& fixed, const Hull& router, std::span<const double> budgets) {
  double sum = 0;
  for (const double budget : budgets) {
    sum += router_at(router, fixed.cheapest(), budget) -
           fixed.at(budget).value_or(fixed.cheapest().score);
  }
  return sum / static_cast<double>(budgets.size());
}

// Realised mean cost and score at each setting, with each row counted so many times.
using PointsOf = std::function<std::vector<Point>(std::span<const std::uint32_t> weight)>;

// Rows drawn with replacement; the whole statistic, budgets and static hull included, is made anew
// each time.
void bootstrap(const Estimated& data, std::span<const std::uint32_t> rows,
               const PointsOf& points_of, const HullGainOptions& options, HullGain& out) {
  const std::size_t samples = options.bootstrap, count = out.budgets.size();
  std::vector<double> gains(samples);
  std::vector<double> scores(samples * count);
  out.resampled_saving.assign(samples, 0);
  out.resampled_lift.assign(samples, 0);
  parallel_for(samples, [&](std::size_t sample) {
    Rng rng(mix64(options.seed) ^ mix64(sample + 1));
    std::vector<std::uint32_t> weight(data.rows, 0);
    for (std::size_t i = 0; i < rows.size(); ++i) ++weight[rows[rng.below(rows.size())]];
    const Hull fixed(single_points(data, weight));
    const Hull router(points_of(weight));
    gains[sample] = gain_over(fixed, router, budgets_of(fixed, count));
    const Point& best = fixed.best();
    if (const auto matched = router.cost_of(best.score); matched && best.cost > 0)
      out.resampled_saving[sample] = std::max(0.0, 1 - *matched / best.cost);
    out.resampled_lift[sample] = router_at(router, fixed.cheapest(), best.cost) - best.score;
    for (std::size_t i = 0; i < count; ++i) {
      scores[i * samples + sample] = router_at(router, fixed.cheapest(), out.budgets[i]);
    }
  });
  double mean = 0, squares = 0;
  for (const double gain : gains) mean += gain / static_cast<double>(samples);
  for (const double gain : gains) squares += (gain - mean) * (gain - mean);
  out.se = samples > 1 ? std::sqrt(squares / static_cast<double>(samples - 1)) : 0;
  out.resampled = gains;
  std::sort(gains.begin(), gains.end());
  out.low = quantile_of_sorted(gains, 0.025);
  out.high = quantile_of_sorted(gains, 0.975);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<double> at(scores.data() + i * samples, samples);
    std::sort(at.begin(), at.end());
    out.router_low.push_back(quantile_of_sorted(at, 0.025));
    out.router_high.push_back(quantile_of_sorted(at, 0.975));
  }
}

std::vector<Point> curve_points(const Estimated& data, const PickCurve& curve,
                                std::span<const std::uint32_t> rows,
                                std::span<const std::uint32_t> weight) {
  double total = 0;
  for (const std::uint32_t row : rows) total += weight[row];
  std::vector<Point> points;
  for (std::size_t i = 0; i < curve.settings.size(); ++i) {
    double cost = 0, score = 0;
    const auto picked = curve.at(i);
    for (const std::uint32_t row : rows) {
      const double w = weight[row];
      const std::size_t cell = data.cell(row, picked[row]);
      cost += w * static_cast<double>(data.cost[cell]);
      score += w * static_cast<double>(data.score[cell]);
    }
    points.push_back({cost / total, score / total});
  }
  return points;
}

HullGain judge(const Estimated& data, std::span<const std::uint32_t> rows,
               const HullGainOptions& options, const PointsOf& points_of,
               const std::function<double(std::size_t)>& setting) {
  const std::vector<std::uint32_t> once(data.rows, 1);
  HullGain out;
  out.rows_used = rows.size();
  for (const std::uint32_t row : rows) {
    for (std::size_t arm = 0; arm < data.arms; ++arm)
      out.missing_cells += data.usable(row, arm) ? 0 : 1;
  }
  out.singles = single_points(data, once);
  out.static_hull = Hull(out.singles);
  const std::vector<Point> points = points_of(once);
  for (std::size_t i = 0; i < points.size(); ++i) out.sweep.push_back({setting(i), points[i]});
  out.router = Hull(points);
  out.budgets = budgets_of(out.static_hull, options.budgets);
  for (const double budget : out.budgets) {
    out.static_score.push_back(
        out.static_hull.at(budget).value_or(out.static_hull.cheapest().score));
    out.router_score.push_back(router_at(out.router, out.static_hull.cheapest(), budget));
  }
  out.gain = gain_over(out.static_hull, out.router, out.budgets);
  out.low = out.high = out.gain;
  if (options.bootstrap > 0) bootstrap(data, rows, points_of, options, out);
  return out;
}

Result<void> check(const Estimated& data, const HullGainOptions& options, bool estimates) {
  const std::size_t cells = data.rows * data.arms;
  for (const auto& [name, size] : {std::pair{"score", data.score.size()},
                                   {"cost", data.cost.size()},
                                   {"est_quality", data.est_quality.size()},
                                   {"est_cost", data.est_cost.size()}}) {
    if (size == cells || (!estimates && name[0] == 'e')) continue;
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("hull gain: {} has {} cells; expected {} rows x {} arms = {}", name,
                             size, data.rows, data.arms, cells)};
  }
  if (options.budgets < 2) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("hull gain: {} budgets; expected 2 or more", options.budgets)};
  }
  bool any = false;
  for (std::size_t row = 0; row < data.rows; ++row) {
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (!data.usable(row, arm)) continue;
      any = true;
      if (!estimates) continue;
      const std::size_t at = data.cell(row, arm);
      if (std::isfinite(data.est_quality[at]) && std::isfinite(data.est_cost[at])) continue;
      return Error{ErrorCode::kInvalidData,
                   fmt::format("hull gain: row {}, arm {}: the estimate is quality {}, cost {}; "
                               "expected finite numbers",
                               row, arm, data.est_quality[at], data.est_cost[at])};
    }
  }
  if (any) return {};
  return Error{ErrorCode::kInvalidData,
               "no row has an arm with both a score and a cost; expected at least one, or there is "
               "nothing to compare"};
}

}  // namespace

double mean_gain(const Hull& fixed, const Hull& router, std::span<const double> budgets) {
  return gain_over(fixed, router, budgets);
}

bool Estimated::usable(std::size_t row, std::size_t arm) const {
  const std::size_t at = cell(row, arm);
  return std::isfinite(score[at]) && std::isfinite(cost[at]);
}

Result<HullGain> hull_gain(const Estimated& data, const HullGainOptions& options) {
  if (auto good = check(data, options, true); !good) return good.error();
  const Sweep sweep = make_sweep(data, options.lambdas);
  return judge(
      data, sweep.rows, options,
      [&](std::span<const std::uint32_t> weight) { return sweep_points(sweep, weight); },
      [&](std::size_t i) {
        // A lambda between this step's last change and the next step's first.
        if (i == 0) return kInfinity;
        const double above = sweep.events[sweep.ends[i - 1] - 1].lambda;
        const std::size_t next = sweep.ends[i - 1];
        const double below = next < sweep.events.size() ? sweep.events[next].lambda : 0.0;
        return 0.5 * (above + below);
      });
}

Result<HullGain> hull_gain(const Estimated& data, const PickCurve& curve,
                           const HullGainOptions& options) {
  if (auto good = check(data, options, false); !good) return good.error();
  if (curve.settings.empty() || curve.rows != data.rows ||
      curve.picks.size() != curve.settings.size() * data.rows)
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("hull gain: {} picks for {} settings of {} rows; expected one for each",
                    curve.picks.size(), curve.settings.size(), data.rows)};
  std::vector<std::uint32_t> rows;
  for (std::size_t row = 0; row < data.rows; ++row) {
    bool any = false;
    for (std::size_t arm = 0; arm < data.arms; ++arm) any = any || data.usable(row, arm);
    if (any) rows.push_back(static_cast<std::uint32_t>(row));
  }
  for (std::size_t i = 0; i < curve.settings.size(); ++i)
    for (const std::uint32_t row : rows)
      if (const std::uint32_t arm = curve.at(i)[row]; arm >= data.arms || !data.usable(row, arm))
        return Error{ErrorCode::kInvalidArgument,
                     fmt::format("hull gain: {} {:g} picks arm {} on row {}, which has no score or "
                                 "no cost of it",
                                 curve.knob, curve.settings[i], arm, row)};
  return judge(
      data, rows, options,
      [&](std::span<const std::uint32_t> weight) {
        return curve_points(data, curve, rows, weight);
      },
      [&](std::size_t i) { return curve.settings[i]; });
}

std::vector<std::size_t> picks(const Estimated& data, double lambda) {
  std::vector<std::size_t> picked(data.rows, data.arms);
  for (std::size_t row = 0; row < data.rows; ++row) {
    double best = -kInfinity, best_second = -kInfinity;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (!data.usable(row, arm)) continue;
      const double cost = data.est_cost[data.cell(row, arm)];
      const double quality = data.est_quality[data.cell(row, arm)];
      // At infinite lambda only the cost counts, and the quality breaks ties; else the cost breaks
      // them.
      const double value = std::isinf(lambda) ? -cost : quality - lambda * cost;
      const double second = std::isinf(lambda) ? quality : -cost;
      if (value < best || (value == best && second <= best_second)) continue;
      picked[row] = arm;
      best = value;
      best_second = second;
    }
  }
  return picked;
}

}  // namespace rung::outcomes
