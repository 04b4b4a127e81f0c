#pragma once
// A comparison as one self-contained page: verdict, cost-quality chart, numbers. No script, nothing
// from outside.

#include <string>

#include "outcomes/metrics.h"
#include "outcomes/report.h"

namespace rung::outcomes {

std::string report_html(const Comparison& comparison, const ReportContext& context);

}  // namespace rung::outcomes
