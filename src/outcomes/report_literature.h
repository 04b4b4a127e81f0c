#pragma once
// The measures of the literature in the three forms of a report. Internal to report.cc and
// report_html.cc.

#include <string>

#include "json/write.h"
#include "outcomes/metrics.h"

namespace rung::outcomes {

/// A few aligned lines.
std::string literature_text(const Comparison& comparison);
/// Key "literature" and its object, into an object that is open. Undefined numbers are null.
void literature_json(const Comparison& comparison, json::Writer& writer);
/// A heading and a table.
std::string literature_html(const Comparison& comparison);

}  // namespace rung::outcomes
