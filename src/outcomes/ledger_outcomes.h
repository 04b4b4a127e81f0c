#pragma once
// The ledger's decisions that got a score, as outcome rows for training.
//
// A decision tells of one arm only: the one that answered. Decisions with the same prompt become
// one row with the arms of all of them; several scores of an arm on a prompt count as their mean.
// What a record does not know stays missing.

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "state/ledger_reader.h"

namespace rung::outcomes {

struct LedgerOutcomesOptions {
  state::DecisionFilter filter;
  std::string source;  // only scores of this source ("user", "judge"); empty: of every one
};

/// Counts are decisions, each in exactly one of them, in this order.
struct LedgerOutcomesReport {
  std::size_t used = 0;
  std::size_t unscored = 0;      // no feedback (of that source)
  std::size_t no_arm = 0;        // refused before a model was chosen
  std::size_t failed = 0;        // did not end well: a score of it says nothing about the arm
  std::size_t no_prompt = 0;     // the text was not kept (ledger.keep_prompts)
  std::size_t cost_unknown = 0;  // of `used`: written without a cost
  std::size_t rows = 0;          // lines written: distinct prompts
  std::size_t decisions() const { return used + unscored + no_arm + failed + no_prompt; }
};

/// Writes `out` (packed by its ending), oldest prompt first; a row's id is that of its first
/// decision. Memory: the prompts that are written. Where there is nothing to write, no file is left
/// and `rows` is 0. Errors: of the reader; kIo.
Result<LedgerOutcomesReport> write_ledger_outcomes(const state::LedgerReader& ledger,
                                                   const LedgerOutcomesOptions& options,
                                                   const std::filesystem::path& out);

}  // namespace rung::outcomes
