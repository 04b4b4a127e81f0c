#include "outcomes/report_worth.h"

#include <fmt/format.h>

#include "outcomes/chart.h"

namespace rung::outcomes {
namespace {

struct Line {
  std::string name, value, interval, remark;
};

Line line(std::string name, const Interval& i, double unit, std::string_view form,
          std::string remark) {
  const auto f = fmt::runtime(form);
  return {std::move(name), fmt::format(f, unit * i.value),
          fmt::format("{} to {}", fmt::format(f, unit * i.low), fmt::format(f, unit * i.high)),
          std::move(remark)};
}

std::string meaning(const GainSource& source) {
  const std::string alone =
      fmt::format("; alone {:.2f} ({:.2f} to {:.2f})", 100 * source.alone.value,
                  100 * source.alone.low, 100 * source.alone.high);
  if (source.name == "price") return "what a query is expected to cost" + alone;
  if (source.name == "difficulty") return "one number per query, for all arms" + alone;
  if (source.name == "task") return "which arm suits which category" + alone;
  return "what is left: this arm for this query" + alone;
}

std::vector<Line> lines_of(const Worth& w) {
  std::vector<Line> out;
  out.push_back(line("cost saved at the best single score, %", w.saving, 100, "{:.1f}",
                     w.reaches_best ? "of " + w.best : "never reaches " + w.best));
  out.push_back(line("points added at the best single cost", w.lift, 100, "{:+.2f}", ""));
  out.push_back(line("points added to the fixed mixture", w.hull_gain, 100, "{:+.2f}",
                     w.mixture_saving ? fmt::format("{:.1f} % of its cost at the same score",
                                                    100 * *w.mixture_saving)
                                      : "no mixture scores as much as the router"));
  for (const GainSource& source : w.sources)
    out.push_back(
        line("  of these from " + source.name, source.added, 100, "{:+.2f}", meaning(source)));
  if (w.effort) {
    out.push_back(line("  between arms of one model", *w.effort, 100, "{:+.2f}",
                       "effort or strategy; counted in the lines above"));
  }
  if (w.one_answer) {
    out.push_back(line("out of reach of the cheapest arm, %", w.one_answer->share, 100, "{:.1f}",
                       fmt::format("{} wrong, another arm not; at most this, from one answer each",
                                   w.one_answer->arm)));
  }
  if (w.sampled) {
    const SampledOutOfReach& s = *w.sampled;
    out.push_back(line(
        "out of reach of sampling, %", s.share, 100, "{:.1f}",
        fmt::format("none of {:.1f} samples of {}{} right, another model's is; {:.1f} % with one "
                    "sample, {:.1f} % with five",
                    s.samples, s.model, s.is_cheapest_arm ? "" : " (the cheapest arm is not there)",
                    100 * s.with_one, 100 * s.with_five)));
  }
  return out;
}

void interval(json::Writer& w, std::string_view key, const Interval& i) {
  w.key(key).begin_object().key("value").number(i.value);
  w.key("low").number(i.low).key("high").number(i.high).end_object();
}

}  // namespace

std::string worth_text(const Worth& worth) {
  std::string out =
      fmt::format("\n  {:<38} {:>8}  {:>16}\n", "is it worth it?", "", "95 % interval");
  for (const Line& l : lines_of(worth)) {
    out += fmt::format("  {:<38} {:>8}  {:>16}  {}\n", l.name, l.value, l.interval, l.remark);
    while (out.size() > 1 && out[out.size() - 2] == ' ') out.erase(out.size() - 2, 1);
  }
  return out + "\n" + worth.verdict + "\n";
}

void worth_json(const Worth& worth, json::Writer& w) {
  w.key("worth").begin_object().key("router").string(worth.worth_it ? "on" : "off");
  w.key("verdict").string(worth.verdict).key("best_single").string(worth.best);
  w.key("reaches_best_single").boolean(worth.reaches_best);
  interval(w, "saving_over_best_single", worth.saving);
  interval(w, "lift_over_best_single", worth.lift);
  interval(w, "hull_gain", worth.hull_gain);
  w.key("saving_over_mixture").number_or_null(worth.mixture_saving);
  w.key("sources").begin_array();
  for (const GainSource& source : worth.sources) {
    w.begin_object().key("name").string(source.name);
    interval(w, "added", source.added);
    interval(w, "alone", source.alone);
    w.end_object();
  }
  w.end_array();
  if (worth.effort) {
    interval(w, "effort", *worth.effort);
  } else {
    w.key("effort").null();
  }
  w.key("out_of_reach");
  if (worth.one_answer) {
    w.begin_object().key("arm").string(worth.one_answer->arm);
    w.key("rows").number(worth.one_answer->rows);
    interval(w, "share", worth.one_answer->share);
    w.end_object();
  } else {
    w.null();
  }
  w.key("out_of_reach_of_sampling");
  if (worth.sampled) {
    const SampledOutOfReach& s = *worth.sampled;
    w.begin_object().key("model").string(s.model).key("items").number(s.items);
    w.key("is_cheapest_arm").boolean(s.is_cheapest_arm).key("samples").number(s.samples);
    interval(w, "share", s.share);
    w.key("with_one").number(s.with_one).key("with_five").number(s.with_five).end_object();
  } else {
    w.null();
  }
  w.key("instead").begin_array();  // what to serve if the router is switched off, at its cost
  for (const WeightedArm& arm : worth.mixture)
    w.begin_object().key("arm").string(arm.name).key("weight").number(arm.weight).end_object();
  w.end_array().end_object();
}

std::string worth_html(const Worth& worth) {
  std::string out =
      fmt::format("<h2>Where the gain comes from</h2>\n<p class='verdict {}'>{}</p>\n",
                  worth.worth_it ? "good" : "bad", escape_html(worth.verdict));
  out +=
      "<div class=scroll><table><tr><th></th><th>value</th><th>95&nbsp;% interval</th><th "
      "class=remark></th></tr>\n";
  for (const Line& l : lines_of(worth)) {
    const bool part = l.name.starts_with("  ");
    out += fmt::format("<tr><td>{}{}</td><td>{}</td><td>{}</td><td class=remark>{}</td></tr>\n",
                       part ? "&emsp;" : "", escape_html(l.name.substr(part ? 2 : 0)), l.value,
                       l.interval, escape_html(l.remark));
  }
  return out + "</table></div>\n";
}

}  // namespace rung::outcomes
