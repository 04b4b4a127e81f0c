// Claims on function calling, retrieval, teams and sessions.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reproduce/measures.h"

namespace rung::reproduce {
namespace {

using Rows = std::span<const std::size_t>;

Measured small_calls_functions(const Bench& bench) {
  Readings all;
  std::string detail;
  for (const Set& set : bench.sets) {
    if (set.name.find("bfcl") == std::string::npos &&
        set.name.find("function") == std::string::npos)
      continue;
    const outcomes::Estimated data = set.data();
    const auto& arms = set.comparison.arms;
    const std::size_t best = set.comparison.best;
    std::size_t small = arms.size();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      if (!(arms[i].mean.cost <= 0.1 * arms[best].mean.cost)) continue;
      if (small == arms.size() || arms[i].mean.score > arms[small].mean.score) small = i;
    }
    if (small == arms.size()) continue;
    const auto r = read(
        set.name, data.rows,
        [&](Rows rows) -> std::optional<double> {
          double sum = 0, count = 0;
          for (const std::size_t row : rows) {
            if (!data.usable(row, small) || !data.usable(row, best)) continue;
            sum += static_cast<double>(data.score[data.cell(row, small)]) -
                   static_cast<double>(data.score[data.cell(row, best)]);
            count += 1;
          }
          if (count == 0) return std::nullopt;
          return sum / count;
        },
        bench.options);
    if (!r) continue;
    all.push_back(*r);
    detail += fmt::format("{}{} at {:.0f} % of the cost of {}", detail.empty() ? "" : "; ",
                          arms[small].name, kPercent * arms[small].mean.cost / arms[best].mean.cost,
                          arms[best].name);
  }
  if (all.empty())
    return needs("function-calling outcomes (outcomes-*bfcl*, outcomes-*function*)")({});
  const auto level = static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const Reading& r) { return r.low > -0.02; }));
  const auto near =
      std::count_if(all.begin(), all.end(), [](const Reading& r) { return r.high >= -0.02; });
  return {level == all.size() ? Verdict::kHolds
          : near > 0          ? Verdict::kInPart
                              : Verdict::kNot,
          list(all, 100, "{:+.1f}", " points"),
          detail + (level == all.size() ? "; surely within 2 points"
                    : near > 0          ? "; not surely within 2 points, nor surely outside"
                                        : "; surely more than 2 points below")};
}

Measured strategy_overhead(const Bench& bench) {
  Readings saved;
  for (const Set& set : bench.sets) {
    const auto& names = set.table.arms;
    const bool one_model =
        names.size() > 1 && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
          return outcomes::model_of(name) == outcomes::model_of(names[0]);
        });
    if (!one_model) continue;
    const auto r = read(
        set.name, set.table.rows(), [&](Rows rows) { return pool_saving(set, rows, 1.0); },
        bench.options);
    if (r) saved.push_back(*r);
  }
  if (saved.empty())
    return needs("outcomes of several strategies of one model (MODEL:strategy)")({});
  Measured out = judge_up_to(saved, 0.5207, 0, list(saved, kPercent, "{:.0f}", " %"));
  if (out.verdict == Verdict::kHolds) out.verdict = Verdict::kInPart;
  out.reason += "; two strategies, no team is drawn, so this can support the claim only in part";
  return out;
}

// What one turn costs on a warm prefix, and on another model that has to read it first.
Measured switch_price(const Bench&) {
  constexpr double kWarm = 0.1;                        // million tokens of prefix
  constexpr double kCached = 0.5, kIn = 5, kOut = 25;  // USD per million of the strong model
  const auto stay = [&](double out) { return kWarm * kCached + out * 1e-6 * kOut; };
  const auto leave = [&](double share, double write, double out) {
    return kWarm * kIn * share * write + out * 1e-6 * kOut * share;
  };
  const double a = leave(0.2, 1.25, 300), b = stay(300), c = leave(0.2, 1.25, 3000), d = stay(3000);
  const double e = leave(0.1, 1, 300);
  const bool same = std::abs(a - 0.127) < 0.001 && std::abs(b - 0.058) < 0.001 && c > d &&
                    std::abs(e - 0.051) < 0.001;
  return {
      same ? Verdict::kHolds : Verdict::kNot,
      fmt::format("300 tokens: USD {:.4f} to leave for a model at a fifth of the price, {:.4f} to "
                  "stay, {:.4f} to leave for one at a tenth without a write premium; 3,000 "
                  "tokens: {:.4f} to leave for a fifth, {:.4f} to stay",
                  a, b, e, c, d),
      "arithmetic: needs no data; prices and lengths as stated"};
}

Measured hifi_arithmetic(const Bench&) {
  const double rouge = 0.2739 / 0.2291 - 1, deberta = 0.6772 / 0.6375 - 1;
  return {Verdict::kUntestable,
          fmt::format("the published scores give {:+.1f} % and {:+.1f} %", kPercent * rouge,
                      kPercent * deberta),
          "needs a search backend, both models and references; only the arithmetic was checked"};
}

}  // namespace

void add_other_claims(std::vector<Claim>& out) {
  constexpr std::string_view dpo = "Manduzio et al., arXiv 2410.18890";
  constexpr std::string_view hifi = "HiFi-RAG, arXiv 2512.22442";
  constexpr std::string_view mas = "MasRouter, arXiv 2502.11133";
  out.push_back({"functions-trained", "preference pairs make a small model call functions better",
                 "direction only; no accuracy was recovered", dpo, "page", "",
                 needs("outcomes of the same model before and after training")});
  out.push_back({"functions-small",
                 "a small trained model can match large ones at calling functions",
                 "said of the paper; its abstract claims no parity", dpo, "inference",
                 "best arm at a tenth of the best one's cost or less, minus the best, on function "
                 "calls",
                 small_calls_functions});
  out.push_back({"functions-validator", "a format check is a free, exact judge for escalation",
                 "(design)", dpo, "inference", "",
                 needs("the calls themselves with their schemas, not only their scores")});
  out.push_back({"hifi-quality", "small models for the mechanical steps, large ones to write",
                 "ROUGE-L +19.6 %, DeBERTaScore +6.2 %", hifi, "page", "arithmetic of its table",
                 hifi_arithmetic});
  out.push_back({"hifi-cost", "cheaper than the large model throughout", "4 to 6x", hifi, "page",
                 "", needs("tokens of every step of the pipeline")});
  out.push_back({"hifi-filter", "a small model drops most sections",
                 "60.5 % of sections, 33.5 % of "
                 "URLs",
                 hifi, "second-hand", "", needs("a small model's judgements of sections")});
  out.push_back({"mas-quality", "choosing mode, roles and models together",
                 "MBPP +1.8 to 8.2 %; five sets 85.93 against 82.42", mas, "second-hand", "",
                 needs("runs of whole teams on the same queries")});
  out.push_back({"mas-overhead", "less overhead at the same quality", "up to 52.07 % (HumanEval)",
                 mas, "page",
                 "sets whose arms are strategies of one model: cost saved at the best one's score",
                 strategy_overhead});
  out.push_back({"mas-plugin", "less overhead in existing teams", "17.21 to 28.17 %", mas, "page",
                 "", needs("runs of existing teams with every call's cost")});
  out.push_back({"mas-agents", "more than six agents add little", "6 to 10 agents: 1.5x the cost",
                 mas, "second-hand", "", needs("runs with different numbers of agents")});
  out.push_back({"switch-price",
                 "leaving a warm prefix for a cheaper model can cost more than it "
                 "saves",
                 "USD 0.127 against 0.058 for one turn", "computed from list prices", "own",
                 "recomputed: 100,000 warm tokens, USD 5 / 0.5 cached / 25 per million",
                 switch_price});
  out.push_back({"warm-returns", "returning to a model mostly finds its cache warm",
                 "97.4 % of 4,684 switches back", "LiteLLM documentation, 2026-10-12", "vendor", "",
                 needs("sessions with cached-token counts and times")});
  out.push_back({"handoff-drift", "one handoff moves results by as much as a model tier",
                 "-8 to +13 points", "arXiv 2603.03111", "paper", "",
                 needs("sessions that were continued by another model")});
  out.push_back({"trajectory", "a few turns of the cheap model tell more than the prompt",
                 "3 to 4 turns are best", "SWE-Router, arXiv 2607.00053", "second-hand", "",
                 needs("trajectories of agents with their outcome")});
}

}  // namespace rung::reproduce
