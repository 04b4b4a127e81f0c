// Claims on routing over a pool: Avengers, Avengers-Pro, LLMRouterBench, RouterArena and others.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "outcomes/quantile.h"
#include "outcomes/routerarena_metrics.h"
#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;

constexpr std::string_view kAvengersPro = "Avengers-Pro, arXiv 2508.12631";
constexpr std::string_view kAvengers = "Avengers, arXiv 2505.19797";
constexpr std::string_view kBenchPaper = "LLMRouterBench, arXiv 2601.07206";
constexpr std::string_view kArena = "RouterArena, arXiv 2510.00202";

Readings savings(const Bench& bench, double fraction) {
  return over_pools(bench, [&](const Set& s, Rows rows) { return pool_saving(s, rows, fraction); });
}

// Difference of two gains with the same resamples.
Reading difference(const Set& set, const outcomes::HullGain& a, const outcomes::HullGain& b) {
  std::vector<double> resampled(std::min(a.resampled.size(), b.resampled.size()));
  for (std::size_t i = 0; i < resampled.size(); ++i) resampled[i] = a.resampled[i] - b.resampled[i];
  std::sort(resampled.begin(), resampled.end());
  const double value = a.gain - b.gain;
  if (resampled.empty()) return {set.name, value, value, value};
  return {set.name, value, outcomes::quantile_of_sorted(resampled, 0.025),
          outcomes::quantile_of_sorted(resampled, 0.975)};
}

Measured label_oracle(const Bench& bench) {
  Readings label_minus_learned;
  std::string worse, better;
  for (const Set& set : bench.sets) {
    if (!set.comparison.task_label) continue;
    const Reading r = difference(set, *set.comparison.task_label, set.comparison.gain);
    label_minus_learned.push_back(r);
    if (r.low > 1e-6) better += (better.empty() ? "" : ", ") + set.name;
    if (r.high < -1e-6) worse += (worse.empty() ? "" : ", ") + set.name;
  }
  if (label_minus_learned.empty()) return needs("outcomes with categories")({});
  const auto close = static_cast<std::size_t>(
      std::count_if(label_minus_learned.begin(), label_minus_learned.end(),
                    [](const Reading& r) { return std::abs(r.value) <= 0.012; }));
  return {
      2 * close >= label_minus_learned.size() ? Verdict::kHolds
      : close > 0                             ? Verdict::kInPart
                                              : Verdict::kNot,
      list(label_minus_learned, 100, "{:+.1f}", " points"),
      fmt::format("within 1.2 points on {} of {}; the label is surely better on {}, the learned "
                  "router (which also knows what a query will cost) on {}",
                  close, label_minus_learned.size(), better.empty() ? "none" : better,
                  worse.empty() ? "none" : worse)};
}

Measured cheap_pool(const Bench& bench) {
  Readings beyond;
  for (const Set& set : bench.sets) {
    const outcomes::Estimated data = set.data();
    const std::size_t best = set.comparison.best;
    const double price = set.comparison.arms[best].mean.cost;
    std::vector<std::size_t> cheap;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (set.comparison.arms[arm].mean.cost <= 0.2 * price) cheap.push_back(arm);
    }
    if (cheap.size() < 2) continue;
    std::vector<std::pair<double, double>> rows;  // picked of the cheap ones, best single
    for (std::size_t row = 0; row < data.rows; ++row) {
      std::size_t pick = data.arms;
      for (const std::size_t arm : cheap) {
        if (!data.usable(row, arm)) continue;
        if (pick == data.arms ||
            data.est_quality[data.cell(row, arm)] > data.est_quality[data.cell(row, pick)])
          pick = arm;
      }
      if (pick == data.arms || !data.usable(row, best)) continue;
      rows.emplace_back(data.score[data.cell(row, pick)], data.score[data.cell(row, best)]);
    }
    const auto reading = read(
        set.name, rows.size(),
        [&](Rows drawn) -> std::optional<double> {
          double sum = 0;
          for (const std::size_t i : drawn) sum += rows[i].first - rows[i].second;
          return sum / static_cast<double>(drawn.size());
        },
        bench.options);
    if (reading) beyond.push_back(*reading);
  }
  if (beyond.empty())
    return needs("a pool with two arms that cost at most a fifth of the best one")({});
  const auto win =
      std::count_if(beyond.begin(), beyond.end(), [](const Reading& r) { return r.low > 0; });
  const auto level =
      std::count_if(beyond.begin(), beyond.end(), [](const Reading& r) { return r.high >= 0; });
  return {
      win > 0     ? Verdict::kHolds
      : level > 0 ? Verdict::kInPart
                  : Verdict::kNot,
      list(beyond, 100, "{:+.1f}", " points"),
      fmt::format("the routed cheap arms are surely better than the best single arm on {} of {} "
                  "sets, not surely worse on {}; one answer each, while the claim votes over "
                  "five",
                  win, beyond.size(), level)};
}

Measured perf_and_cost(const Bench& bench) {
  const Readings perf = over_pools(bench, pool_perf_gain);
  const Readings cost = savings(bench, 1.0);
  if (perf.empty()) return needs("outcomes of several arms")({});
  const Measured a = judge_up_to(perf, 0.04, 0, ""), b = judge_up_to(cost, 0.317, 0, "");
  const auto of = [](const Measured& m) {
    return std::string(text(m.verdict)) + " (" + m.reason + ")";
  };
  return {a.verdict == b.verdict ? a.verdict : Verdict::kInPart,
          "score: " + list(perf, kPercent, "{:+.1f}", " %") +
              " | cost saved: " + list(cost, kPercent, "{:.0f}", " %"),
          "score " + of(a) + "; cost " + of(b)};
}

Measured oracle_gap(const Bench& bench) {
  Readings gap;
  for (const Set& set : bench.sets) {
    const auto& c = set.comparison;
    if (c.arms.size() < 2 || !(c.oracle.score > 0)) continue;
    double best = 0;
    for (const auto& point : c.gain.sweep) best = std::max(best, point.mean.score);
    const double value = 1 - best / c.oracle.score;
    gap.push_back({set.name, value, value, value});
  }
  if (gap.empty()) return needs("outcomes of several arms")({});
  std::string number;
  std::size_t far = 0;
  for (const Reading& r : gap) {
    number += fmt::format("{}{} {:.0f} %", number.empty() ? "" : "; ", r.set, kPercent * r.value);
    far += r.value >= 0.1 ? 1 : 0;
  }
  return {
      2 * far >= gap.size() ? Verdict::kHolds
      : far > 0             ? Verdict::kInPart
                            : Verdict::kNot,
      number,
      fmt::format("at least 10 % below the oracle on {} of {} sets; an oracle over few arms, or "
                  "near 1, leaves less room",
                  far, gap.size())};
}

Measured hindsight_map(const Bench& bench) {
  std::string number, above;
  std::size_t sets = 0;
  for (const Set& set : bench.sets) {
    if (!set.comparison.task_label) continue;
    ++sets;
    const outcomes::Estimated data = set.data();
    // Best arm of each category, chosen and judged on the same rows: with hindsight.
    std::map<std::int32_t, std::vector<std::pair<double, double>>> sums;
    double rows = 0;
    for (std::size_t row = 0; row < data.rows; ++row) {
      auto& of = sums[set.table.category[row]];
      of.resize(data.arms);
      rows += 1;
      for (std::size_t arm = 0; arm < data.arms; ++arm) {
        if (!data.usable(row, arm)) continue;
        of[arm].first += static_cast<double>(data.score[data.cell(row, arm)]);
        of[arm].second += 1;
      }
    }
    double total = 0;
    for (const auto& [category, arms] : sums) {
      double best = 0, most = 0;
      for (const auto& [sum, count] : arms) {
        if (count > 0) best = std::max(best, sum / count);
        most = std::max(most, count);
      }
      total += best * most;
    }
    const double gain = total / rows - set.comparison.arms[set.comparison.best].mean.score;
    number += fmt::format("{}{} {:+.2f} ({} categories)", number.empty() ? "" : "; ", set.name,
                          100 * gain, sums.size());
    if (gain > 0.0151) above += (above.empty() ? "" : ", ") + set.name;
  }
  if (sets == 0) return needs("outcomes with categories")({});
  return {above.empty() ? Verdict::kHolds : Verdict::kNot, number + " points",
          above.empty() ? std::string("no set gives more")
                        : "more on " + above + "; hindsight flatters where categories are small"};
}

Measured constant_wins(const Bench& bench) {
  std::string number, wins;
  std::size_t sets = 0;
  for (const Set& set : bench.sets) {
    const auto& c = set.comparison;
    if (c.arms.size() < 2) continue;
    std::optional<double> constant, router;
    const auto take = [](std::optional<double>& best, const outcomes::Point& p) {
      const auto s = outcomes::arena_score(p.score, 1000 * p.cost);
      if (s && (!best || *s > *best)) best = s;
    };
    for (const auto& arm : c.arms) {
      if (std::isfinite(arm.mean.score) && arm.mean.cost > 0) take(constant, arm.mean);
    }
    for (const auto& point : c.gain.sweep) take(router, point.mean);
    if (!constant || !router) continue;
    ++sets;
    number += fmt::format("{}{} {:.3f} against {:.3f}", number.empty() ? "" : "; ", set.name,
                          *constant, *router);
    if (*constant >= *router - 1e-9) wins += (wins.empty() ? "" : ", ") + set.name;
  }
  if (sets == 0) return needs("outcomes of several arms with costs")({});
  return {wins.empty() ? Verdict::kNot : Verdict::kHolds, "constant against router: " + number,
          wins.empty() ? std::string("the router's best setting scores more on every set")
                       : "the best constant is at least level on " + wins};
}

Measured arena_formula(const Bench&) {
  const double accuracy = 0.7518957671, cost = 8.5434721952;
  const double score = outcomes::arena_score(accuracy, cost).value_or(0);
  return {std::abs(score - 0.6586468316) < 1e-9 ? Verdict::kHolds : Verdict::kNot,
          fmt::format("{:.10f}", score), "arithmetic from the published accuracy and cost"};
}

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
      won += best == dear ? 1 : 0;
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

void add_pool_claims(std::vector<Claim>& out) {
  out.push_back({"avengers-pro-7", "better than the best single model",
                 "+7.1 % relative (6 benchmarks, 8 models)", kAvengersPro, "page",
                 "best score of the router's settings over the best single arm's, relative",
                 [](const Bench& b) {
                   const Readings r = over_pools(b, pool_perf_gain);
                   return judge_up_to(r, 0.0708, 0, list(r, kPercent, "{:+.1f}", " %"));
                 }});
  out.push_back({"avengers-pro-27", "cheaper at the best single model's accuracy", "26.9 % cheaper",
                 kAvengersPro, "page", "cost saved at the best single arm's score",
                 [](const Bench& b) {
                   const Readings r = savings(b, 1.0);
                   return judge_usual(r, 0.269, 0, list(r, kPercent, "{:.0f}", " %"));
                 }});
  out.push_back({"avengers-pro-90", "90 % of that accuracy for far less",
                 "62.9 % cheaper at 90.3 %", kAvengersPro, "page",
                 "cost saved at 90.3 % of the best single arm's score", [](const Bench& b) {
                   const Readings r = savings(b, 0.903);
                   return judge_usual(r, 0.629, 0, list(r, kPercent, "{:.0f}", " %"));
                 }});
  out.push_back({"avengers-capability",
                 "without a filter, the cheapest setting sends tool tasks to a "
                 "model without tools",
                 "0.00 on tau2-bench", kAvengersPro, "page", "",
                 needs("tool tasks with models that cannot call tools")});
  out.push_back(
      {"avengers-small-pool", "ten 7B models, routed, beat a far larger one",
       "9 or 10 of 15 data sets against GPT-4.1", kAvengers, "page",
       "arms that cost at most a fifth of the best single arm, routed for quality, against "
       "that arm",
       cheap_pool});
  out.push_back({"label-oracle", "knowing only the data set is as good as a learned router",
                 "73.10 against 71.94 (1.2 points)", kBenchPaper, "paper",
                 "hull gain with the true category, cross-fitted, minus that of the router",
                 label_oracle});
  out.push_back({"llmrouterbench-gain", "what the best router gains over the best single model",
                 "+4.0 % score, or 31.7 % cheaper", kBenchPaper, "paper",
                 "the same two, greatest over the router's settings", perf_and_cost});
  out.push_back({"llmrouterbench-gap", "learned routers stay far below the oracle",
                 "22.0 % below (20 models of about 7B)", kBenchPaper, "paper",
                 "best score of the router's settings below the oracle, relative", oracle_gap});
  out.push_back({"price-spread",
                 "prices differ far more than ability, and the dearest is rarely best",
                 "47x between 13 flagship models", kBenchPaper, "paper",
                 "mean cost of the dearest over the cheapest arm; categories in which the dearest "
                 "is best",
                 price_spread});
  out.push_back({"hindsight-map", "a map from skill to model gives little even with hindsight",
                 "at most +1.51 points over the best constant", "RouterArena pull request 192",
                 "page", "best arm of each category on these very rows, over the best single arm",
                 hindsight_map});
  out.push_back(
      {"constant-router", "a constant router can beat a learned one on an aggregate score",
       "75.75 with one model", "RouterArena pull request 192", "page",
       "arena score of the best single arm and of the router's best setting", constant_wins});
  out.push_back({"arena-formula", "the arena score follows from accuracy and cost", "0.6586468316",
                 "RouterArena pull request 181", "page", "recomputed: needs no data",
                 arena_formula});
  out.push_back({"arena-leaderboard", "places on the leaderboard",
                 "RouteLLM 48.07, GPT-5 64.32, "
                 "MIRT-BERT 66.89",
                 kArena, "page", "",
                 needs("RouterArena's queries, which must only ever be evaluated on")});
  out.push_back(
      {"collapse", "routers go to the dearest model as the budget grows",
       "(effect; 97 to 100 % to one model seen in the field)", "arXiv 2602.03478", "paper",
       "share of the most picked arm with cost ignored, and the share of queries on which "
       "it is the cheapest best",
       collapse});
  out.push_back({"difficulty-auc", "a prompt's text says little of whether a model will succeed",
                 "AUC 0.46 to 0.68 (agent tasks)", "Lynkr, terminal-bench-router-comparison",
                 "vendor", "AUC of the expected score of the cheapest arm, for right or wrong",
                 difficulty_auc});
}

}  // namespace rung::reproduce
