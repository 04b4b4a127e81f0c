#include "reproduce/measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outcomes/significance.h"

namespace rung::reproduce {
namespace {

// How often each row of [0, n) was drawn.
std::vector<std::uint32_t> counts(std::size_t n, std::span<const std::size_t> rows) {
  std::vector<std::uint32_t> out(n, 0);
  for (const std::size_t row : rows) ++out[row];
  return out;
}

// Means of the settings and the best single arm on rows that were drawn.
struct PoolPoints {
  std::vector<outcomes::Point> settings;
  outcomes::Point best;
};

PoolPoints pool_points(const Set& set, std::span<const std::size_t> rows) {
  const auto count = counts(set.table.rows(), rows);
  PoolPoints out;
  for (std::size_t i = 0; i < set.settings.cost.size(); ++i) {
    double cost = 0, score = 0, total = 0;
    for (std::size_t row = 0; row < count.size(); ++row) {
      if (count[row] == 0 || !std::isfinite(set.settings.cost[i][row])) continue;
      const double w = count[row];
      cost += w * static_cast<double>(set.settings.cost[i][row]);
      score += w * static_cast<double>(set.settings.score[i][row]);
      total += w;
    }
    if (total > 0) out.settings.push_back({cost / total, score / total});
  }
  const outcomes::Estimated data = set.data();
  std::vector<outcomes::Point> singles;
  for (std::size_t arm = 0; arm < data.arms; ++arm) {
    double cost = 0, score = 0, total = 0;
    for (std::size_t row = 0; row < count.size(); ++row) {
      if (count[row] == 0 || !data.usable(row, arm)) continue;
      const double w = count[row];
      cost += w * static_cast<double>(data.cost[data.cell(row, arm)]);
      score += w * static_cast<double>(data.score[data.cell(row, arm)]);
      total += w;
    }
    if (total > 0) singles.push_back({cost / total, score / total});
  }
  if (!singles.empty()) out.best = outcomes::Hull(singles).best();
  return out;
}

std::string names(const Readings& readings, const std::function<bool(const Reading&)>& which) {
  std::string out;
  for (const Reading& r : readings) {
    if (which(r)) out += (out.empty() ? "" : ", ") + r.set;
  }
  return out;
}

Measured nothing_measured() {
  return {Verdict::kUntestable, "",
          "needs outcomes of at least two arms where the best costs more than the cheapest"};
}

}  // namespace

std::optional<Reading> read(const std::string& set, std::size_t rows, const Statistic& statistic,
                            const Options& options) {
  if (rows == 0) return std::nullopt;
  std::vector<std::size_t> all(rows);
  for (std::size_t i = 0; i < rows; ++i) all[i] = i;
  const auto value = statistic(all);
  if (!value) return std::nullopt;
  if (options.bootstrap < 2) return Reading{set, *value, *value, *value};
  const auto difference = outcomes::bootstrap_statistic(
      rows, statistic, {.resamples = options.bootstrap, .seed = options.seed});
  if (!difference) return std::nullopt;
  return Reading{set, *value, difference->low, difference->high};
}

std::string list(const Readings& readings, double unit, std::string_view form,
                 std::string_view suffix) {
  const auto f = fmt::runtime(form);
  std::string out;
  for (const Reading& r : readings) {
    out += fmt::format("{}{} {}{} ({} to {})", out.empty() ? "" : "; ", r.set,
                       fmt::format(f, unit * r.value), suffix, fmt::format(f, unit * r.low),
                       fmt::format(f, unit * r.high));
  }
  return out;
}

Measured judge_up_to(const Readings& readings, double published, double nothing,
                     std::string number) {
  if (readings.empty()) return nothing_measured();
  const auto sure = [&](const Reading& r) { return r.low > nothing + 1e-9; };
  const std::string reached =
      names(readings, [&](const Reading& r) { return sure(r) && r.value >= published; });
  const std::string some = names(readings, sure);
  if (!reached.empty()) return {Verdict::kHolds, std::move(number), "reached on " + reached};
  if (!some.empty())
    return {Verdict::kInPart, std::move(number),
            "the published size is reached nowhere; surely more than nothing on " + some};
  return {Verdict::kNot, std::move(number), "surely more than nothing on no set"};
}

Measured judge_usual(const Readings& readings, double published, double nothing,
                     std::string number) {
  if (readings.empty()) return nothing_measured();
  const auto reaches = [&](const Reading& r) { return r.high >= published && r.low > nothing; };
  const auto count =
      static_cast<std::size_t>(std::count_if(readings.begin(), readings.end(), reaches));
  const std::string some =
      names(readings, [&](const Reading& r) { return r.low > nothing + 1e-9; });
  const std::string reason =
      fmt::format("compatible with the published number on {} of {}{}", count, readings.size(),
                  some.empty() ? ", surely more than nothing on none"
                               : "; surely more than nothing on " + some);
  if (2 * count >= readings.size()) return {Verdict::kHolds, std::move(number), reason};
  return {some.empty() ? Verdict::kNot : Verdict::kInPart, std::move(number), reason};
}

PairMeans means(const Pair& pair, std::span<const std::size_t> rows) {
  PairMeans out;
  for (const std::size_t row : rows) {
    out.weak += pair.weak_score[row];
    out.strong += pair.strong_score[row];
    out.weak_cost += pair.weak_cost[row];
    out.strong_cost += pair.strong_cost[row];
  }
  const auto n = static_cast<double>(rows.size());
  for (double* sum : {&out.weak, &out.strong, &out.weak_cost, &out.strong_cost}) *sum /= n;
  return out;
}

std::vector<outcomes::Point> pair_curve(const Pair& pair, std::span<const std::size_t> rows) {
  const auto count = counts(pair.rows(), rows);
  const PairMeans all_weak = means(pair, rows);
  const auto n = static_cast<double>(rows.size());
  std::vector<outcomes::Point> out{{all_weak.weak_cost, all_weak.weak}};
  out.reserve(rows.size() + 1);
  for (std::size_t row = 0; row < count.size(); ++row) {
    for (std::uint32_t i = 0; i < count[row]; ++i) {
      out.push_back({out.back().cost + (pair.strong_cost[row] - pair.weak_cost[row]) / n,
                     out.back().score + (pair.strong_score[row] - pair.weak_score[row]) / n});
    }
  }
  return out;
}

std::optional<double> cost_at(std::span<const outcomes::Point> curve, double score) {
  std::optional<double> best;
  for (const outcomes::Point& p : curve) {
    if (p.score >= score - 1e-12 && (!best || p.cost < *best)) best = p.cost;
  }
  return best;
}

std::optional<double> pair_saving(const Pair& pair, std::span<const std::size_t> rows,
                                  double fraction) {
  const PairMeans m = means(pair, rows);
  if (!(m.strong_cost > 0) || !(m.strong > m.weak)) return std::nullopt;
  const auto cost = cost_at(pair_curve(pair, rows), fraction * m.strong);
  if (!cost) return 0;
  return 1 - *cost / m.strong_cost;
}

std::optional<double> coin_saving(const Pair& pair, std::span<const std::size_t> rows,
                                  double fraction) {
  const PairMeans m = means(pair, rows);
  if (!(m.strong_cost > 0) || !(m.strong > m.weak)) return std::nullopt;
  const double share = std::clamp((fraction * m.strong - m.weak) / (m.strong - m.weak), 0.0, 1.0);
  return 1 - (m.weak_cost + share * (m.strong_cost - m.weak_cost)) / m.strong_cost;
}

std::optional<double> pair_cpt(const Pair& pair, std::span<const std::size_t> rows, double x) {
  const PairMeans m = means(pair, rows);
  if (!(m.strong > m.weak)) return std::nullopt;
  const auto curve = pair_curve(pair, rows);
  const double wanted = m.weak + x * (m.strong - m.weak);
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].score >= wanted - 1e-12)
      return static_cast<double>(i) / static_cast<double>(rows.size());
  }
  return 1;
}

std::optional<double> pair_apgr(const Pair& pair, std::span<const std::size_t> rows) {
  const PairMeans m = means(pair, rows);
  if (!(m.strong > m.weak)) return std::nullopt;
  const auto curve = pair_curve(pair, rows);
  double area = 0;
  for (std::size_t i = 1; i < curve.size(); ++i)
    area += 0.5 * (curve[i].score + curve[i - 1].score) / static_cast<double>(rows.size());
  return (area - m.weak) / (m.strong - m.weak);
}

std::optional<double> pool_saving(const Set& set, std::span<const std::size_t> rows,
                                  double fraction) {
  const PoolPoints points = pool_points(set, rows);
  if (points.settings.empty() || !(points.best.cost > 0)) return std::nullopt;
  const auto cost = outcomes::Hull(points.settings).cost_of(fraction * points.best.score);
  return cost ? std::max(0.0, 1 - *cost / points.best.cost) : 0.0;
}

std::optional<double> pool_perf_gain(const Set& set, std::span<const std::size_t> rows) {
  const PoolPoints points = pool_points(set, rows);
  if (points.settings.empty() || !(points.best.score > 0)) return std::nullopt;
  double best = 0;
  for (const outcomes::Point& p : points.settings) best = std::max(best, p.score);
  return best / points.best.score - 1;
}

Readings over_pairs(
    const Bench& bench,
    const std::function<std::optional<double>(const Pair&, std::span<const std::size_t>)>&
        statistic) {
  Readings out;
  for (const Set& set : bench.sets) {
    if (!set.pair) continue;
    const auto reading = read(
        set.name, set.pair->rows(),
        [&](std::span<const std::size_t> rows) { return statistic(*set.pair, rows); },
        bench.options);
    if (reading) out.push_back(*reading);
  }
  return out;
}

Readings over_pools(const Bench& bench, const std::function<std::optional<double>(
                                            const Set&, std::span<const std::size_t>)>& statistic) {
  Readings out;
  for (const Set& set : bench.sets) {
    if (set.table.arm_count() < 2) continue;
    const auto reading = read(
        set.name, set.table.rows(),
        [&](std::span<const std::size_t> rows) { return statistic(set, rows); }, bench.options);
    if (reading) out.push_back(*reading);
  }
  return out;
}

}  // namespace rung::reproduce
