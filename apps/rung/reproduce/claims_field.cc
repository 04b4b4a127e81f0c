// Claims on what routers do in the field: where queries go, what prices are, what a text tells.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;

constexpr std::string_view kBenchPaper = "LLMRouterBench, arXiv 2601.07206";

Measured collapse(const Bench& bench) {
  std::string number, collapsed;
  std::size_t sets = 0;
  for (const Set& set : bench.sets) {
    const outcomes::Estimated data = set.data();
    if (data.arms < 2) continue;
    const auto picked = outcomes::picks(data, 0);
    std::vector<double> share(data.arms, 0), best(data.arms, 0);
    double rows = 0;
    for (std::size_t row = 0; row < data.rows; ++row) {
      if (picked[row] >= data.arms) continue;
      rows += 1;
      share[picked[row]] += 1;
      std::size_t oracle = picked[row];
      for (std::size_t arm = 0; arm < data.arms; ++arm) {
        if (!data.usable(row, arm)) continue;
        const std::size_t a = data.cell(row, arm), o = data.cell(row, oracle);
        if (data.score[a] > data.score[o] ||
            (data.score[a] == data.score[o] && data.cost[a] < data.cost[o]))
          oracle = arm;
      }
      best[oracle] += 1;
    }
    const auto most =
        static_cast<std::size_t>(std::max_element(share.begin(), share.end()) - share.begin());
    ++sets;
    number +=
        fmt::format("{}{} {:.0f} % to {}, needed {:.0f} %", number.empty() ? "" : "; ", set.name,
                    kPercent * share[most] / rows, set.arm(most), kPercent * best[most] / rows);
    if (share[most] >= 2 * best[most] && share[most] > 0.5 * rows)
      collapsed += (collapsed.empty() ? "" : ", ") + set.name;
  }
  if (sets == 0) return needs("outcomes of several arms")({});
  return {collapsed.empty() ? Verdict::kNot : Verdict::kHolds, number,
          collapsed.empty()
              ? std::string("no arm gets most queries and twice what it is needed for")
              : "one arm gets most queries and twice what the oracle gives it on " + collapsed};
}

Measured price_spread(const Bench& bench) {
  std::string number;
  std::size_t sets = 0, rare = 0;
  for (const Set& set : bench.sets) {
    const auto& arms = set.comparison.arms;
    std::size_t dear = arms.size(), cheap = arms.size();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      if (!std::isfinite(arms[i].mean.cost)) continue;
      if (dear == arms.size() || arms[i].mean.cost > arms[dear].mean.cost) dear = i;
      if (cheap == arms.size() || arms[i].mean.cost < arms[cheap].mean.cost) cheap = i;
    }
    if (arms.size() < 3 || !(arms[cheap].mean.cost > 0)) continue;
    ++sets;
    const outcomes::Estimated data = set.data();
    const std::size_t categories = std::max<std::size_t>(1, set.table.categories.size());
    std::size_t won = 0, seen = 0;
    for (std::size_t c = 0; c < categories; ++c) {
      std::vector<double> sum(data.arms, 0), count(data.arms, 0);
      for (std::size_t row = 0; row < data.rows; ++row) {
        if (set.table.categories.size() > 1 &&
            set.table.category[row] != static_cast<std::int32_t>(c))
          continue;
        for (std::size_t arm = 0; arm < data.arms; ++arm) {
          if (!data.usable(row, arm)) continue;
          sum[arm] += static_cast<double>(data.score[data.cell(row, arm)]);
          count[arm] += 1;
        }
      }
      std::size_t best = data.arms;
      for (std::size_t arm = 0; arm < data.arms; ++arm) {
        if (count[arm] > 0 &&
            (best == data.arms || sum[arm] / count[arm] > sum[best] / count[best]))
          best = arm;
      }
      if (best == data.arms) continue;
      ++seen;
      won += arms[best].mean.cost >= 0.999 * arms[dear].mean.cost ? 1 : 0;  // or as dear
    }
    rare += 4 * won <= seen ? 1 : 0;
    number +=
        fmt::format("{}{} {:.0f}x, dearest best in {} of {} categories", number.empty() ? "" : "; ",
                    set.name, arms[dear].mean.cost / arms[cheap].mean.cost, won, seen);
  }
  if (sets == 0) return needs("outcomes of three or more arms with costs")({});
  return {rare == sets ? Verdict::kHolds
          : rare > 0   ? Verdict::kInPart
                       : Verdict::kNot,
          number,
          fmt::format("the dearest arm is best in at most a quarter of the categories on {} of {} "
                      "sets",
                      rare, sets)};
}

// Chance that a query which the arm gets right is expected better than one which it gets wrong.
std::optional<double> auc(const std::vector<std::pair<double, bool>>& sorted, Rows rows) {
  std::vector<std::uint32_t> count(sorted.size(), 0);
  for (const std::size_t row : rows) ++count[row];
  double right = 0, wrong = 0, area = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    double r = 0, w = 0;
    std::size_t j = i;
    for (; j < sorted.size() && sorted[j].first == sorted[i].first; ++j)
      (sorted[j].second ? r : w) += count[j];
    area += r * (wrong + 0.5 * w);
    right += r;
    wrong += w;
    i = j;
  }
  if (right == 0 || wrong == 0) return std::nullopt;
  return area / (right * wrong);
}

Measured difficulty_auc(const Bench& bench) {
  Readings readings;
  for (const Set& set : bench.sets) {
    const outcomes::Estimated data = set.data();
    const std::size_t arm = set.comparison.cheapest;
    std::vector<std::pair<double, bool>> rows;
    for (std::size_t row = 0; row < data.rows; ++row) {
      if (!data.usable(row, arm)) continue;
      const std::size_t at = data.cell(row, arm);
      rows.emplace_back(data.est_quality[at], data.score[at] >= 0.5f);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto r =
        read(set.name, rows.size(), [&](Rows drawn) { return auc(rows, drawn); }, bench.options);
    if (r) readings.push_back(*r);
  }
  if (readings.empty()) return needs("outcomes with right and wrong answers")({});
  const auto weak = static_cast<std::size_t>(std::count_if(
      readings.begin(), readings.end(), [](const Reading& r) { return r.value <= 0.75; }));
  const auto some =
      std::count_if(readings.begin(), readings.end(), [](const Reading& r) { return r.low > 0.5; });
  return {
      weak == readings.size()       ? Verdict::kHolds
      : 2 * weak >= readings.size() ? Verdict::kInPart
                                    : Verdict::kNot,
      list(readings, 1, "{:.2f}", ""),
      fmt::format("at most 0.75 on {} of {}, surely above 0.5 on {}; single turns, so this says "
                  "nothing of agents",
                  weak, readings.size(), some)};
}

}  // namespace

void add_field_claims(std::vector<Claim>& out) {
  out.push_back({"price-spread",
                 "prices differ far more than ability, and the dearest is rarely best",
                 "47x between 13 flagship models", kBenchPaper, "paper",
                 "mean cost of the dearest over the cheapest arm; categories in which the dearest "
                 "is best",
                 price_spread});
  out.push_back(
      {"collapse", "routers go to the dearest model as the budget grows", "(effect)",
       "arXiv 2602.03478", "paper",
       "share of the most picked arm with cost ignored, and the share of queries on which "
       "it is the cheapest best",
       collapse});
  out.push_back({"difficulty-auc", "a prompt's text says little of whether a model will succeed",
                 "AUC 0.46 to 0.68 (agent tasks)", "Lynkr, terminal-bench-router-comparison",
                 "vendor", "AUC of the expected score of the cheapest arm, for right or wrong",
                 difficulty_auc});
}

}  // namespace rung::reproduce
