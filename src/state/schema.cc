#include "state/schema.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace rung::state {
namespace {

// "RUNG" in ASCII: the mark that tells our file from anybody else's SQLite database.
constexpr std::int64_t kApplicationId = 0x52554e47;

constexpr const char* kVersion1 = R"sql(
CREATE TABLE requests(
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  time_us INTEGER NOT NULL,
  key_name TEXT, route TEXT, requested_model TEXT,
  arm TEXT, served_model TEXT, upstream TEXT, strategy TEXT,
  policy TEXT, policy_parameter REAL, predictor TEXT, reason TEXT, runner_up TEXT,
  propensity REAL, seed INTEGER NOT NULL, prompt_hash INTEGER NOT NULL, prompt TEXT,
  arms TEXT,
  reference_arm TEXT, reference_estimate_nano INTEGER, reference_nano INTEGER,
  outcome TEXT NOT NULL, http_status INTEGER NOT NULL, error TEXT, streaming INTEGER NOT NULL,
  gateway_us INTEGER NOT NULL, first_byte_us INTEGER, total_us INTEGER NOT NULL,
  call_count INTEGER NOT NULL,
  prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, reasoning_tokens INTEGER,
  tokens_unknown INTEGER NOT NULL, tokens_estimated INTEGER NOT NULL,
  spent_nano INTEGER NOT NULL, cost_unknown INTEGER NOT NULL);
CREATE TABLE calls(
  request INTEGER NOT NULL, seq INTEGER NOT NULL,
  upstream TEXT, model TEXT, step TEXT, attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL, status INTEGER, error TEXT,
  start_us INTEGER NOT NULL, first_byte_us INTEGER, end_us INTEGER NOT NULL,
  prompt_tokens INTEGER, cached_tokens INTEGER, completion_tokens INTEGER, reasoning_tokens INTEGER,
  usage_source TEXT NOT NULL, usage TEXT, cost_nano INTEGER,
  PRIMARY KEY(request, seq)) WITHOUT ROWID;
CREATE TABLE feedback(
  n INTEGER PRIMARY KEY,
  decision TEXT NOT NULL, score REAL NOT NULL, source TEXT, comment TEXT, time_us INTEGER NOT NULL);
CREATE INDEX feedback_by_decision ON feedback(decision);
)sql";

// What keys and routes were charged, by the day (UTC) on which their requests came: budgets are
// restored from it at start without a pass over all requests.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE requests ADD COLUMN charged_nano INTEGER;
ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER;
CREATE TABLE spend(
  scope TEXT NOT NULL, name TEXT NOT NULL, day INTEGER NOT NULL,
  requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
  spent_nano INTEGER NOT NULL, charged_nano INTEGER NOT NULL, cost_unknown INTEGER NOT NULL,
  PRIMARY KEY(scope, name, day)) WITHOUT ROWID;
INSERT INTO spend SELECT 'key', key_name, time_us / 86400000000, count(*), coalesce(sum(prompt_tokens), 0),
  coalesce(sum(completion_tokens), 0), sum(spent_nano), sum(spent_nano), sum(cost_unknown)
  FROM requests WHERE key_name IS NOT NULL GROUP BY key_name, time_us / 86400000000;
INSERT INTO spend SELECT 'route', route, time_us / 86400000000, count(*), coalesce(sum(prompt_tokens), 0),
  coalesce(sum(completion_tokens), 0), sum(spent_nano), sum(spent_nano), sum(cost_unknown)
  FROM requests WHERE route IS NOT NULL GROUP BY route, time_us / 86400000000;
)sql";

constexpr const char* kSteps[] = {kVersion1, kVersion2};

Error foreign(const std::string& path) {
  return {
      ErrorCode::kCorruptFile,
      fmt::format("ledger {}: this SQLite database is not a Rung ledger; expected a new file or "
                  "one that Rung made",
                  path)};
}

}  // namespace

std::span<const char* const> schema_steps() { return kSteps; }

Result<int> schema_version(const Database& db, const std::string& path,
                           std::span<const char* const> steps) {
  auto tables = db.number("SELECT count(*) FROM sqlite_master");
  if (!tables) return tables.error();
  if (tables->value_or(0) == 0) return 0;
  auto mark = db.number("PRAGMA application_id");
  if (!mark) return mark.error();
  if (mark->value_or(0) != kApplicationId) return foreign(path);
  auto version = db.number("SELECT max(version) FROM rung_schema");
  if (!version) return version.error();
  const std::int64_t found = version->value_or(0);
  if (found < 1) return foreign(path);
  if (found > static_cast<std::int64_t>(steps.size())) {
    return Error{ErrorCode::kCorruptFile,
                 fmt::format("ledger {}: written by a newer Rung (tables of version {}; this one "
                             "reads up to {}); use that Rung, or name another file",
                             path, found, steps.size())};
  }
  return static_cast<int>(found);
}

Result<void> prepare_schema(const Database& db, const std::string& path,
                            std::span<const char* const> steps) {
  auto version = schema_version(db, path, steps);
  if (!version) return version.error();
  if (*version == static_cast<int>(steps.size())) return {};

  if (auto begun = db.run("BEGIN IMMEDIATE"); !begun) return begun;
  const auto abandon = [&](Error error) -> Result<void> {
    if (auto undone = db.run("ROLLBACK"); !undone) return error;
    return error;
  };
  // Another process may have done the work while this one waited for the lock.
  version = schema_version(db, path, steps);
  if (!version) return abandon(version.error());
  if (*version == 0) {
    const std::string start = fmt::format(
        "PRAGMA application_id={}; CREATE TABLE rung_schema(version INTEGER NOT NULL, at_us "
        "INTEGER NOT NULL)",
        kApplicationId);
    if (auto made = db.run(start.c_str()); !made) return abandon(made.error());
  }
  for (auto step = static_cast<std::size_t>(*version); step < steps.size(); ++step) {
    if (auto done = db.run(steps[step]); !done) return abandon(done.error());
    const std::string note =
        fmt::format("INSERT INTO rung_schema VALUES({}, {})", step + 1, Clock().wall_us());
    if (auto done = db.run(note.c_str()); !done) return abandon(done.error());
  }
  if (auto done = db.run("COMMIT"); !done) return abandon(done.error());
  return {};
}

}  // namespace rung::state
