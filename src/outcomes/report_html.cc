#include "outcomes/report_html.h"

#include <fmt/format.h>

#include "outcomes/chart.h"
#include "outcomes/report_literature.h"
#include "outcomes/report_worth.h"

namespace rung::outcomes {
namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6576;--line:#e3e7ee;--page:#fff;--card:#f6f8fb;--router:#1463d8;--static:#c2570c;--oracle:#7b8494;--label:#12805c;--good:#12805c;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#98a3b5;--line:#2b3342;--page:#11151c;--card:#191f29;--router:#6aa5ff;--static:#f3954a;--oracle:#8c97a8;--label:#4fc79a;--good:#4fc79a;--bad:#ff8a80}}
body{margin:0 auto;max-width:1000px;padding:32px 20px 56px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:32px 0 8px}p{margin:4px 0}.sub{color:var(--soft);font-size:13px;overflow-wrap:anywhere}
.verdict{margin:18px 0;padding:12px 16px;border-left:4px solid var(--soft);background:var(--card);border-radius:4px;font-weight:600}.verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}
.figures{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}.figures div{flex:1 1 150px;background:var(--card);border-radius:6px;padding:10px 14px}.figures b{display:block;font-size:20px}.figures span{color:var(--soft);font-size:12px}
svg{width:100%;min-width:660px;height:auto;display:block}svg text{font:12px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--ink)}svg .name{paint-order:stroke;stroke:var(--page);stroke-width:3px;stroke-linejoin:round}svg .tick,svg .axis,svg .faint{fill:var(--soft)}
.grid{stroke:var(--line)}path{fill:none;stroke-width:2.5;stroke-linejoin:round}path.router{stroke:var(--router)}path.static{stroke:var(--static);stroke-dasharray:7 4}path.oracle{stroke:var(--oracle);stroke-width:1.5;stroke-dasharray:2 4}path.label{stroke:var(--label);stroke-width:1.8}
path.band{fill:var(--router);opacity:.16;stroke:none}circle{stroke:var(--page);stroke-width:1.5}circle.router{fill:none;stroke:var(--router);stroke-width:2.5}circle.single{fill:var(--soft)}circle.hull{fill:var(--static)}circle.random{fill:var(--page);stroke:var(--soft)}
.key{display:flex;flex-wrap:wrap;gap:6px 20px;color:var(--soft);font-size:13px;margin:6px 0 0}.key i{display:inline-block;width:24px;border-top:3px solid;vertical-align:middle;margin-right:6px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;white-space:nowrap}th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}td.remark,th.remark{text-align:left;color:var(--soft);padding-left:24px}
@media(max-width:560px){body{padding:20px 12px 40px}.figures{display:grid;grid-template-columns:1fr 1fr}th,td{padding:5px 6px}table{font-size:13px}}
)";

/// A number and its percent sign never part at the end of a line.
std::string together(std::string text) {
  for (std::size_t at = 0; (at = text.find(" %", at)) != std::string::npos;)
    text.replace(at, 1, "&nbsp;");
  return text;
}

std::string figure(std::string_view value, std::string_view name) {
  return fmt::format("<div><b>{}</b><span>{}</span></div>", value, name);
}

std::string key(std::string_view colour, std::string_view dash, std::string_view name) {
  return fmt::format("<span><i style='color:var(--{});border-top-style:{}'></i>{}</span>", colour,
                     dash, name);
}

std::string arms_table(const Comparison& c) {
  std::string out =
      "<h2>Single arms</h2><div class=scroll><table><tr><th>arm</th><th>score</th><th>USD / "
      "1,000</th><th>share of picks</th><th class=remark></th></tr>\n";
  const auto row = [&](std::string_view name, const Point& p, std::string_view share,
                       std::string_view remark) {
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=remark>{}</td></tr>\n",
        escape_html(name), number_or_dash("{:.2f}", 100 * p.score),
        number_or_dash("{:.4f}", 1000 * p.cost), share, remark);
  };
  for (const std::size_t i : by_cost(c)) {
    const ArmSummary& arm = c.arms[i];
    row(arm.name, arm.mean, fmt::format("{:.1f} %", 100 * arm.share),
        i == c.best   ? "static hull, best single"
        : arm.on_hull ? "static hull"
                      : "");
  }
  row("random arm", c.random, "", "");
  row("router, with these picks", c.operating.mean, "100 %",
      c.operating.lambda > 0 ? fmt::format("at {:.6g} USD a point", 0.01 / c.operating.lambda)
                             : std::string());
  row("oracle", c.oracle, "", "");
  return out + "</table></div>\n";
}

std::string budgets_table(const Comparison& c) {
  std::string out =
      "<h2>At a budget</h2><div class=scroll><table><tr><th>USD / "
      "1,000</th><th>router</th><th>static hull</th><th>difference</th></tr>\n";
  for (const AtBudget& at : c.at_budgets) {
    out +=
        fmt::format("<tr><td>{:.4f}</td><td>{:.2f}</td><td>{:.2f}</td><td>{:+.2f}</td></tr>\n",
                    1000 * at.cost, 100 * at.router, 100 * at.fixed, 100 * (at.router - at.fixed));
  }
  return out + "</table></div>\n";
}

}  // namespace

std::string report_html(const Comparison& c, const ReportContext& context) {
  const HullGain& gain = c.gain;
  std::string files;
  for (const std::string& file : context.files) files += (files.empty() ? "" : ", ") + file;
  std::string out =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content='width=device-width,initial-scale=1'><title>Rung: router evaluation</title><style>";
  out += kStyle;
  out += fmt::format(
      "</style></head><body>\n<h1>Is routing worth it?</h1>\n<p class=sub>{} on {} ({} rows, {} "
      "arms)</p>\n",
      escape_html(context.router), escape_html(files), gain.rows_used, c.arms.size());
  out += fmt::format("<p class='verdict {}'>{}</p>\n<div class=figures>",
                     worth_routing(c)          ? "good"
                     : gain.high < -kGainNoise ? "bad"
                                               : "",
                     together(escape_html(verdict(c))));
  out += figure(fmt::format("{:+.2f} &plusmn; {:.2f}", 100 * gain.gain, 100 * gain.se),
                "hull gain, points &plusmn; standard error");
  out +=
      figure(c.match_best_cost
                 ? fmt::format("{:.0f} %", 100 * *c.match_best_cost / gain.static_hull.best().cost)
                 : "never",
             "of the best single arm's cost to match its score");
  out +=
      figure(fmt::format("{:.3f}", c.calibration.ece), "calibration error of quality (0 is best)");
  out += figure(fmt::format("{:.0f} %", 100 * c.calibration.cost_ratio_error),
                "mean error of cost estimates");
  out += "</div>\n<div class=scroll>" + cost_quality_chart(c) + "</div><p class=key>";
  out += key("router", "solid", "router, 95 % band") +
         key("static", "dashed", "static hull: best fixed mixtures");
  if (c.task_label)
    out += key("label", "solid",
               fmt::format("true task label ({:+.2f} points)", 100 * c.task_label->gain));
  out += key("oracle", "dotted", "oracle") + "</p>\n";
  if (c.worth) out += worth_html(*c.worth);
  out += budgets_table(c) + arms_table(c) + literature_html(c);
  for (const std::string& note : context.notes)
    out += fmt::format("<p class=sub>Note: {}</p>\n", escape_html(note));
  out +=
      "<p class=sub>Hull gain: mean, over budgets evenly spaced between the cheapest arm and the "
      "best single arm, of the router's score minus the best fixed mixture's. Intervals: paired "
      "bootstrap over queries.</p>\n</body></html>\n";
  return out;
}

}  // namespace rung::outcomes
