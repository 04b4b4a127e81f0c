#pragma once
// The cost-quality chart of a comparison, as one SVG element without outside resources. Colours are
// classes that the page defines, so that light and dark schemes share one drawing. Internal to
// report_html.

#include <string>
#include <string_view>

#include "outcomes/metrics.h"

namespace rung::outcomes {

/// Text made safe for HTML and attributes.
std::string escape_html(std::string_view text);

std::string cost_quality_chart(const Comparison& comparison);

}  // namespace rung::outcomes
