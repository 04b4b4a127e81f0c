// Claims on cascades: a cheap model answers first, a judge looks at the answer, and a dearer model
// is asked if it looks wrong. Outcomes have no judge, so what is measured is what a perfect one, or
// one that errs at a stated rate, would allow.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;

constexpr double kRight = 0.5;  // a score above it is a right answer

// The cascade from weak to strong whose judge calls a right answer wrong, and a wrong one right,
// with chance `error`; each call of the judge costs `judge` times the weak call.
outcomes::Point cascade(const Pair& pair, Rows rows, double error, double judge) {
  outcomes::Point out;
  for (const std::size_t row : rows) {
    const bool right = pair.weak_score[row] > kRight;
    const double up = right ? error : 1 - error;
    out.cost += pair.weak_cost[row] * (1 + judge) + up * pair.strong_cost[row];
    out.score += (1 - up) * pair.weak_score[row] + up * pair.strong_score[row];
  }
  out.cost /= static_cast<double>(rows.size());
  out.score /= static_cast<double>(rows.size());
  return out;
}

// Share of all-strong's cost that a perfect judge saves at all-strong's score: it escalates only
// where that helps, where it helps most for the money, and no more than needed.
std::optional<double> perfect_saving(const Pair& pair, Rows rows, double judge) {
  const PairMeans m = means(pair, rows);
  if (!(m.strong > m.weak) || !(m.strong_cost > 0)) return std::nullopt;
  struct Step {
    double gain, cost;
  };
  std::vector<Step> steps;
  for (const std::size_t row : rows) {
    const double gain = pair.strong_score[row] - pair.weak_score[row];
    if (gain > 0) steps.push_back({gain, pair.strong_cost[row]});
  }
  std::sort(steps.begin(), steps.end(),
            [](const Step& a, const Step& b) { return a.gain * b.cost > b.gain * a.cost; });
  const auto n = static_cast<double>(rows.size());
  double score = m.weak, cost = m.weak_cost * (1 + judge);
  for (const Step& step : steps) {
    if (score >= m.strong - 1e-12) break;
    score += step.gain / n;
    cost += step.cost / n;
  }
  return 1 - cost / m.strong_cost;
}

// A bound cannot confirm a claim, only leave room for it or refute it.
Measured bound(const Bench& bench, double published, double judge) {
  const Readings r =
      over_pairs(bench, [&](const Pair& p, Rows rows) { return perfect_saving(p, rows, judge); });
  if (r.empty()) return needs("outcomes of a cheap and a better, dearer arm")({});
  std::string room;
  for (const Reading& one : r) {
    if (one.high >= published) room += (room.empty() ? "" : ", ") + one.set;
  }
  return {room.empty() ? Verdict::kNot : Verdict::kInPart,
          "at most: " + list(r, kPercent, "{:.0f}", " %"),
          room.empty() ? std::string("even a judge that never errs saves less on every set")
                       : "a judge that never errs leaves room for it on " + room +
                             "; how good a real judge is, these outcomes do not say"};
}

Measured more_at_equal_cost(const Bench& bench) {
  const Readings r = over_pairs(bench, [](const Pair& p, Rows rows) -> std::optional<double> {
    const PairMeans m = means(p, rows);
    const outcomes::Point c = cascade(p, rows, 0, 0);
    if (!(m.strong > m.weak) || c.cost > m.strong_cost) return std::nullopt;
    return c.score / m.strong - 1;
  });
  if (r.empty())
    return needs("a pair on which a perfect cascade costs no more than always strong")({});
  std::string room;
  for (const Reading& one : r) {
    if (one.high >= 0.04) room += (room.empty() ? "" : ", ") + one.set;
  }
  return {room.empty() ? Verdict::kNot : Verdict::kInPart,
          "at most: " + list(r, kPercent, "{:+.1f}", " %"),
          room.empty() ? std::string("even a judge that never errs adds less")
                       : "room for it, with a judge that never errs, on " + room};
}

// The router between the same two arms, at no more than this mean cost.
double router_at(std::span<const outcomes::Point> curve, double cost) {
  double best = curve.front().score;
  for (const outcomes::Point& p : curve) {
    if (p.cost <= cost) best = std::max(best, p.score);
  }
  return best;
}

struct Duel {
  std::string set;
  double break_even = -1;  // greatest error at which the cascade is no worse; -1: at none
  double at_typical = 0;   // router minus cascade at an error of 0.2, equal cost
};

std::vector<Duel> duels(const Bench& bench) {
  std::vector<Duel> out;
  for (const Set& set : bench.sets) {
    if (!set.pair) continue;
    const Pair& p = *set.pair;
    std::vector<std::size_t> all(p.rows());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const PairMeans m = means(p, all);
    if (!(m.strong > m.weak)) continue;
    const auto curve = pair_curve(p, all);
    Duel duel{set.name, -1, 0};
    for (int step = 0; step <= 50; ++step) {
      const double error = 0.01 * step;
      const outcomes::Point c = cascade(p, all, error, 0);
      const double behind = router_at(curve, c.cost) - c.score;
      if (step == 20) duel.at_typical = behind;
      if (behind <= 0) duel.break_even = error;
    }
    out.push_back(std::move(duel));
  }
  return out;
}

Measured judge_error(const Bench& bench) {
  const auto all = duels(bench);
  if (all.empty()) return needs("outcomes of a cheap and a better, dearer arm")({});
  std::string number;
  std::size_t kept = 0, some = 0;
  for (const Duel& d : all) {
    number +=
        fmt::format("{}{} {}", number.empty() ? "" : "; ", d.set,
                    d.break_even < 0 ? "at no error" : fmt::format("up to {:.2f}", d.break_even));
    kept += d.break_even >= 0.1 ? 1 : 0;
    some += d.break_even >= 0 ? 1 : 0;
  }
  return {2 * kept > all.size() ? Verdict::kHolds
          : some > 0            ? Verdict::kInPart
                                : Verdict::kNot,
          number,
          fmt::format("a cascade with a judge that costs nothing is no worse than the router at "
                      "errors up to 0.1 or more on {} of {}",
                      kept, all.size())};
}

Measured router_wins(const Bench& bench) {
  const auto all = duels(bench);
  if (all.empty()) return needs("outcomes of a cheap and a better, dearer arm")({});
  std::string number;
  std::size_t wins = 0;
  for (const Duel& d : all) {
    number += fmt::format("{}{} {:+.1f}", number.empty() ? "" : "; ", d.set, 100 * d.at_typical);
    wins += d.at_typical > 0 ? 1 : 0;
  }
  return {2 * wins > all.size() ? Verdict::kHolds
          : wins > 0            ? Verdict::kInPart
                                : Verdict::kNot,
          "router minus cascade, points: " + number,
          fmt::format("the router wins on {} of {} at equal cost against a judge that errs on a "
                      "fifth of the answers and costs nothing",
                      wins, all.size())};
}

// Perfect judge over arms in order of cost, ending at the best single arm.
double chain_cost(const outcomes::Estimated& data, const std::vector<std::size_t>& chain) {
  double cost = 0, rows = 0;
  for (std::size_t row = 0; row < data.rows; ++row) {
    const bool known = std::all_of(chain.begin(), chain.end(),
                                   [&](std::size_t arm) { return data.usable(row, arm); });
    if (!known) continue;
    rows += 1;
    for (const std::size_t arm : chain) {
      cost += static_cast<double>(data.cost[data.cell(row, arm)]);
      if (static_cast<double>(data.score[data.cell(row, arm)]) > kRight) break;
    }
  }
  return rows > 0 ? cost / rows : std::numeric_limits<double>::infinity();
}

Measured longer_chains(const Bench& bench) {
  std::string number;
  std::size_t sets = 0, little = 0;
  for (const Set& set : bench.sets) {
    const outcomes::Estimated data = set.data();
    const std::size_t best = set.comparison.best;
    const double all_best = set.comparison.arms[best].mean.cost;
    if (data.arms < 3 || set.comparison.cheapest == best || !(all_best > 0)) continue;
    double pair = all_best, triple = all_best;
    for (std::size_t a = 0; a < data.arms; ++a) {
      if (a == best) continue;
      pair = std::min(pair, chain_cost(data, {a, best}));
      for (std::size_t b = 0; b < data.arms; ++b) {
        if (b != a && b != best) triple = std::min(triple, chain_cost(data, {a, b, best}));
      }
    }
    ++sets;
    const double two = 1 - pair / all_best, three = std::max(two, 1 - triple / all_best);
    little += three - two <= 0.05 ? 1 : 0;
    number += fmt::format("{}{} {:.0f} % with two, {:.0f} % with three", number.empty() ? "" : "; ",
                          set.name, kPercent * two, kPercent * three);
  }
  if (sets == 0) return needs("outcomes of three or more arms")({});
  return {little == sets ? Verdict::kHolds
          : little > 0   ? Verdict::kInPart
                         : Verdict::kNot,
          "cost saved: " + number,
          fmt::format("a third arm saves at most 5 points more on {} of {} sets, with a judge that "
                      "never errs (which favours long chains)",
                      little, sets)};
}

}  // namespace

void add_cascade_claims(std::vector<Claim>& out) {
  constexpr std::string_view frugal = "FrugalGPT, arXiv 2305.05176";
  constexpr std::string_view automix = "AutoMix, arXiv 2310.12963";
  out.push_back({"frugalgpt-98", "a cascade as accurate as GPT-4 for a fraction of its cost",
                 "up to 98 % cheaper (HEADLINES; 73 % and 59 % on two others)", frugal, "page",
                 "bound: cost saved at the best arm's score by a judge that never errs and costs "
                 "nothing, from the cheapest arm to the best",
                 [](const Bench& b) { return bound(b, 0.98, 0); }});
  out.push_back({"frugalgpt-4", "or more accurate at the same cost", "+4 % accuracy", frugal,
                 "page", "bound: score of that cascade over the best arm's, where it costs no more",
                 more_at_equal_cost});
  out.push_back({"automix-50", "a model that verifies itself saves half the computation",
                 "over 50 % saved at comparable performance", automix, "page",
                 "the same bound, with a judge that costs as much as the cheap answer",
                 [](const Bench& b) { return bound(b, 0.5, 1); }});
  out.push_back(
      {"cascade-judge-error", "a cascade beats routers while its judge errs little",
       "up to an error of 0.1 to 0.2", "RouterBench, arXiv 2403.12031", "memory",
       "greatest error of a free judge at which the cascade scores no less than the router "
       "at its cost, same two arms",
       judge_error});
  out.push_back({"router-beats-cascade",
                 "a light router beats the best cascade, which always pays "
                 "the cheap model first",
                 "on 4 of 5 data sets", "arXiv 2605.06350", "paper",
                 "router minus cascade at equal cost, with a free judge that errs at 0.2",
                 router_wins});
  out.push_back({"longer-chains", "longer chains add nothing over the best pair", "(effect)",
                 "arXiv 2605.06350", "paper",
                 "cost saved by the best chain of two and of three arms, judge that never errs",
                 longer_chains});
}

}  // namespace rung::reproduce
