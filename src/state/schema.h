#pragma once
// The tables of the ledger, their version, and the steps from older versions. docs/ledger.md is the
// prose.

#include <span>
#include <string>

#include "base/result.h"
#include "state/sqlite.h"

namespace rung::state {

/// Step k (from 0) takes a database from version k to k + 1; the first makes the tables. Never
/// edited, only added to.
std::span<const char* const> schema_steps();

/// Creates the tables in an empty database, or takes an older one to the newest version, in one
/// transaction. Errors: kCorruptFile for an SQLite file that is no ledger, and for one that a newer
/// Rung wrote (both name what was found); kIo when it cannot be written.
Result<void> prepare_schema(const Database& db, const std::string& path,
                            std::span<const char* const> steps = schema_steps());

/// For readers: 0 if the database is empty. Errors as above.
Result<int> schema_version(const Database& db, const std::string& path,
                           std::span<const char* const> steps = schema_steps());

}  // namespace rung::state
