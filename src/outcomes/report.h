#pragma once
// A comparison for people at a terminal, and for machines.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "outcomes/metrics.h"

namespace rung::outcomes {

struct ReportContext {
  std::string router;              // what was judged: the path of the artefact
  std::vector<std::string> files;  // on what
  std::vector<std::string> notes;  // sentences: arms left out, missing cells
};

/// Aligned plain text, costs in USD per 1,000 queries, scores in points (0 to 100).
std::string report_text(const Comparison& comparison, const ReportContext& context);
/// One JSON object and a newline; scores 0 to 1, costs in USD per query. Fields: docs/metrics.md.
std::string report_json(const Comparison& comparison, const ReportContext& context);

/// Arms by mean cost, cheapest first; those without a usable row last. For the two reports.
std::vector<std::size_t> by_cost(const Comparison& comparison);
/// `value` in the form of fmt, or a dash where nothing was measured (it is not finite).
std::string number_or_dash(std::string_view form, double value);

}  // namespace rung::outcomes
