#include "compare_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"

namespace rung::cli {
namespace {

std::string interval(const Interval& i) {
  if (i.low == i.high) return fmt::format("{:+.2f}", 100 * i.value);  // nothing was resampled
  return fmt::format("{:+.2f} [{:+.2f}, {:+.2f}]", 100 * i.value, 100 * i.low, 100 * i.high);
}

std::string against_default(const ComparedRow& row) {
  if (!row.ahead) return "";
  return interval(*row.ahead) + (row.ahead->within_noise() ? " within noise"
                                 : row.ahead->value > 0    ? " better"
                                                           : " worse");
}

std::string number(const std::optional<double>& value, int decimals) {
  return value ? fmt::format("{:.{}f}", *value, decimals) : std::string();
}

/// The cells of a row after its name.
std::vector<std::string> cells(const ComparedRow& row) {
  return {row.gain ? interval(*row.gain) : std::string(),
          against_default(row),
          fmt::format("{:.2f}{}", 100 * row.score, row.matches ? "" : " *"),
          fmt::format("{:.4f}", 1000 * row.cost),
          number(row.train_seconds, 1),
          number(row.decide_us, 1)};
}

constexpr const char* kHeads[] = {"hull gain, points", "against ensemble", "score",
                                  "USD / 1000",        "train s",          "decide us"};
constexpr std::size_t kColumns = std::size(kHeads);

std::string about(const ComparedTable& t) {
  return fmt::format("{} training rows, {} test rows, {} arms, {}", t.train_rows, t.test_rows,
                     t.arms,
                     t.splits == 1 ? "one split" : fmt::format("means of {} splits", t.splits));
}

std::string remarks(const ComparedTable& t) {
  const bool starred = std::any_of(t.rows.begin(), t.rows.end(), [](const ComparedRow& r) {
    return r.why_not.empty() && !r.matches;
  });
  std::string out =
      "Score and cost are where a router first matches the best single arm. Intervals: 95 %, "
      "paired "
      "bootstrap over the test rows";
  out += t.splits > 1 ? ", the mean of the splits' intervals." : ".";
  if (starred) out += " *: it never matches it; at its best instead.";
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string compared_text(const ComparedTable& t) {
  std::size_t name = 6, width[kColumns];
  for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::string_view(kHeads[c]).size();
  for (const ComparedRow& row : t.rows) {
    name = std::max(name, row.name.size());
    if (!row.why_not.empty()) continue;
    const auto all = cells(row);
    for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], all[c].size());
  }
  std::string out = fmt::format("{}: {}\n\n  {:<{}}", fmt::join(t.files, ", "), about(t), "", name);
  for (std::size_t c = 0; c < kColumns; ++c)
    out += c < 2 ? fmt::format("  {:<{}}", kHeads[c], width[c])
                 : fmt::format("  {:>{}}", kHeads[c], width[c]);
  out += "\n";
  bool methods = true;
  for (const ComparedRow& row : t.rows) {
    if (methods && !row.is_method) out += "\n", methods = false;
    std::string line = fmt::format("  {:<{}}", row.name, name);
    if (!row.why_not.empty()) {
      line += "  not trained: " + row.why_not;
    } else {
      const auto all = cells(row);
      for (std::size_t c = 0; c < kColumns; ++c)
        line += c < 2 ? fmt::format("  {:<{}}", all[c], width[c])
                      : fmt::format("  {:>{}}", all[c], width[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  out += "\n  " + remarks(t) + "\n";
  for (const std::string& note : t.notes) out += "  Note: " + note + "\n";
  return out;
}

std::string compared_json(const ComparedTable& t) {
  json::Writer w;
  const auto put = [&](std::string_view key, const std::optional<Interval>& i) {
    w.key(key);
    if (!i) {
      w.null();
      return;
    }
    w.begin_object().key("value").number(i->value).key("low").number(i->low);
    w.key("high").number(i->high).key("within_noise").boolean(i->within_noise()).end_object();
  };
  w.begin_object().key("files").begin_array();
  for (const std::string& file : t.files) w.string(file);
  w.end_array().key("train_rows").number(t.train_rows).key("test_rows").number(t.test_rows);
  w.key("arms").number(t.arms).key("splits").number(t.splits).key("rows").begin_array();
  for (const ComparedRow& row : t.rows) {
    w.begin_object().key("name").string(row.name).key("method").boolean(row.is_method);
    w.key("why_not");
    row.why_not.empty() ? w.null() : w.string(row.why_not);
    if (row.why_not.empty()) {
      put("hull_gain", row.gain);
      put("against_default", row.ahead);
      w.key("score").number(row.score).key("cost").number(row.cost);
      w.key("matches_best").boolean(row.matches);
      w.key("train_seconds").number_or_null(row.train_seconds);
      w.key("decide_us").number_or_null(row.decide_us);
    }
    w.end_object();
  }
  w.end_array().key("notes").begin_array();
  for (const std::string& note : t.notes) w.string(note);
  w.end_array().end_object();
  return w.take() + "\n";
}

std::string compared_html(const ComparedTable& t) {
  std::string out =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
      "content='width=device-width,initial-scale=1'><title>Rung: routers compared</title><style>\n"
      ":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}\n"
      "body{max-width:75rem;margin:2rem auto;padding:0 1rem}\n"
      "div{overflow-x:auto}table{border-collapse:collapse;white-space:nowrap}\n"
      "td,th{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #8884}\n"
      "td:nth-child(-n+3),th:nth-child(-n+3){text-align:left}.aside{opacity:.75}\n"
      "td.no{white-space:normal}\n</style></head><body>\n<h1>Routers compared</h1>\n";
  out += fmt::format("<p>{}: {}</p>\n<div><table><tr><th></th>",
                     escape(fmt::format("{}", fmt::join(t.files, ", "))), about(t));
  for (const char* head : kHeads) out += fmt::format("<th>{}</th>", head);
  out += "</tr>\n";
  for (const ComparedRow& row : t.rows) {
    out += fmt::format("<tr{}><td>{}</td>", row.is_method ? "" : " class=aside", escape(row.name));
    if (!row.why_not.empty()) {
      out += fmt::format("<td class=no colspan={}>not trained: {}</td>", kColumns,
                         escape(row.why_not));
    } else {
      for (const std::string& cell : cells(row)) out += fmt::format("<td>{}</td>", escape(cell));
    }
    out += "</tr>\n";
  }
  out += fmt::format("</table></div>\n<p>{}</p>\n", remarks(t));
  for (const std::string& note : t.notes) out += fmt::format("<p>Note: {}</p>\n", escape(note));
  return out + "</body></html>\n";
}

}  // namespace rung::cli
