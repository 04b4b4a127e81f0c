#include "outcomes/report_literature.h"

#include <fmt/format.h>

#include <cmath>

#include "outcomes/chart.h"

namespace rung::outcomes {
namespace {

std::string number(std::optional<double> value, int digits = 3) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "undefined";
}

std::string percent(std::optional<double> value) {
  if (!value) return "undefined";
  const double shown = std::round(1000 * *value) / 10;
  return fmt::format("{:.1f} %", shown == 0 ? 0.0 : shown);  // never "-0.0"
}

std::string never(std::optional<double> share) {
  return share ? fmt::format("{:.1f} %", 100 * *share) : "never";
}

void optimal(json::Writer& w, std::string_view key, const OptimalMetrics& metrics) {
  w.key(key).begin_object().key("selection").number_or_null(metrics.selection);
  w.key("cost").number_or_null(metrics.cost).key("accuracy").number_or_null(metrics.accuracy);
  w.key("queries").number(metrics.queries).end_object();
}

}  // namespace

std::string literature_text(const Comparison& c) {
  const Literature& l = c.literature;
  std::string out;
  if (l.pair) {
    out +=
        fmt::format("  RouteLLM             PGR {}, APGR {}, CPT 20/50/80 % at {}, {}, {} of {}\n",
                    number(l.pair->pgr), number(l.pair->apgr), never(l.pair->cpt20),
                    never(l.pair->cpt50), never(l.pair->cpt80), c.arms[l.pair->strong].name);
  }
  out += fmt::format("  RouterBench          AIQ {} (static hull {})\n", number(l.aiq.router),
                     number(l.aiq.static_hull));
  out += fmt::format(
      "  RouterArena          score {}; optimal arm picked {}, Opt.Cost {}, Opt.Acc {}\n",
      number(l.arena.score), percent(l.arena.optimal.selection), number(l.arena.optimal.cost),
      number(l.arena.optimal.accuracy));
  out += fmt::format(
      "  LLMRouterBench       Gain@R {}, Gain@B {}, Gap@O {}, PerfGain {}, CostSave {}\n",
      percent(l.llmrouterbench.gain_random), percent(l.llmrouterbench.gain_best),
      percent(l.llmrouterbench.gap_oracle), percent(l.llmrouterbench.perf_gain),
      percent(l.llmrouterbench.cost_save));
  out += fmt::format("  quality estimates    Brier {:.3f}, log loss {:.3f}\n", c.calibration.brier,
                     c.calibration.log_loss);
  return out;
}

void literature_json(const Comparison& c, json::Writer& w) {
  const Literature& l = c.literature;
  w.key("literature").begin_object().key("pair");
  if (l.pair) {
    w.begin_object().key("weak").string(c.arms[l.pair->weak].name);
    w.key("strong").string(c.arms[l.pair->strong].name).key("rows").number(l.pair->rows);
    w.key("pgr").number_or_null(l.pair->pgr).key("apgr").number_or_null(l.pair->apgr);
    w.key("cpt20").number_or_null(l.pair->cpt20).key("cpt50").number_or_null(l.pair->cpt50);
    w.key("cpt80").number_or_null(l.pair->cpt80).end_object();
  } else {
    w.null();
  }
  w.key("aiq").begin_object().key("x_max").number(l.aiq.x_max);
  w.key("router").number_or_null(l.aiq.router);
  w.key("static_hull").number_or_null(l.aiq.static_hull);
  w.key("router_over_range").number_or_null(l.aiq.router_over_range);
  w.key("static_hull_over_range").number_or_null(l.aiq.static_hull_over_range).end_object();
  w.key("routerarena").begin_object().key("score").number_or_null(l.arena.score);
  w.key("score_clamped").number_or_null(l.arena.score_clamped);
  w.key("cost_score").number_or_null(l.arena.cost_score);
  w.key("accuracy").number_or_null(l.arena.means.accuracy);
  w.key("usd_per_1000").number_or_null(l.arena.means.usd_per_1000);
  w.key("unpriced").number(l.arena.means.unpriced);
  optimal(w, "optimal", l.arena.optimal);
  optimal(w, "optimal_if_right", l.arena.optimal_if_right);
  w.end_object();
  const LlmRouterBenchReport& b = l.llmrouterbench;
  w.key("llmrouterbench").begin_object().key("gain_random").number_or_null(b.gain_random);
  w.key("gain_best").number_or_null(b.gain_best).key("gap_oracle").number_or_null(b.gap_oracle);
  w.key("perf_gain").number_or_null(b.perf_gain).key("cost_save").number_or_null(b.cost_save);
  w.key("pareto_dist").number_or_null(b.pareto_dist).end_object();
  w.key("brier").number(c.calibration.brier).key("log_loss").number(c.calibration.log_loss);
  w.end_object();
}

std::string literature_html(const Comparison& c) {
  const Literature& l = c.literature;
  std::string out =
      "<h2>In the measures of the literature</h2><div class=scroll><table><tr><th>measure</th>"
      "<th>value</th><th>source</th></tr>\n";
  const auto row = [&](std::string_view name, std::string_view value, std::string_view source) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(name), value,
                       source);
  };
  if (l.pair) {
    const std::string of =
        fmt::format("{} to {}", c.arms[l.pair->weak].name, c.arms[l.pair->strong].name);
    row("PGR, " + of, number(l.pair->pgr), "RouteLLM");
    row("APGR, " + of, number(l.pair->apgr), "RouteLLM");
    row("CPT 20 / 50 / 80 %, share of strong calls",
        never(l.pair->cpt20) + " / " + never(l.pair->cpt50) + " / " + never(l.pair->cpt80),
        "RouteLLM");
  }
  row("AIQ, router / static hull", number(l.aiq.router) + " / " + number(l.aiq.static_hull),
      "RouterBench");
  row("arena score", number(l.arena.score), "RouterArena");
  row("optimal arm picked", percent(l.arena.optimal.selection), "RouterArena");
  row("Opt.Cost, Opt.Acc", number(l.arena.optimal.cost) + ", " + number(l.arena.optimal.accuracy),
      "RouterArena");
  row("Gain@R, Gain@B, Gap@O",
      percent(l.llmrouterbench.gain_random) + ", " + percent(l.llmrouterbench.gain_best) + ", " +
          percent(l.llmrouterbench.gap_oracle),
      "LLMRouterBench");
  row("PerfGain, CostSave",
      percent(l.llmrouterbench.perf_gain) + ", " + percent(l.llmrouterbench.cost_save),
      "LLMRouterBench");
  row("ParetoDist", number(l.llmrouterbench.pareto_dist), "LLMRouterBench");
  row("Brier, log loss", number(c.calibration.brier) + ", " + number(c.calibration.log_loss), "");
  return out + "</table></div>\n";
}

}  // namespace rung::outcomes
