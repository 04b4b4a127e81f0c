#include "reproduce/page.h"

#include <fmt/format.h>

#include <array>

#include "outcomes/chart.h"

namespace rung::reproduce {
namespace {

constexpr std::array kVerdicts{Verdict::kHolds, Verdict::kInPart, Verdict::kNot,
                               Verdict::kUntestable};

std::size_t count(const std::vector<Row>& rows, Verdict verdict) {
  std::size_t n = 0;
  for (const Row& row : rows) n += row.measured.verdict == verdict ? 1 : 0;
  return n;
}

std::string counts(const std::vector<Row>& rows) {
  std::string out;
  for (const Verdict v : kVerdicts)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count(rows, v), text(v));
  return out;
}

std::string explain(const Options& options) {
  return fmt::format(
      "Each outcome file was split ({:.0f} % measured on, near-duplicates together, seed {}), one "
      "router was trained on the rest with rung's own method, and every number is of that router "
      "on "
      "the part that it has not seen, with a 95 % interval from {} resamples. The published "
      "routers "
      "themselves did not run: a row says whether the claim shows on this data, not whether the "
      "paper's own experiment repeats. Settings are read off the measured part's own curve, as in "
      "most of the papers, unless the row says how they were chosen.",
      100 * options.fraction, options.seed, options.bootstrap);
}

/// Safe inside a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += "\\|";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '\n') {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6576;--line:#e3e7ee;--page:#fff;--card:#f6f8fb;--good:#12805c;--part:#9a6200;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#98a3b5;--line:#2b3342;--page:#11151c;--card:#191f29;--good:#4fc79a;--part:#f0b45a;--bad:#ff8a80}}
body{margin:0 auto;max-width:1180px;padding:32px 20px 56px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:32px 0 8px}.sub{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:left;vertical-align:top;padding:6px 10px;border-bottom:1px solid var(--line)}th{color:var(--soft)}
td:nth-child(1){min-width:200px}td:nth-child(3){min-width:260px}td:nth-child(4){min-width:190px}tr:target{background:var(--card)}
.v{font-weight:600;white-space:nowrap}.holds{color:var(--good)}.part{color:var(--part)}.not{color:var(--bad)}.untested{color:var(--soft)}
.figures{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}.figures div{flex:1 1 140px;background:var(--card);border-radius:6px;padding:10px 14px}.figures b{display:block;font-size:20px}
)";

std::string_view colour(Verdict v) {
  switch (v) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kInPart:
      return "part";
    case Verdict::kNot:
      return "not";
    case Verdict::kUntestable:
      return "untested";
  }
  return "";
}

}  // namespace

std::string page_markdown(const Bench& bench, const std::vector<Row>& rows) {
  std::string out =
      fmt::format("# What the literature says of routing, on this data\n\n{} claims: {}.\n\n{}\n",
                  rows.size(), counts(rows), explain(bench.options));
  out +=
      "\n| set | trained on | measured on | arms | weak, strong | hull gain "
      "|\n|---|---|---|---|---|---|\n";
  for (const Set& set : bench.sets) {
    const auto& gain = set.comparison.gain;
    out += fmt::format(
        "| {} | {} | {} | {} | {} | {:.2f} ({:.2f} to {:.2f}){} |\n", cell(set.name),
        set.train_rows, set.table.rows(), set.table.arm_count(),
        set.pair ? cell(set.arm(set.pair->weak) + ", " + set.arm(set.pair->strong)) : "–",
        100 * gain.gain, 100 * gain.low, 100 * gain.high, set.is_static ? ", static" : "");
  }
  for (const SampleSet& set : bench.samples)
    out += fmt::format("| {} (samples) | – | {} | {} | – | – |\n", cell(set.name),
                       set.samples.items.size(), set.samples.models.size());
  out += "\n| claim | published | measured here | verdict | source |\n|---|---|---|---|---|\n";
  for (const Row& row : rows) {
    const Claim& c = *row.claim;
    out += fmt::format(
        "| <a id=\"{0}\"></a>`{0}`: {1} | {2} | {3}{4} | **{5}**: {6} | {7} ({8}) |\n", c.id,
        cell(c.claim), cell(c.published),
        cell(row.measured.number.empty() ? "–" : row.measured.number),
        c.test.empty() || row.measured.number.empty() ? std::string() : " *(" + cell(c.test) + ")*",
        text(row.measured.verdict), cell(row.measured.reason), cell(c.source), c.checked);
  }
  out += "\nHow the published number was checked:";
  for (const auto& [word, meaning] : checked_words())
    out += fmt::format(" *{}*: {};", word, meaning);
  out.back() = '.';
  out += "\n";
  for (const std::string& note : bench.notes) out += "\nNote: " + cell(note) + "\n";
  return out;
}

std::string page_html(const Bench& bench, const std::vector<Row>& rows) {
  using outcomes::escape_html;
  std::string out =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content='width=device-width,initial-scale=1'><title>Rung: claims of the "
      "literature</title><style>";
  out += kStyle;
  out += fmt::format(
      "</style></head><body>\n<h1>What the literature says of routing, on this data</h1>\n<p "
      "class=sub>{}</p>\n<div class=figures>",
      escape_html(explain(bench.options)));
  for (const Verdict v : kVerdicts)
    out += fmt::format("<div><b class={}>{}</b>{}</div>", colour(v), count(rows, v), text(v));
  out +=
      "</div>\n<h2>Sets</h2><div class=scroll><table><tr><th>set</th><th>trained "
      "on</th><th>measured "
      "on</th><th>arms</th><th>weak, strong</th><th>hull gain, points</th></tr>\n";
  for (const Set& set : bench.sets) {
    const auto& gain = set.comparison.gain;
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.2f} ({:.2f} to "
        "{:.2f})</td></tr>\n",
        escape_html(set.name), set.train_rows, set.table.rows(), set.table.arm_count(),
        set.pair ? escape_html(set.arm(set.pair->weak) + ", " + set.arm(set.pair->strong)) : "–",
        100 * gain.gain, 100 * gain.low, 100 * gain.high);
  }
  for (const SampleSet& set : bench.samples)
    out += fmt::format(
        "<tr><td>{} (samples)</td><td>–</td><td>{}</td><td>{}</td><td></td><td></td></tr>\n",
        escape_html(set.name), set.samples.items.size(), set.samples.models.size());
  out +=
      "</table></div>\n<h2>Claims</h2><div class=scroll><table><tr><th>claim</th><th>published</th>"
      "<th>measured here</th><th>verdict</th><th>source</th></tr>\n";
  for (const Row& row : rows) {
    const Claim& c = *row.claim;
    out += fmt::format(
        "<tr id='{}'><td>{}</td><td>{}</td><td>{}{}</td><td><span class='v {}'>{}</span><br>{}</td>"
        "<td>{}<br><span class=sub>{}</span></td></tr>\n",
        c.id, escape_html(c.claim), escape_html(c.published),
        escape_html(row.measured.number.empty() ? "–" : row.measured.number),
        c.test.empty() || row.measured.number.empty()
            ? std::string()
            : fmt::format("<br><span class=sub>{}</span>", escape_html(c.test)),
        colour(row.measured.verdict), text(row.measured.verdict), escape_html(row.measured.reason),
        escape_html(c.source), c.checked);
  }
  out += "</table></div>\n<p class=sub>How the published number was checked:";
  for (const auto& [word, meaning] : checked_words())
    out += fmt::format(" <b>{}</b> {};", word, meaning);
  out.back() = '.';
  out += "</p>\n";
  for (const std::string& note : bench.notes)
    out += fmt::format("<p class=sub>Note: {}</p>\n", escape_html(note));
  return out + "</body></html>\n";
}

std::string summary(const Bench& bench, const std::vector<Row>& rows) {
  std::string out =
      fmt::format("{} outcome sets, {} sample sets\n\n", bench.sets.size(), bench.samples.size());
  for (const Row& row : rows) {
    out += fmt::format("  {:<24} {:<18} {}\n", row.claim->id, text(row.measured.verdict),
                       row.measured.reason);
  }
  out += fmt::format("\n{} claims: {}\n", rows.size(), counts(rows));
  for (const std::string& note : bench.notes) out += "note: " + note + "\n";
  return out;
}

}  // namespace rung::reproduce
