#include "recalibrate.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/file.h"
#include "json/write.h"
#include "outcomes/calibration.h"
#include "outcomes/reader.h"
#include "outcomes/score_map.h"
#include "outcomes/split.h"

#ifndef RUNG_NO_PREDICT
#include "judging.h"
#include "own_knob.h"
#include "predict/recalibrated.h"

namespace rung::cli {
namespace {

constexpr std::uint32_t kFolds = 5;
constexpr double kClip = 1e-6;  // of the log loss, as in a report's calibration

using outcomes::ScoreMapKind;

/// What is held against what: cells [rows * arms] of estimates and scores, NaN where there is none.
struct Cells {
  std::size_t arms = 0;
  std::vector<float> estimate, score;
};

/// Of a router of a pair one column: s against "strong beats weak". Columns of `table` that the
/// router does not know stay empty.
Result<Cells> cells_of(const predict::Router& router, const outcomes::Table& table,
                       const Estimates& estimates, const Predicted& known) {
  Cells out;
  if (router.quality_scale() == predict::QualityScale::kMatchChance)
    return Error{ErrorCode::kUnsupported,
                 fmt::format("the router ({}) gives chances to match a reference, whose own is 1; "
                             "expected one of expected scores or of a pair",
                             router.metadata("method"))};
  if (router.quality_scale() == predict::QualityScale::kWinChance) {
    out.arms = 1;
    std::size_t strong = table.arm_count(), weak = strong;
    for (std::size_t arm = 0; arm < table.arm_count(); ++arm) {
      if (known.in_router[arm] == 0) strong = arm;
      if (known.in_router[arm] == 1) weak = arm;
    }
    if (strong == table.arm_count() || weak == table.arm_count())
      return Error{ErrorCode::kInvalidData,
                   "the outcomes lack an arm of the router's pair; expected both"};
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const float a = table.score[table.cell(row, strong)], b = table.score[table.cell(row, weak)];
      out.estimate.push_back(estimates.at(row, 0).quality);
      out.score.push_back(std::isnan(a) || std::isnan(b) ? outcomes::kMissing
                          : a > b                        ? 1.0f
                          : a < b                        ? 0.0f
                                                         : 0.5f);
    }
    return out;
  }
  out.arms = table.arm_count();
  for (std::size_t row = 0; row < table.rows(); ++row)
    for (std::size_t arm = 0; arm < out.arms; ++arm) {
      const std::size_t at = known.in_router[arm];
      out.estimate.push_back(at == kNotKnown ? outcomes::kMissing : estimates.at(row, at).quality);
      out.score.push_back(table.score[table.cell(row, arm)]);
    }
  return out;
}

Recalibrated errors_of(std::string name, const std::vector<float>& estimate,
                       const std::vector<float>& score) {
  std::vector<double> p, y;
  for (std::size_t i = 0; i < score.size(); ++i) {
    if (std::isnan(score[i]) || std::isnan(estimate[i])) continue;
    p.push_back(static_cast<double>(estimate[i]));
    y.push_back(static_cast<double>(score[i]));
  }
  Recalibrated out;
  out.name = std::move(name);
  out.ece = outcomes::expected_calibration_error(p, y).value_or(0);
  out.brier = outcomes::brier(p, y).value_or(0);
  out.log_loss = outcomes::log_loss(p, y, kClip).value_or(0);
  return out;
}

}  // namespace

Result<std::vector<Recalibrated>> measure_recalibration(const predict::Router& router,
                                                        const outcomes::Table& table,
                                                        const std::vector<std::size_t>& in_table,
                                                        std::size_t bootstrap, std::uint64_t seed) {
  std::vector<std::size_t> every(table.rows());
  std::iota(every.begin(), every.end(), std::size_t{0});
  const outcomes::Table judged = select_arms(table, every, in_table);
  auto estimates = estimate_all(router, judged);
  if (!estimates) return estimates.error();
  Predicted known = predicted(router, judged, *estimates);
  auto cells = cells_of(router, judged, *estimates, known);
  if (!cells) return cells.error();
  const auto fold = outcomes::fold_rows(outcomes::group_by_text(judged), kFolds, seed);
  const bool swept = router.quality_scale() == predict::QualityScale::kExpectedScore &&
                     router.metadata("knob") != "alpha";
  const outcomes::HullGainOptions how{.bootstrap = bootstrap, .seed = seed};
  std::vector<Recalibrated> out;
  std::optional<outcomes::HullGain> first;
  for (int i = 0; i < 3; ++i) {
    const auto kind = i == 1 ? ScoreMapKind::kIsotonic : ScoreMapKind::kPlatt;
    const auto estimate =
        i == 0 ? cells->estimate
               : outcomes::cross_mapped(kind, cells->arms, cells->estimate, cells->score, fold);
    out.push_back(
        errors_of(i == 0 ? "as it is" : std::string(outcomes::name(kind)), estimate, cells->score));
    if (!swept) continue;
    // An arm without a price is never worth it, whatever its quality.
    for (std::size_t c = 0; c < estimate.size(); ++c)
      if (!std::isnan(estimate[c])) known.quality[c] = estimate[c];
    auto gain = outcomes::hull_gain(
        {judged.rows(), judged.arm_count(), judged.score, judged.cost, known.quality, known.cost},
        how);
    if (!gain) return gain.error();
    out.back().gain = gain->gain;
    if (!first) {
      first = *std::move(gain);
    } else if (bootstrap >= 2) {
      auto ahead = outcomes::paired_difference(*gain, *first);
      if (!ahead) return ahead.error();
      out.back().ahead = *ahead;
    }
  }
  return out;
}

std::string recalibration_text(const std::vector<Recalibrated>& rows) {
  std::string out =
      "\nestimates, and what recalibration on other rows would make of them (five folds)\n"
      "                   ECE     Brier  log loss  hull gain\n";
  for (const Recalibrated& row : rows) {
    out += fmt::format("  {:<12} {:>8.4f}  {:>8.4f}  {:>8.4f}", row.name, row.ece, row.brier,
                       row.log_loss);
    if (row.gain) out += fmt::format("  {:>9.2f}", 100 * *row.gain);
    if (row.ahead)
      out += fmt::format("   {:+.2f} [{:+.2f}, {:+.2f}]{}", 100 * row.ahead->value,
                         100 * row.ahead->low, 100 * row.ahead->high,
                         row.ahead->significant() ? "" : " within noise");
    out += "\n";
  }
  return out;
}

std::string recalibration_report_json(const std::vector<Recalibrated>& rows) {
  json::Writer w;
  w.begin_array();
  for (const Recalibrated& row : rows) {
    w.begin_object().key("name").string(row.name).key("ece").number(row.ece);
    w.key("brier").number(row.brier).key("log_loss").number(row.log_loss);
    w.key("hull_gain").number_or_null(row.gain).key("against_as_it_is");
    if (row.ahead) {
      w.begin_object().key("value").number(row.ahead->value).key("low").number(row.ahead->low);
      w.key("high").number(row.ahead->high).end_object();
    } else {
      w.null();
    }
    w.end_object();
  }
  return w.end_array().take();
}

Result<void> recalibrate(const RecalibrateOptions& options) {
  const auto kind = outcomes::parse_score_map_kind(options.kind);
  if (!kind || options.router.empty() || options.outcomes.empty() || options.out.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "--recalibrate isotonic or platt needs --router, --outcomes that trained nothing, "
                 "and --out for the new router"};
  auto bytes = read_file(options.router);
  if (!bytes) return bytes.error();
  // Maps that it has already are replaced, not put on top.
  auto plain = predict::with_metadata(*bytes, predict::kRecalibrationKey, "");
  if (!plain) return plain.error().with(options.router);
  auto router = predict::Router::from_bytes(*plain);
  if (!router) return router.error().with(options.router);
  auto table = outcomes::read_table(options.outcomes);
  if (!table) return table.error();
  auto estimates = estimate_all(**router, *table);
  if (!estimates) return estimates.error();
  auto cells = cells_of(**router, *table, *estimates, predicted(**router, *table, *estimates));
  if (!cells) return cells.error();
  const auto maps = outcomes::fit_maps(*kind, cells->arms, cells->estimate, cells->score);
  predict::ArmMaps named;
  std::vector<std::string> left;
  const bool pair = (*router)->quality_scale() == predict::QualityScale::kWinChance;
  for (std::size_t arm = 0; arm < maps.size(); ++arm) {
    const std::string& name = pair ? (*router)->arms()[0].name : table->arms[arm];
    if (maps[arm])
      named.emplace(name, *maps[arm]);
    else
      left.push_back(name);
  }
  if (named.empty())
    return Error{ErrorCode::kInfeasible,
                 fmt::format("no arm of the router has {} scores in the outcomes; a map of fewer "
                             "would be chance",
                             outcomes::kFewestToMap)};
  auto changed = predict::with_metadata(*plain, predict::kRecalibrationKey,
                                        predict::recalibration_json(*kind, named));
  if (!changed) return changed.error();
  if (auto usable = predict::Router::from_bytes(*changed); !usable) return usable.error();
  if (auto done = write_file(options.out, *changed); !done) return done;
  if (options.json) {
    json::Writer w;
    w.begin_object().key("kind").string(options.kind).key("mapped").begin_array();
    for (const auto& [name, map] : named) w.string(name);
    w.end_array().key("left").begin_array();
    for (const std::string& name : left) w.string(name);
    w.end_array().key("router").string(options.out).end_object();
    fmt::print("{}\n", w.take());
    return {};
  }
  fmt::print(
      "{} maps of the estimates of {} to {}; rung evaluate --recalibrate on other rows says "
      "what that is worth\n",
      options.kind, pair ? "the pair" : fmt::format("{} arms", named.size()), options.out);
  if (!left.empty())
    fmt::print("  left as they are (unknown to the router, or fewer than {} scores): {}\n",
               outcomes::kFewestToMap, fmt::join(left, ", "));
  return {};
}

}  // namespace rung::cli
#endif
