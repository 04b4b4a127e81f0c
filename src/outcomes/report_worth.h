#pragma once
// The answer to "is it worth it?" in the three forms of a report. Internal to report.cc and
// report_html.cc.

#include <string>

#include "json/write.h"
#include "outcomes/worth.h"

namespace rung::outcomes {

/// Aligned lines, the verdict last.
std::string worth_text(const Worth& worth);
/// Key "worth" and its object, into an object that is open. Scores and shares 0 to 1.
void worth_json(const Worth& worth, json::Writer& writer);
/// A heading, the verdict and a table.
std::string worth_html(const Worth& worth);

}  // namespace rung::outcomes
