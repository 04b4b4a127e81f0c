#pragma once
// A comparison for people at a terminal, and for machines.

#include <string>
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

}  // namespace rung::outcomes
