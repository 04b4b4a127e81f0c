#include "outcomes/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outcomes/calibration.h"
#include "outcomes/split.h"

namespace rung::outcomes {
namespace {

constexpr std::uint32_t kLabelFolds = 5;
constexpr double kLabelPseudoCounts = 2;
constexpr std::size_t kCalibrationBins = 10;
constexpr double kLogLossClip = 1e-6;  // no estimate is trusted further than one in a million

// Cells keep their places; rows without a usable cell count nowhere.
void random_and_oracle(const Estimated& data, Comparison& out) {
  double rows = 0;
  for (std::size_t row = 0; row < data.rows; ++row) {
    double cost = 0, score = 0, count = 0;
    Point best{0, -1};
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (!data.usable(row, arm)) continue;
      const double c = data.cost[data.cell(row, arm)], s = data.score[data.cell(row, arm)];
      cost += c;
      score += s;
      count += 1;
      if (s > best.score || (s == best.score && c < best.cost)) best = {c, s};
    }
    if (count == 0) continue;
    rows += 1;
    out.random.cost += cost / count;
    out.random.score += score / count;
    out.oracle.cost += best.cost;
    out.oracle.score += best.score;
  }
  for (double* sum : {&out.random.cost, &out.random.score, &out.oracle.cost, &out.oracle.score})
    *sum /= rows;
}

Calibration calibrate(const Estimated& data) {
  std::vector<double> estimate, score;
  double logs = 0, priced = 0;
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    if (!std::isfinite(data.score[i]) || !std::isfinite(data.cost[i])) continue;
    estimate.push_back(std::clamp<double>(data.est_quality[i], 0, 1));
    score.push_back(data.score[i]);
    if (!(data.cost[i] > 0) || !(data.est_cost[i] > 0)) continue;
    logs += std::abs(
        std::log(static_cast<double>(data.est_cost[i]) / static_cast<double>(data.cost[i])));
    priced += 1;
  }
  Calibration out;
  // Some cell is usable: hull_gain has seen to it.
  out.ece = *expected_calibration_error(estimate, score, kCalibrationBins);
  out.brier = *brier(estimate, score);
  out.log_loss = *log_loss(estimate, score, kLogLossClip);
  out.cost_ratio_error = priced > 0 ? std::exp(logs / priced) - 1 : 0;
  return out;
}

// Per category and arm: sums of the other folds, drawn towards the arm's mean.
Result<HullGain> label_gain(const Table& table, const Estimated& data,
                            const HullGainOptions& options) {
  const std::size_t m = data.arms, categories = table.categories.size();
  const auto fold = fold_rows(group_by_id(table), kLabelFolds, options.seed);
  struct Sum {
    double score = 0, cost = 0, count = 0;
  };
  const std::size_t block = (categories + 1) * m;    // the last "category" is all rows
  std::vector<Sum> sums(block * (kLabelFolds + 1));  // the last fold is all folds
  const auto at = [&](std::size_t f, std::size_t category, std::size_t arm) -> Sum& {
    return sums[f * block + category * m + arm];
  };
  for (std::size_t row = 0; row < data.rows; ++row) {
    const auto category = static_cast<std::size_t>(table.category[row]);
    for (std::size_t arm = 0; arm < m; ++arm) {
      if (!data.usable(row, arm)) continue;
      for (const std::size_t f : {std::size_t{fold[row]}, std::size_t{kLabelFolds}}) {
        for (const std::size_t c : {category, categories}) {
          Sum& sum = at(f, c, arm);
          sum.score += static_cast<double>(data.score[data.cell(row, arm)]);
          sum.cost += static_cast<double>(data.cost[data.cell(row, arm)]);
          sum.count += 1;
        }
      }
    }
  }
  std::vector<float> quality(data.rows * m), cost(data.rows * m);
  for (std::size_t row = 0; row < data.rows; ++row) {
    const auto category = static_cast<std::size_t>(table.category[row]);
    for (std::size_t arm = 0; arm < m; ++arm) {
      const Sum &all = at(kLabelFolds, categories, arm), &fold_all = at(fold[row], categories, arm);
      const Sum &own = at(kLabelFolds, category, arm), &fold_own = at(fold[row], category, arm);
      const double others = std::max(1.0, all.count - fold_all.count);
      const double mean_score = (all.score - fold_all.score) / others,
                   mean_cost = (all.cost - fold_all.cost) / others;
      const double count = own.count - fold_own.count + kLabelPseudoCounts;
      const std::size_t cell = data.cell(row, arm);
      quality[cell] = static_cast<float>(
          (own.score - fold_own.score + kLabelPseudoCounts * mean_score) / count);
      cost[cell] =
          static_cast<float>((own.cost - fold_own.cost + kLabelPseudoCounts * mean_cost) / count);
    }
  }
  return hull_gain({data.rows, m, data.score, data.cost, quality, cost}, options);
}

std::vector<std::size_t> arms_and_picks(const Table& table, const Estimated& data,
                                        const PickCurve* curve, Comparison& out) {
  const HullGain& gain = out.gain;
  out.operating = operating_point(gain);
  auto picked = picks_at(data, curve, gain, out.operating);
  for (std::size_t arm = 0; arm < data.arms; ++arm) {
    const auto count = std::count(picked.begin(), picked.end(), arm);
    const auto sources = gain.static_hull.sources();
    out.arms.push_back({table.arms[arm], gain.singles[arm],
                        static_cast<double>(count) / static_cast<double>(gain.rows_used),
                        std::find(sources.begin(), sources.end(), arm) != sources.end()});
  }
  out.cheapest = gain.static_hull.sources().front();
  out.best = gain.static_hull.sources().back();
  return picked;
}

}  // namespace

SweepPoint operating_point(const HullGain& gain) {
  const double wanted = gain.static_hull.best().score;
  const SweepPoint *matching = nullptr, *furthest = nullptr;
  double most = 0;
  for (const SweepPoint& point : gain.sweep) {
    if (point.mean.score >= wanted &&
        (matching == nullptr || point.mean.cost < matching->mean.cost))
      matching = &point;
    const double above =
        point.mean.score -
        gain.static_hull.at(point.mean.cost).value_or(gain.static_hull.cheapest().score);
    if (furthest != nullptr && above <= most) continue;
    most = above;
    furthest = &point;
  }
  return matching != nullptr ? *matching : *furthest;
}

std::vector<std::size_t> picks_at(const Estimated& data, const PickCurve* curve,
                                  const HullGain& gain, const SweepPoint& operating) {
  if (curve == nullptr) return picks(data, operating.lambda);
  std::size_t at = 0;
  while (gain.sweep[at].lambda != operating.lambda) ++at;
  std::vector<std::size_t> out(data.rows, data.arms);
  for (std::size_t row = 0; row < data.rows; ++row)
    for (std::size_t arm = 0; arm < data.arms; ++arm)
      if (data.usable(row, arm)) out[row] = curve->at(at)[row];
  return out;
}

Result<Comparison> compare(const Table& table, const Estimated& data,
                           const HullGainOptions& options, const PickCurve* curve) {
  if (data.rows != table.rows() || data.arms != table.arm_count()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "comparing estimates of {} rows x {} arms with a table of {} x {}; expected the same",
            data.rows, data.arms, table.rows(), table.arm_count())};
  }
  auto gain = curve != nullptr ? hull_gain(data, *curve, options) : hull_gain(data, options);
  if (!gain) return gain.error();
  Comparison out;
  if (curve != nullptr) out.knob = curve->knob;
  out.gain = std::move(*gain);
  const auto picked = arms_and_picks(table, data, curve, out);
  random_and_oracle(data, out);
  out.calibration = calibrate(data);
  out.literature = literature({data, out.gain, out.operating, out.random, out.oracle, picked});
  out.match_best_cost = out.gain.router.cost_of(out.gain.static_hull.best().score);

  HullGainOptions curve_only = options;
  curve_only.bootstrap = 0;
  auto truth =
      hull_gain({data.rows, data.arms, data.score, data.cost, data.score, data.cost}, curve_only);
  if (!truth) return truth.error();
  out.oracle_curve.assign(truth->router.vertices().begin(), truth->router.vertices().end());
  const bool labelled = std::none_of(table.category.begin(), table.category.end(),
                                     [](std::int32_t c) { return c == kNoCategory; });
  if (labelled && table.categories.size() > 1) {
    auto label = label_gain(table, data, options);
    if (!label) return label.error();
    out.task_label = std::move(*label);
  }
  const std::size_t last = out.gain.budgets.size() - 1;
  for (std::size_t quarter = 0; quarter <= 4; ++quarter) {
    const std::size_t i = quarter * last / 4;
    out.at_budgets.push_back(
        {out.gain.budgets[i], out.gain.router_score[i], out.gain.static_score[i]});
  }
  return out;
}

bool worth_routing(const Comparison& comparison) { return comparison.gain.low > kGainNoise; }

std::string verdict(const Comparison& comparison) {
  const HullGain& gain = comparison.gain;
  const std::string interval =
      fmt::format("hull gain {:.2f} points, 95 % interval {:.2f} to {:.2f}", 100 * gain.gain,
                  100 * gain.low, 100 * gain.high);
  if (worth_routing(comparison)) {
    std::string saving;
    const double best = gain.static_hull.best().cost;
    if (comparison.match_best_cost && *comparison.match_best_cost < best) {
      saving = fmt::format("; it matches the best single model at {:.0f} % of its cost",
                           100 * *comparison.match_best_cost / best);
    }
    return fmt::format("Routing is worth it here: {}{}.", interval, saving);
  }
  if (gain.high < -kGainNoise)
    return fmt::format("Routing does harm here: use the best static mixture ({}).", interval);
  return fmt::format("Not distinguishable from the best static mixture ({}).", interval);
}

}  // namespace rung::outcomes
