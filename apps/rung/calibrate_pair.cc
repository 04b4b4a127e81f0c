#include "calibrate_pair.h"

#include <fmt/format.h>

#include <cmath>
#include <tuple>

#ifndef RUNG_NO_PREDICT
namespace rung::cli {

std::optional<Arm> arm_of(const outcomes::Table& table, std::size_t in_table,
                          std::size_t in_router) {
  Arm arm{table.arms[in_table], in_table, in_router, 0, 0};
  double rows = 0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto score = static_cast<double>(table.score[table.cell(row, in_table)]);
    const auto cost = static_cast<double>(table.cost[table.cell(row, in_table)]);
    if (!std::isfinite(score) || !std::isfinite(cost)) continue;
    arm.score += score;
    arm.cost += cost;
    rows += 1;
  }
  if (rows == 0) return std::nullopt;
  arm.score /= rows;
  arm.cost /= rows;
  return arm;
}

Result<std::vector<Arm>> known_arms(const predict::Router& router, const outcomes::Table& table) {
  std::vector<Arm> arms;
  for (std::size_t i = 0; i < table.arm_count(); ++i) {
    for (std::size_t j = 0; j < router.arms().size(); ++j) {
      // The chance of a win needs no price; the costs here are those of the outcomes.
      const bool judged =
          router.arms()[j].has_cost || router.quality_scale() == predict::QualityScale::kWinChance;
      if (router.arms()[j].name != table.arms[i] || !judged) continue;
      if (const auto arm = arm_of(table, i, j)) arms.push_back(*arm);
    }
  }
  if (arms.size() >= 2) return arms;
  return Error{ErrorCode::kInvalidData,
               fmt::format("the router and the outcomes have {} arms with a score and a cost in "
                           "common; expected at least two to choose between",
                           arms.size())};
}

Result<Pair> choose_pair(const std::vector<Arm>& arms, const std::string& wanted_strong,
                         const std::string& wanted_weak) {
  const Arm *strong = nullptr, *weak = nullptr;
  std::string names;
  for (const Arm& arm : arms) {
    names += (names.empty() ? "" : ", ") + arm.name;
    if (arm.name == wanted_strong) strong = &arm;
    if (arm.name == wanted_weak) weak = &arm;
  }
  for (const auto& [option, name, found] :
       {std::tuple{"--strong", wanted_strong, strong}, {"--weak", wanted_weak, weak}}) {
    if (name.empty() || found != nullptr) continue;
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} names \"{}\"; expected an arm that both the router and the "
                             "outcomes know, with costs: {}",
                             option, name, names)};
  }
  if (strong == nullptr) {  // the best; of equally good ones the cheapest
    for (const Arm& arm : arms) {
      if (&arm == weak) continue;
      if (strong == nullptr || arm.score > strong->score ||
          (arm.score == strong->score && arm.cost < strong->cost))
        strong = &arm;
    }
  }
  if (weak == nullptr) {  // the cheapest; of equally cheap ones the best
    for (const Arm& arm : arms) {
      if (&arm == strong) continue;
      if (weak == nullptr || arm.cost < weak->cost ||
          (arm.cost == weak->cost && arm.score > weak->score))
        weak = &arm;
    }
  }
  if (strong == weak) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--strong and --weak both name \"{}\"; expected two different arms",
                             wanted_strong)};
  }
  if (wanted_strong.empty() && wanted_weak.empty() && strong->cost <= weak->cost) {
    return Error{
        ErrorCode::kInfeasible,
        fmt::format("{} is both the best and the cheapest arm on these outcomes: there is "
                    "nothing to choose; name --strong and --weak to calibrate another pair",
                    strong->name)};
  }
  return Pair{*strong, *weak};
}

Result<std::vector<std::size_t>> whole_rows(const outcomes::Table& table, const Pair& pair) {
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t s = table.cell(row, pair.strong.in_table),
                      w = table.cell(row, pair.weak.in_table);
    if (std::isfinite(table.score[s]) && std::isfinite(table.cost[s]) &&
        std::isfinite(table.score[w]) && std::isfinite(table.cost[w]))
      rows.push_back(row);
  }
  if (!rows.empty()) return rows;
  return Error{ErrorCode::kInvalidData,
               fmt::format("no row has a score and a cost of both {} and {}; expected at least one",
                           pair.strong.name, pair.weak.name)};
}

Rows pair_rows(const outcomes::Table& table, const Pair& pair, const std::vector<std::size_t>& rows,
               std::vector<double> score) {
  Rows out;
  out.score = std::move(score);
  for (const std::size_t row : rows) {
    const std::size_t s = table.cell(row, pair.strong.in_table),
                      w = table.cell(row, pair.weak.in_table);
    out.strong_quality.push_back(table.score[s]);
    out.weak_quality.push_back(table.score[w]);
    out.strong_cost.push_back(table.cost[s]);
    out.weak_cost.push_back(table.cost[w]);
  }
  return out;
}

}  // namespace rung::cli
#endif
