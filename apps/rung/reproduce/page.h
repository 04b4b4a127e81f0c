#pragma once
// The table of claims as Markdown and as one page that needs nothing from outside.

#include <string>
#include <vector>

#include "reproduce/claims.h"

namespace rung::reproduce {

/// Sets, counts of verdicts, one row for each claim with its id as anchor, notes. No date and no
/// path: the same rows give the same text.
std::string page_markdown(const Bench& bench, const std::vector<Row>& rows);
std::string page_html(const Bench& bench, const std::vector<Row>& rows);
/// A few lines for a terminal.
std::string summary(const Bench& bench, const std::vector<Row>& rows);

}  // namespace rung::reproduce
