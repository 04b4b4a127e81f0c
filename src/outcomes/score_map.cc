#include "outcomes/score_map.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "json/write.h"
#include "outcomes/calibration.h"

namespace rung::outcomes {
namespace {

/// Log odds, held within what a float's estimate can mean.
double log_odds(double p) {
  p = std::clamp(p, 1e-6, 1 - 1e-6);
  return std::log(p / (1 - p));
}

Error corrupt(const char* expected) {
  return {ErrorCode::kCorruptFile,
          std::string("a map of scores is not of its form; expected ") + expected};
}

/// Estimates and scores of one arm on the rows that `use` names.
struct Pairs {
  std::vector<double> estimate, score;
};
template <class Use>
Pairs pairs_of(std::size_t arm, std::size_t arms, std::span<const float> estimate,
               std::span<const float> score, Use use) {
  Pairs out;
  for (std::size_t row = 0; row * arms < score.size(); ++row) {
    const std::size_t cell = row * arms + arm;
    if (!use(row) || std::isnan(score[cell]) || std::isnan(estimate[cell])) continue;
    out.estimate.push_back(static_cast<double>(estimate[cell]));
    out.score.push_back(static_cast<double>(score[cell]));
  }
  return out;
}

std::optional<ScoreMap> map_of(ScoreMapKind kind, const Pairs& pairs) {
  if (pairs.estimate.size() < kFewestToMap) return std::nullopt;
  auto map = ScoreMap::fit(kind, pairs.estimate, pairs.score);
  if (!map) return std::nullopt;
  return *std::move(map);
}

}  // namespace

std::string_view name(ScoreMapKind kind) {
  return kind == ScoreMapKind::kIsotonic ? "isotonic" : "platt";
}

std::optional<ScoreMapKind> parse_score_map_kind(std::string_view text) {
  for (const ScoreMapKind kind : {ScoreMapKind::kIsotonic, ScoreMapKind::kPlatt})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

Result<ScoreMap> ScoreMap::fit(ScoreMapKind kind, std::span<const double> estimate,
                               std::span<const double> outcome) {
  ScoreMap out;
  if (kind == ScoreMapKind::kIsotonic) {
    auto fitted = Isotonic::fit(estimate, outcome);
    if (!fitted) return fitted.error();
    out.knots_ = fitted->knots();
    return out;
  }
  std::vector<double> odds;
  for (const double p : estimate) odds.push_back(log_odds(p));
  auto fitted = Platt::fit(odds, outcome);
  if (!fitted) return fitted.error();
  // A falling map would say that more is less: then only the mean is known.
  if (fitted->slope() < 0) {
    double mean = 0;
    for (const double y : outcome) mean += y / static_cast<double>(outcome.size());
    out.platt_ = {0.0, log_odds(mean)};
  } else {
    out.platt_ = {fitted->slope(), fitted->offset()};
  }
  return out;
}

double ScoreMap::apply(double estimate) const {
  if (std::isnan(estimate)) return estimate;
  if (platt_) {
    const double z = platt_->first * log_odds(estimate) + platt_->second;
    return 1 / (1 + std::exp(-z));
  }
  if (knots_.empty()) return estimate;
  const auto at = std::lower_bound(knots_.begin(), knots_.end(), estimate,
                                   [](const auto& knot, double x) { return knot.first < x; });
  if (at == knots_.end()) return knots_.back().second;
  if (at == knots_.begin()) return at->second;
  const auto& before = *(at - 1);
  const double share = (estimate - before.first) / (at->first - before.first);
  return before.second + share * (at->second - before.second);
}

std::string ScoreMap::json() const {
  json::Writer w;
  if (platt_) {
    w.begin_object().key("slope").number(platt_->first).key("offset").number(platt_->second);
    return w.end_object().take();
  }
  w.begin_array();
  for (const auto& [x, y] : knots_) w.begin_array().number(x).number(y).end_array();
  return w.end_array().take();
}

Result<ScoreMap> ScoreMap::parse(json::Value value) {
  ScoreMap out;
  if (value.is_object()) {
    const auto slope = json::find(value, "slope"), offset = json::find(value, "offset");
    const auto a = slope ? slope->number() : std::nullopt;
    const auto b = offset ? offset->number() : std::nullopt;
    if (!a || !b || !std::isfinite(*a) || !std::isfinite(*b) || *a < 0)
      return corrupt("a slope of 0 or more and an offset");
    out.platt_ = {*a, *b};
    return out;
  }
  if (!value.is_array()) return corrupt("a list of points, or a slope and an offset");
  for (const json::Value point : json::elements(value)) {
    if (!point.is_array()) return corrupt("points of two numbers");
    std::vector<double> numbers;
    for (const json::Value number : json::elements(point))
      numbers.push_back(number.number().value_or(std::nan("")));
    if (numbers.size() != 2 || !std::isfinite(numbers[0]) || !(numbers[1] >= 0 && numbers[1] <= 1))
      return corrupt("points of two numbers, the second from 0 to 1");
    if (!out.knots_.empty() &&
        (numbers[0] <= out.knots_.back().first || numbers[1] < out.knots_.back().second))
      return corrupt("points that rise");
    out.knots_.emplace_back(numbers[0], numbers[1]);
  }
  if (out.knots_.empty()) return corrupt("at least one point");
  return out;
}

std::vector<float> cross_mapped(ScoreMapKind kind, std::size_t arms,
                                std::span<const float> estimate, std::span<const float> score,
                                std::span<const std::uint32_t> fold) {
  RUNG_CHECK(estimate.size() == score.size() && score.size() == fold.size() * arms,
             "cells of every row and arm");
  std::vector<float> out(estimate.begin(), estimate.end());
  const std::uint32_t folds = fold.empty() ? 0 : *std::max_element(fold.begin(), fold.end()) + 1;
  for (std::uint32_t k = 0; k < folds; ++k)
    for (std::size_t arm = 0; arm < arms; ++arm) {
      const auto map = map_of(kind, pairs_of(arm, arms, estimate, score,
                                             [&](std::size_t row) { return fold[row] != k; }));
      if (!map) continue;
      for (std::size_t row = 0; row < fold.size(); ++row)
        if (fold[row] == k)
          out[row * arms + arm] =
              static_cast<float>(map->apply(static_cast<double>(estimate[row * arms + arm])));
    }
  return out;
}

std::vector<std::optional<ScoreMap>> fit_maps(ScoreMapKind kind, std::size_t arms,
                                              std::span<const float> estimate,
                                              std::span<const float> score) {
  std::vector<std::optional<ScoreMap>> out;
  for (std::size_t arm = 0; arm < arms; ++arm)
    out.push_back(
        map_of(kind, pairs_of(arm, arms, estimate, score, [](std::size_t) { return true; })));
  return out;
}

}  // namespace rung::outcomes
