#include "own_knob.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/parallel.h"

#ifndef RUNG_NO_PREDICT
#include "decide/policy.h"

namespace rung::cli {
namespace {

constexpr std::size_t kThresholds = 256;  // as many as hull_gain has lambdas
constexpr std::size_t kAlphas = 101;

class Curve {
 public:
  Curve(const predict::Router& router, const outcomes::Table& table, const Estimates& estimates,
        std::span<const std::size_t> in_router, const outcomes::Estimated& data)
      : router_(router), table_(table), estimates_(estimates), in_router_(in_router), data_(data) {
    // Mean costs, as far as the router knows them: no row's own cost is looked at.
    cost_.assign(data.arms, std::numeric_limits<double>::infinity());
    for (std::size_t arm = 0; arm < data.arms; ++arm)
      if (in_router[arm] != kNotKnown && router.arms()[in_router[arm]].has_cost)
        cost_[arm] = router.arms()[in_router[arm]].mean_cost_usd;
  }

  std::optional<outcomes::PickCurve> thresholds() {
    const std::size_t strong = column(0), weak = column(1);
    if (strong == kNotKnown || weak == kNotKnown) return std::nullopt;
    std::vector<double> s(data_.rows);
    for (std::size_t row = 0; row < data_.rows; ++row)
      s[row] = decide::win_chance(estimates_.at(row, 0).quality, estimates_.at(row, 1).quality);
    start("threshold", steps(s));
    each([&](std::size_t row, std::size_t i) {
      const bool take = s[row] >= curve_.settings[i];
      for (const std::size_t arm : {take ? strong : weak, take ? weak : strong})
        if (data_.usable(row, arm)) return arm;
      return fallback(row);
    });
    return std::move(curve_);
  }

  std::optional<outcomes::PickCurve> targets() {
    std::vector<double> p;
    for (std::size_t row = 0; row < data_.rows; ++row)
      for (std::size_t arm = 0; arm < estimates_.arms; ++arm)
        p.push_back(estimates_.at(row, arm).quality);
    start("target_quality", steps(std::move(p)));
    each([&](std::size_t row, std::size_t i) {
      std::size_t sure = data_.arms, best = data_.arms;
      for (std::size_t arm = 0; arm < data_.arms; ++arm) {
        if (in_router_[arm] == kNotKnown || !data_.usable(row, arm)) continue;
        const double quality = quality_of(row, arm);
        if (best == data_.arms || quality > quality_of(row, best)) best = arm;
        if (quality >= curve_.settings[i] && (sure == data_.arms || cost_[arm] < cost_[sure]))
          sure = arm;
      }
      return sure != data_.arms ? sure : best != data_.arms ? best : fallback(row);
    });
    return std::move(curve_);
  }

  std::optional<outcomes::PickCurve> alphas() {
    std::vector<double> alpha;
    if (router_.metadata("method") == "avengers") {
      alpha = {1};
    } else {
      for (std::size_t i = 0; i < kAlphas; ++i)
        alpha.push_back(static_cast<double>(i) / static_cast<double>(kAlphas - 1));
    }
    start("alpha", std::move(alpha));
    parallel_for(data_.rows, [&](std::size_t row) {
      predict::Scratch scratch;
      std::vector<std::uint8_t> capable(router_.arms().size(), 0);
      std::vector<float> utility(capable.size());
      for (std::size_t arm = 0; arm < data_.arms; ++arm)
        if (in_router_[arm] != kNotKnown && data_.usable(row, arm)) capable[in_router_[arm]] = 1;
      for (std::size_t i = 0; i < curve_.settings.size(); ++i) {
        router_.utilities(table_.prompts[row], static_cast<float>(curve_.settings[i]), capable,
                          utility, scratch);
        std::size_t best = data_.arms;
        const auto value = [&](std::size_t arm) { return utility[in_router_[arm]]; };
        for (std::size_t arm = 0; arm < data_.arms; ++arm) {
          if (in_router_[arm] == kNotKnown || !data_.usable(row, arm) || !std::isfinite(value(arm)))
            continue;
          // Ties as the policy breaks them: by price, then by order.
          if (best == data_.arms || value(arm) > value(best) ||
              (value(arm) == value(best) && cost_[arm] < cost_[best]))
            best = arm;
        }
        put(row, i, best != data_.arms ? best : fallback(row));
      }
    });
    return std::move(curve_);
  }

 private:
  std::size_t column(std::size_t router_arm) const {
    const auto at = std::find(in_router_.begin(), in_router_.end(), router_arm);
    return at == in_router_.end() ? kNotKnown : static_cast<std::size_t>(at - in_router_.begin());
  }
  double quality_of(std::size_t row, std::size_t arm) const {
    return estimates_.at(row, in_router_[arm]).quality;
  }
  /// The cheapest usable arm; arms if there is none, and then the row counts nowhere.
  std::size_t fallback(std::size_t row) const {
    std::size_t cheapest = data_.arms;
    for (std::size_t arm = 0; arm < data_.arms; ++arm)
      if (data_.usable(row, arm) && (cheapest == data_.arms || cost_[arm] < cost_[cheapest]))
        cheapest = arm;
    return cheapest;
  }
  /// Places where a pick changes, at quantiles, and one above all.
  static std::vector<double> steps(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    std::vector<double> out;
    const std::size_t count = std::min(values.size(), kThresholds - 1);
    for (std::size_t i = 0; i < count; ++i) out.push_back(values[i * values.size() / count]);
    if (!values.empty()) out.push_back(std::nextafter(values.back(), 2.0));
    return out;
  }
  void start(std::string knob, std::vector<double> settings) {
    curve_.knob = std::move(knob);
    curve_.settings = std::move(settings);
    curve_.rows = data_.rows;
    curve_.picks.resize(curve_.settings.size() * data_.rows);
  }
  void put(std::size_t row, std::size_t setting, std::size_t arm) {
    curve_.picks[setting * data_.rows + row] = static_cast<std::uint32_t>(arm);
  }
  template <class Pick>
  void each(Pick pick) {
    for (std::size_t i = 0; i < curve_.settings.size(); ++i)
      for (std::size_t row = 0; row < data_.rows; ++row) put(row, i, pick(row, i));
  }

  const predict::Router& router_;
  const outcomes::Table& table_;
  const Estimates& estimates_;
  std::span<const std::size_t> in_router_;
  const outcomes::Estimated& data_;
  std::vector<double> cost_;  // [arms of data]
  outcomes::PickCurve curve_;
};

}  // namespace

std::optional<outcomes::PickCurve> own_knob(const predict::Router& router,
                                            const outcomes::Table& table,
                                            const Estimates& estimates,
                                            std::span<const std::size_t> in_router,
                                            const outcomes::Estimated& data) {
  Curve curve(router, table, estimates, in_router, data);
  switch (router.quality_scale()) {
    case predict::QualityScale::kWinChance:
      return curve.thresholds();
    case predict::QualityScale::kMatchChance:
      return curve.targets();
    case predict::QualityScale::kExpectedScore:
      break;
  }
  if (router.metadata("knob") == "alpha") return curve.alphas();
  return std::nullopt;
}

}  // namespace rung::cli
#endif
