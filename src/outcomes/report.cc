#include "outcomes/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "json/write.h"
#include "outcomes/report_literature.h"
#include "outcomes/report_worth.h"

namespace rung::outcomes {
namespace {

std::string row(std::string_view name, const Point& point, std::string_view remark) {
  return fmt::format("  {:<36} {:>9} {:>12}  {}\n", name,
                     number_or_dash("{:.2f}", 100 * point.score),
                     number_or_dash("{:.4f}", 1000 * point.cost), remark);
}

void point(json::Writer& w, std::string_view key, const Point& p) {
  w.key(key).begin_object().key("score").number(p.score).key("cost").number(p.cost).end_object();
}

void points(json::Writer& w, std::string_view key, std::span<const Point> all) {
  w.key(key).begin_array();
  for (const Point& p : all)
    w.begin_object().key("cost").number(p.cost).key("score").number(p.score).end_object();
  w.end_array();
}

void gain_fields(json::Writer& w, const HullGain& gain) {
  w.key("hull_gain").number(gain.gain).key("hull_gain_se").number(gain.se);
  w.key("hull_gain_low").number(gain.low).key("hull_gain_high").number(gain.high);
}

}  // namespace

std::vector<std::size_t> by_cost(const Comparison& comparison) {
  const auto cost = [&](std::size_t i) {
    const double mean = comparison.arms[i].mean.cost;
    return std::isfinite(mean) ? mean : std::numeric_limits<double>::infinity();
  };
  std::vector<std::size_t> order(comparison.arms.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cost(a) < cost(b); });
  return order;
}

std::string number_or_dash(std::string_view form, double value) {
  return std::isfinite(value) ? fmt::format(fmt::runtime(form), value) : "–";
}

std::string report_text(const Comparison& c, const ReportContext& context) {
  const HullGain& gain = c.gain;
  std::string out = fmt::format("{}\n\n{}  on {} rows, {} arms\n", verdict(c), context.router,
                                gain.rows_used, c.arms.size());
  out += fmt::format("  {:<36} {:>9} {:>12}\n", "", "score", "USD / 1000");
  for (const std::size_t i : by_cost(c)) {
    const ArmSummary& arm = c.arms[i];
    out += row(
        arm.name, arm.mean,
        fmt::format("{:>5.1f} % of picks{}{}", 100 * arm.share,
                    arm.on_hull ? ", on the static hull" : "", i == c.best ? ", best single" : ""));
  }
  out += row("random arm", c.random, "");
  out += row("router, with these picks", c.operating.mean,
             fmt::format("{:.6g} USD per point",
                         c.operating.lambda > 0 ? 0.01 / c.operating.lambda : 0.0));
  out += row("oracle", c.oracle, "");
  out += fmt::format("\n  {:<36} {:>9} {:>12} {:>12}\n", "mean cost, USD / 1000", "router",
                     "static hull", "difference");
  for (const AtBudget& at : c.at_budgets) {
    out += fmt::format("  {:<36.4f} {:>9.2f} {:>12.2f} {:>+12.2f}\n", 1000 * at.cost,
                       100 * at.router, 100 * at.fixed, 100 * (at.router - at.fixed));
  }
  out += fmt::format(
      "\n  hull gain            {:.2f} points, standard error {:.2f}, 95 % interval {:.2f} to "
      "{:.2f}\n",
      100 * gain.gain, 100 * gain.se, 100 * gain.low, 100 * gain.high);
  if (c.task_label)
    out += fmt::format("  with the task label  {:.2f} points, standard error {:.2f}\n",
                       100 * c.task_label->gain, 100 * c.task_label->se);
  out += c.match_best_cost
             ? fmt::format("  match-best cost      {:.4f} USD / 1000\n", 1000 * *c.match_best_cost)
             : std::string("  match-best cost      never reaches the best single arm\n");
  out += fmt::format(
      "  calibration error    {:.3f} (quality);  cost estimates are off by {:.0f} % on average\n",
      c.calibration.ece, 100 * c.calibration.cost_ratio_error);
  out += literature_text(c);
  for (const std::string& note : context.notes) out += fmt::format("  note: {}\n", note);
  if (c.worth) out += worth_text(*c.worth);
  return out;
}

std::string report_json(const Comparison& c, const ReportContext& context) {
  const HullGain& gain = c.gain;
  json::Writer w;
  w.begin_object().key("router").string(context.router).key("files").begin_array();
  for (const std::string& file : context.files) w.string(file);
  w.end_array().key("rows").number(gain.rows_used).key("missing_cells").number(gain.missing_cells);
  gain_fields(w, gain);
  w.key("worth_routing").boolean(worth_routing(c)).key("verdict").string(verdict(c));
  w.key("best_single")
      .string(c.arms[c.best].name)
      .key("cheapest_single")
      .string(c.arms[c.cheapest].name);
  w.key("match_best_cost").number_or_null(c.match_best_cost);
  w.key("task_label");
  if (c.task_label) {
    w.begin_object();
    gain_fields(w, *c.task_label);
    points(w, "curve", c.task_label->router.vertices());
    w.end_object();
  } else {
    w.null();
  }
  point(w, "random", c.random);
  point(w, "oracle", c.oracle);
  w.key("operating_point").begin_object().key("lambda").number(c.operating.lambda);
  w.key("cost")
      .number(c.operating.mean.cost)
      .key("score")
      .number(c.operating.mean.score)
      .end_object();
  w.key("calibration").begin_object().key("quality_ece").number(c.calibration.ece);
  w.key("cost_ratio_error").number(c.calibration.cost_ratio_error).end_object();
  literature_json(c, w);
  if (c.worth) worth_json(*c.worth, w);
  w.key("arms").begin_array();
  for (const ArmSummary& arm : c.arms) {
    w.begin_object()
        .key("name")
        .string(arm.name)
        .key("score")
        .number(arm.mean.score)
        .key("cost")
        .number(arm.mean.cost);
    w.key("share").number(arm.share).key("on_static_hull").boolean(arm.on_hull).end_object();
  }
  w.end_array();
  points(w, "static_hull", gain.static_hull.vertices());
  points(w, "router_hull", gain.router.vertices());
  points(w, "oracle_curve", c.oracle_curve);
  w.key("curve").begin_array();
  for (std::size_t i = 0; i < gain.budgets.size(); ++i) {
    w.begin_object().key("cost").number(gain.budgets[i]).key("router").number(gain.router_score[i]);
    w.key("static").number(gain.static_score[i]);
    if (!gain.router_low.empty())
      w.key("low").number(gain.router_low[i]).key("high").number(gain.router_high[i]);
    w.end_object();
  }
  w.end_array().key("notes").begin_array();
  for (const std::string& note : context.notes) w.string(note);
  w.end_array().end_object();
  return w.take() + "\n";
}

}  // namespace rung::outcomes
