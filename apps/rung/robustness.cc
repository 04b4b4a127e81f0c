#include "robustness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "estimates.h"
#include "json/write.h"
#include "outcomes/margin.h"
#include "outcomes/routerarena_metrics.h"

namespace rung::cli {
namespace {

/// The settings of the sweep that spend about 0, 25, 50, 75 and 100 % of the range of budgets.
std::vector<double> budget_lambdas(const outcomes::HullGain& gain) {
  std::vector<double> lambdas;
  for (int i = 0; i < 5; ++i) {
    const double budget =
        gain.budgets.front() + 0.25 * i * (gain.budgets.back() - gain.budgets.front());
    const auto nearest =
        std::min_element(gain.sweep.begin(), gain.sweep.end(), [&](const auto& a, const auto& b) {
          return std::abs(a.mean.cost - budget) < std::abs(b.mean.cost - budget);
        });
    lambdas.push_back(nearest->lambda);
  }
  return lambdas;
}

std::optional<double> stays(const std::vector<std::size_t>& clean,
                            const std::vector<std::size_t>& perturbed,
                            const std::vector<std::size_t>& rows, std::size_t arms) {
  std::vector<std::size_t> a, b;
  for (const std::size_t row : rows) {
    a.push_back(clean[row] == arms ? outcomes::kNoPick : clean[row]);
    b.push_back(perturbed[row] == arms ? outcomes::kNoPick : perturbed[row]);
  }
  return outcomes::arena_robustness(a, b);
}

std::string percent(const std::optional<double>& share) {
  return share ? fmt::format("{:.1f} %", 100 * *share) : "–";
}

}  // namespace

Result<Robustness> measure_robustness(const predict::Router& router, const outcomes::Table& table,
                                      const std::vector<std::size_t>& in_router,
                                      const outcomes::Estimated& data,
                                      const outcomes::Comparison& comparison, double margin,
                                      std::uint64_t seed) {
  Robustness out;
  out.margin = margin;
  out.gain = comparison.gain.gain;
  std::vector<float> mean_quality, mean_cost;
  for (const std::size_t i : in_router) {
    mean_quality.push_back(router.arms()[i].mean_quality);
    mean_cost.push_back(router.arms()[i].mean_cost_usd);
  }
  const outcomes::Priors priors{mean_quality, mean_cost};
  out.gain_with_margin =
      outcomes::hull_gain_with_margin(data, priors, comparison.gain, margin / 100);
  std::vector<double> lambdas = budget_lambdas(comparison.gain);
  lambdas.push_back(comparison.operating.lambda);
  const auto picks_of = [&](const outcomes::Estimated& estimated) {
    std::vector<std::vector<std::size_t>> picks;
    for (const double lambda : lambdas)
      picks.push_back(outcomes::picks_with_margin(estimated, priors, lambda, margin / 100));
    return picks;
  };
  const auto clean = picks_of(data);
  std::size_t kinds = 0;
  double operating = 0, budgets = 0;
  for (std::size_t k = 0; k < out.kinds.size(); ++k) {
    outcomes::Table other;
    std::vector<std::size_t> changed;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const std::string prompt = text::perturb(table.prompts[row], text::kPerturbations[k], seed);
      if (prompt != table.prompts[row]) changed.push_back(row);
      other.ids.push(table.ids[row]);
      other.prompts.push(prompt);
    }
    Robustness::Share& share = out.kinds[k];
    share.changed = changed.size();
    if (changed.empty()) continue;
    auto estimates = estimate_all(router, other);
    if (!estimates) return estimates.error();
    std::vector<float> quality, cost;
    for (std::size_t row = 0; row < table.rows(); ++row)
      for (const std::size_t i : in_router) {
        quality.push_back(estimates->at(row, i).quality);
        cost.push_back(estimates->at(row, i).cost_usd);
      }
    const auto picks = picks_of({data.rows, data.arms, data.score, data.cost, quality, cost});
    share.at_operating = stays(clean.back(), picks.back(), changed, data.arms);
    double sum = 0;
    for (std::size_t i = 0; i + 1 < lambdas.size(); ++i)
      sum += stays(clean[i], picks[i], changed, data.arms).value_or(0) / 5;
    if (!share.at_operating) continue;  // no row has an arm to pick
    share.over_budgets = sum;
    kinds += 1;
    operating += *share.at_operating;
    budgets += sum;
    out.mean.changed += share.changed;
  }
  if (kinds > 0) {
    out.mean.at_operating = operating / static_cast<double>(kinds);
    out.mean.over_budgets = budgets / static_cast<double>(kinds);
  }
  return out;
}

std::string robustness_text(const Robustness& r) {
  std::string out =
      fmt::format("\n  {:<36} {:>9} {:>12} {:>12}\n", "picks that stay when perturbed", "prompts",
                  "operating", "5 budgets");
  const auto line = [&](std::string_view name, const Robustness::Share& share) {
    out += fmt::format("  {:<36} {:>9} {:>12} {:>12}\n", name, share.changed,
                       percent(share.at_operating), percent(share.over_budgets));
  };
  for (std::size_t k = 0; k < r.kinds.size(); ++k)
    line(text::name(text::kPerturbations[k]), r.kinds[k]);
  line("mean of the kinds", r.mean);
  if (r.margin > 0)
    out +=
        fmt::format("  with a margin of {:g} points: hull gain {:.2f} points instead of {:.2f}\n",
                    r.margin, 100 * r.gain_with_margin, 100 * r.gain);
  return out;
}

std::string robustness_json(const Robustness& r) {
  json::Writer w;
  w.begin_object().key("margin").number(r.margin).key("hull_gain").number(r.gain);
  w.key("hull_gain_with_margin").number(r.gain_with_margin);
  const auto share = [&](std::string_view name, const Robustness::Share& s) {
    w.key(name).begin_object().key("prompts").number(s.changed);
    w.key("at_operating_point").number_or_null(s.at_operating);
    w.key("over_budgets").number_or_null(s.over_budgets).end_object();
  };
  w.key("kinds").begin_object();
  for (std::size_t k = 0; k < r.kinds.size(); ++k)
    share(text::name(text::kPerturbations[k]), r.kinds[k]);
  w.end_object();
  share("mean", r.mean);
  w.end_object();
  return w.take();
}

}  // namespace rung::cli
