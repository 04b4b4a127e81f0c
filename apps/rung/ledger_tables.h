#pragma once
// The ledger's answers as tables for people.

#include <string>
#include <vector>

#include "state/ledger_reader.h"

namespace rung::cli {

std::string decisions_text(const std::vector<state::StoredDecision>& decisions);
/// `by` heads the first column. Ends with what was left out of the comparison, if anything was.
std::string totals_text(std::string_view by, const std::vector<state::Totals>& totals);
/// One decision whole: what was expected of each arm, the calls, the scores.
std::string decision_text(const state::StoredDecision& stored);

}  // namespace rung::cli
