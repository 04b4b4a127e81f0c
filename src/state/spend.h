#pragma once
// What keys and routes have spent, by days: the ledger's table `spend`, which its writer keeps in
// step with the requests, in the same transactions. Each function opens the database, asks and
// closes it: for start, reload and the admin listener.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "state/limits.h"

namespace rung::state {

struct SpendRow {
  std::string scope;  // "key" or "route"
  std::string name;
  std::int64_t day = 0;  // since 1970, UTC
  std::int64_t requests = 0, prompt_tokens = 0, completion_tokens = 0;
  NanoUsd spent;                  // known costs
  NanoUsd charged;                // to the budgets: known costs, and reservations where unknown
  std::int64_t cost_unknown = 0;  // calls
};

/// Rows of [since_day, until_day), by scope, name and day. `path` from Ledger::reader_path; empty:
/// no rows. Errors: kUnavailable, kCorruptFile.
Result<std::vector<SpendRow>> read_spend(const std::string& path, std::int64_t since_day,
                                         std::int64_t until_day);

/// What each (scope, name) was charged, up to now.
using SpentBefore = std::map<std::pair<std::string, std::string>, Spent>;
Result<SpentBefore> spent_before(const std::string& path, std::int64_t wall_us);

}  // namespace rung::state
