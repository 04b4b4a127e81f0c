// Claims on routing between a strong and a weak model: RouteLLM, Hybrid-LLM, BEST-Route.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;

constexpr std::string_view kRouteLlm = "RouteLLM, arXiv 2406.18665";
constexpr std::string_view kHybrid = "Hybrid-LLM, arXiv 2404.14618";
constexpr std::string_view kBestRoute = "BEST-Route, arXiv 2506.22716";

// The rows of a pair whose category the test wants.
Pair part_of(const Set& set, const std::function<bool(std::string_view)>& wanted) {
  Pair out;
  out.weak = set.pair->weak;
  out.strong = set.pair->strong;
  for (std::size_t i = 0; i < set.pair->rows(); ++i) {
    const std::int32_t category = set.table.category[set.pair->row[i]];
    if (category == outcomes::kNoCategory) continue;
    if (!wanted(set.table.categories[static_cast<std::size_t>(category)])) continue;
    out.score.push_back(set.pair->score[i]);
    out.row.push_back(set.pair->row[i]);
    out.weak_score.push_back(set.pair->weak_score[i]);
    out.strong_score.push_back(set.pair->strong_score[i]);
    out.weak_cost.push_back(set.pair->weak_cost[i]);
    out.strong_cost.push_back(set.pair->strong_cost[i]);
  }
  return out;
}

// Savings at 95 %, and what is left of them beyond a coin that is weighted for the same score.
Measured saving_beside_coin(const std::vector<std::pair<std::string, const Pair*>>& pairs,
                            double fraction, double published, const Options& options) {
  Readings saved, beyond;
  std::string coin;
  for (const auto& [name, pair] : pairs) {
    const auto a = read(
        name, pair->rows(), [&](Rows rows) { return pair_saving(*pair, rows, fraction); }, options);
    const auto b = read(
        name, pair->rows(),
        [&](Rows rows) -> std::optional<double> {
          const auto router = pair_saving(*pair, rows, fraction);
          const auto by_chance = coin_saving(*pair, rows, fraction);
          if (!router || !by_chance) return std::nullopt;
          return *router - *by_chance;
        },
        options);
    if (!a || !b) continue;
    saved.push_back(*a);
    beyond.push_back(*b);
    coin += fmt::format("{}{} {:.0f} %", coin.empty() ? "" : ", ", name,
                        kPercent * (a->value - b->value));
  }
  if (saved.empty()) return needs("outcomes of such a pair on these questions")({});
  Measured out =
      judge_up_to(saved, published, 0, list(saved, kPercent, "{:.0f}", " %") + "; a coin: " + coin);
  const auto by_skill =
      std::count_if(beyond.begin(), beyond.end(), [](const Reading& r) { return r.low > 1e-9; });
  out.reason += fmt::format("; surely more than a coin of the same score on {} of {}", by_skill,
                            beyond.size());
  if (by_skill == 0) out.verdict = Verdict::kNot;
  return out;
}

std::vector<std::pair<std::string, const Pair*>> all_pairs(const Bench& bench) {
  std::vector<std::pair<std::string, const Pair*>> out;
  for (const Set& set : bench.sets) {
    if (set.pair) out.emplace_back(set.name, &*set.pair);
  }
  return out;
}

Measured saving_on(const Bench& bench, double published,
                   const std::function<bool(std::string_view)>& wanted, std::size_t arms) {
  std::vector<Pair> kept;
  std::vector<std::pair<std::string, const Pair*>> pairs;
  kept.reserve(bench.sets.size());
  for (const Set& set : bench.sets) {
    if (!set.pair || set.table.arm_count() != arms) continue;
    kept.push_back(part_of(set, wanted));
    if (kept.back().rows() >= 50) pairs.emplace_back(set.name, &kept.back());
  }
  return saving_beside_coin(pairs, 0.95, published, bench.options);
}

Measured call_thresholds(const Bench& bench) {
  const Readings half =
      over_pairs(bench, [](const Pair& p, Rows r) { return pair_cpt(p, r, 0.5); });
  const Readings most =
      over_pairs(bench, [](const Pair& p, Rows r) { return pair_cpt(p, r, 0.8); });
  if (half.empty()) return needs("outcomes of two arms")({});
  std::string reached, skilled;
  for (const Reading& r : half) {
    if (r.value <= 0.134) reached += (reached.empty() ? "" : ", ") + r.set;
    if (r.high < 0.5) skilled += (skilled.empty() ? "" : ", ") + r.set;
  }
  return {!reached.empty()   ? Verdict::kHolds
          : !skilled.empty() ? Verdict::kInPart
                             : Verdict::kNot,
          "CPT50: " + list(half, kPercent, "{:.0f}", " %") +
              " | CPT80: " + list(most, kPercent, "{:.0f}", " %"),
          fmt::format("CPT50 as low as published on {}; surely below a coin's 50 % on {}",
                      reached.empty() ? "no set" : reached, skilled.empty() ? "no set" : skilled)};
}

Measured apgr(const Bench& bench) {
  const Readings readings = over_pairs(bench, pair_apgr);
  Measured out = judge_up_to(readings, 0.802, 0.5, list(readings, 1, "{:.3f}", ""));
  if (out.verdict == Verdict::kInPart) {
    out.reason = "above the coin's 0.5 but below 0.802" + out.reason.substr(out.reason.find(';'));
  }
  return out;
}

// What a threshold chosen on some rows does on others; rows keep their side when they are drawn.
struct Transfer {
  double advantage = 0, drop_percent = 0;
};

std::optional<Transfer> transfer(const Pair& pair, Rows rows, double max_drop,
                                 const std::function<bool(std::size_t)>& calibrates) {
  std::vector<std::size_t> chosen_on, used_on;
  for (const std::size_t row : rows) (calibrates(row) ? chosen_on : used_on).push_back(row);
  if (chosen_on.empty() || used_on.empty()) return std::nullopt;
  std::sort(chosen_on.begin(), chosen_on.end());
  const PairMeans m = means(pair, chosen_on), u = means(pair, used_on);
  if (m.strong == 0 || u.strong == 0) return std::nullopt;
  const auto curve = pair_curve(pair, chosen_on);
  std::size_t strong_calls = chosen_on.size();
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (100 * (m.strong - curve[i].score) / std::abs(m.strong) > max_drop + 1e-9) continue;
    strong_calls = i;
    break;
  }
  const double threshold = strong_calls == 0 ? 2 : pair.score[chosen_on[strong_calls - 1]];
  double score = 0, weak = 0;
  for (const std::size_t row : used_on) {
    const bool strong = pair.score[row] >= threshold;
    score += strong ? pair.strong_score[row] : pair.weak_score[row];
    weak += strong ? 0 : 1;
  }
  const auto n = static_cast<double>(used_on.size());
  return Transfer{weak / n, 100 * (u.strong - score / n) / std::abs(u.strong)};
}

// A row's place in the file decides its side, so that nothing that was measured does.
bool even(const Pair& pair, std::size_t row) { return pair.row[row] % 2 == 0; }

Measured no_drop(const Bench& bench) {
  const auto either = [](const Pair& p, Rows rows, bool advantage) -> std::optional<double> {
    double sum = 0;
    for (const bool side : {false, true}) {
      const auto t = transfer(p, rows, 0, [&](std::size_t row) { return even(p, row) == side; });
      if (!t) return std::nullopt;
      sum += 0.5 * (advantage ? t->advantage : t->drop_percent);
    }
    return sum;
  };
  const Readings advantage =
      over_pairs(bench, [&](const Pair& p, Rows r) { return either(p, r, true); });
  const Readings drop =
      over_pairs(bench, [&](const Pair& p, Rows r) { return either(p, r, false); });
  if (advantage.empty()) return needs("outcomes of two arms")({});
  std::string full, some;
  for (std::size_t i = 0; i < advantage.size(); ++i) {
    if (drop[i].value > 1) continue;  // by more than 1 % it is a drop, not the luck of the halves
    if (advantage[i].value >= 0.4) full += (full.empty() ? "" : ", ") + advantage[i].set;
    if (advantage[i].value >= 0.1) some += (some.empty() ? "" : ", ") + advantage[i].set;
  }
  return {!full.empty()   ? Verdict::kHolds
          : !some.empty() ? Verdict::kInPart
                          : Verdict::kNot,
          "fewer strong calls: " + list(advantage, kPercent, "{:.0f}", " %") +
              " | drop: " + list(drop, 1, "{:.1f}", " %"),
          fmt::format("40 % fewer at a drop of at most 1 % on {}; at least 10 % fewer on {}",
                      full.empty() ? "no set" : full, some.empty() ? "no set" : some)};
}

Measured drop_by_gap(const Bench& bench) {
  struct Line {
    std::string set;
    double gap, drop;
  };
  std::vector<Line> lines;
  for (const Set& set : bench.sets) {
    if (!set.pair) continue;
    std::vector<std::size_t> all(set.pair->rows());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const PairMeans m = means(*set.pair, all);
    if (!(m.strong > 0)) continue;
    const auto curve = pair_curve(*set.pair, all);
    const auto at = static_cast<std::size_t>(std::llround(0.6 * static_cast<double>(all.size())));
    lines.push_back({set.name, 100 * (m.strong - m.weak) / m.strong,
                     100 * (m.strong - curve[at].score) / m.strong});
  }
  if (lines.size() < 3) return needs("outcomes of three pairs with different gaps")({});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.gap < b.gap; });
  std::string number;
  double concordant = 0, discordant = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    number += fmt::format("{}{}: gap {:.0f} %, drop {:.1f} %", i ? "; " : "", lines[i].set,
                          lines[i].gap, lines[i].drop);
    for (std::size_t j = 0; j < i; ++j)
      (lines[i].drop > lines[j].drop ? concordant : discordant) += 1;
  }
  const double tau = (concordant - discordant) / (concordant + discordant);
  return {tau >= 0.5 ? Verdict::kHolds
          : tau > 0  ? Verdict::kInPart
                     : Verdict::kNot,
          number, fmt::format("order of gaps and of drops agree with Kendall's tau {:.2f}", tau)};
}

Measured threshold_transfer(const Bench& bench) {
  const auto one = [](const Pair& p, Rows rows, bool advantage) -> std::optional<double> {
    // 500 rows, or half of a smaller set, spread over the file.
    const std::size_t stride = std::max<std::size_t>(2, p.rows() / 500);
    const auto t = transfer(p, rows, 1, [&](std::size_t row) { return p.row[row] % stride == 0; });
    if (!t) return std::nullopt;
    return advantage ? t->advantage : t->drop_percent;
  };
  const Readings drop = over_pairs(bench, [&](const Pair& p, Rows r) { return one(p, r, false); });
  const Readings saved = over_pairs(bench, [&](const Pair& p, Rows r) { return one(p, r, true); });
  if (drop.empty()) return needs("outcomes of two arms")({});
  std::string broken;
  std::size_t kept = 0;
  for (const Reading& r : drop) {
    if (r.value <= 1.4) {
      ++kept;
    } else {
      broken += (broken.empty() ? "" : ", ") + r.set;
    }
  }
  return {kept == drop.size()      ? Verdict::kHolds
          : 2 * kept > drop.size() ? Verdict::kInPart
                                   : Verdict::kNot,
          "drop: " + list(drop, 1, "{:.1f}", " %") +
              " | fewer strong calls: " + list(saved, kPercent, "{:.0f}", " %"),
          broken.empty() ? std::string("no drop beyond the published 1.4 %")
                         : "a larger drop than the published 1.4 % on " + broken};
}

Measured prompt_once(const Bench& bench) {
  Readings missed;
  for (const Set& set : bench.sets) {
    double prompt = 0, answer = 0;
    for (std::size_t at = 0; at < set.table.prompt_tokens.size(); ++at) {
      if (set.table.prompt_tokens[at] < 0 || set.table.completion_tokens[at] < 0) continue;
      prompt += set.table.prompt_tokens[at];
      answer += set.table.completion_tokens[at];
    }
    if (!(answer > 0)) continue;
    // Five samples; a token written costs three read, the middle of today's price lists.
    const double once = prompt + 5 * 3 * answer, each = 5 * prompt + 5 * 3 * answer;
    const double value = each / once - 1;
    missed.push_back({set.name, value, value, value});
  }
  if (missed.empty()) return needs("outcomes with prompt and completion tokens")({});
  double worst = 0;
  std::string number;
  for (const Reading& r : missed) {
    worst = std::max(worst, r.value);
    number += fmt::format("{}{} +{:.0f} %", number.empty() ? "" : "; ", r.set, kPercent * r.value);
  }
  return {worst < 0.05   ? Verdict::kHolds
          : worst < 0.25 ? Verdict::kInPart
                         : Verdict::kNot,
          number,
          fmt::format("where each sample is billed with its prompt, five samples cost up to {:.0f} "
                      "% more than the claim's price (a token written at three times one read)",
                      kPercent * worst)};
}

}  // namespace

void add_pair_claims(std::vector<Claim>& out) {
  out.push_back(
      {"routellm-95-mtbench", "95 % of GPT-4's quality at a fraction of its cost",
       "up to 85 % cheaper (MT-Bench)", kRouteLlm, "page",
       "cost saved at 95 % of the best arm's score, router between the cheapest and the "
       "best arm, and a coin between them at the same score",
       [](const Bench& b) { return saving_beside_coin(all_pairs(b), 0.95, 0.85, b.options); }});
  out.push_back({"routellm-95-mmlu", "the same on MMLU", "45 % cheaper", kRouteLlm, "second-hand",
                 "the same, two-arm sets, all categories but gsm8k", [](const Bench& b) {
                   return saving_on(b, 0.45, [](std::string_view c) { return c != "gsm8k"; }, 2);
                 }});
  out.push_back({"routellm-95-gsm8k", "the same on GSM8K", "35 % cheaper", kRouteLlm, "second-hand",
                 "the same, two-arm sets, category gsm8k", [](const Bench& b) {
                   return saving_on(b, 0.35, [](std::string_view c) { return c == "gsm8k"; }, 2);
                 }});
  out.push_back(
      {"routellm-2x", "over two times cheaper without loss of quality", "over 2x", kRouteLlm,
       "page", "cost saved at the full score of the best arm, pairs",
       [](const Bench& b) { return saving_beside_coin(all_pairs(b), 1.0, 0.5, b.options); }});
  out.push_back({"routellm-cpt", "half (80 %) of the gap with few strong calls",
                 "CPT50 13.4 %, CPT80 31.3 % (MT-Bench); a coin has 50 % and 80 %", kRouteLlm,
                 "second-hand", "share of strong calls that recovers half and 80 % of the gap",
                 call_thresholds});
  out.push_back({"routellm-apgr", "routers recover far more than a coin",
                 "APGR 0.802; a coin 0.500", kRouteLlm, "second-hand",
                 "APGR over all thresholds, pairs", apgr});
  out.push_back({"routellm-arena-only", "trained on arena battles alone, less",
                 "APGR: similarity 0.610, matrix 0.580, causal 0.573, BERT 0.391", kRouteLlm,
                 "memory", "",
                 needs("the battles of Chatbot Arena and MT-Bench's judged answers")});
  out.push_back({"routellm-threshold", "matrix router's threshold for half strong calls", "0.11593",
                 kRouteLlm, "page", "", needs("the published checkpoint and Arena's prompts")});
  out.push_back({"routellm-overhead", "routing costs little beside a call",
                 "USD 3.2 to 39 per million requests; 3 to 155 requests a second", kRouteLlm,
                 "second-hand", "", needs("the published routers on their hosts")});
  out.push_back({"routellm-commercial",
                 "fewer strong calls than commercial routers at equal quality",
                 "25.4 % against 45.6 %; 29.7 % against about 50 %", kRouteLlm, "page", "",
                 needs("MT-Bench's judged answers and the commercial routers' picks")});
  out.push_back({"hybrid-40", "fewer calls of the large model without a drop of quality",
                 "up to 40 % fewer", kHybrid, "page",
                 "threshold without a drop chosen on one half of the rows and used on the other, "
                 "both ways; a drop up to 1 % counts as none",
                 no_drop});
  out.push_back({"hybrid-gap", "the drop grows with the gap between the two models",
                 "drop at 40 % fewer calls: 0.0 %, 2.9 %, 10.3 %", kHybrid, "paper",
                 "gap of the pair and drop with 40 % of the calls to the weak arm", drop_by_gap});
  out.push_back({"hybrid-transfer", "a threshold for 1 % drop, from 500 rows, keeps its promise",
                 "drops of 1.39, 0.49 and 1.02 %", kHybrid, "paper",
                 "the same with 500 rows (or half of them), measured on the rest",
                 threshold_transfer});
  out.push_back(
      {"bestroute-60", "cheaper with less than 1 % drop, with models and numbers of samples",
       "up to 60 % cheaper", kBestRoute, "page",
       "cost saved at 99 % of the best single arm's score, all arms, one answer each (no "
       "arms of several samples: those need reward scores)",
       [](const Bench& b) {
         const Readings r =
             over_pools(b, [](const Set& s, Rows rows) { return pool_saving(s, rows, 0.99); });
         return judge_up_to(r, 0.6, 0, list(r, kPercent, "{:.0f}", " %"));
       }});
  out.push_back({"bestroute-prompt-once", "five samples cost their prompt once",
                 "as priced in its code", kBestRoute, "code",
                 "what the bill is above that where the prompt is charged five times",
                 prompt_once});
}

}  // namespace rung::reproduce
