#include "state/spend.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "state/schema.h"
#include "state/sqlite.h"

namespace rung::state {
namespace {

constexpr int kBusyMs = 2000;

Error unavailable(const Error& error) {
  return error.code == ErrorCode::kCorruptFile ? error
                                               : Error{ErrorCode::kUnavailable, error.message};
}

Result<Database> open_ledger(const std::string& path) {
  auto db = Database::open(path, Database::Mode::kRead, kBusyMs);
  if (!db) return unavailable(db.error());
  auto version = schema_version(*db, path);
  if (!version) return unavailable(version.error());
  if (*version != static_cast<int>(schema_steps().size()))
    return Error{ErrorCode::kUnavailable,
                 fmt::format("ledger {}: tables of version {}, expected {}", path, *version,
                             schema_steps().size())};
  return db;
}

}  // namespace

Result<std::vector<SpendRow>> read_spend(const std::string& path, std::int64_t since_day,
                                         std::int64_t until_day) {
  std::vector<SpendRow> rows;
  if (path.empty()) return rows;
  auto db = open_ledger(path);
  if (!db) return db.error();
  auto s = db->prepare(
      "SELECT scope,name,day,requests,prompt_tokens,completion_tokens,spent_nano,charged_nano,"
      "cost_unknown FROM spend WHERE day>=? AND day<? ORDER BY scope,name,day");
  if (!s) return unavailable(s.error());
  s->bind(1, since_day);
  s->bind(2, until_day);
  int code = 0;
  while ((code = s->step()) == SQLITE_ROW) {
    SpendRow row;
    row.scope = s->text(0);
    row.name = s->text(1);
    row.day = s->integer(2);
    row.requests = s->integer(3);
    row.prompt_tokens = s->integer(4);
    row.completion_tokens = s->integer(5);
    row.spent = NanoUsd{s->integer(6)};
    row.charged = NanoUsd{s->integer(7)};
    row.cost_unknown = s->integer(8);
    rows.push_back(std::move(row));
  }
  if (code != SQLITE_DONE) return unavailable(db->error());
  return rows;
}

Result<SpentBefore> spent_before(const std::string& path, std::int64_t wall_us) {
  SpentBefore before;
  if (path.empty()) return before;
  auto db = open_ledger(path);
  if (!db) return db.error();
  const std::int64_t today = day_of(wall_us);
  auto s = db->prepare(
      "SELECT scope,name,sum(charged_nano),sum(CASE WHEN day>=?1 THEN charged_nano ELSE 0 END),"
      "sum(CASE WHEN day>=?2 THEN charged_nano ELSE 0 END) FROM spend GROUP BY scope,name");
  if (!s) return unavailable(s.error());
  s->bind(1, first_day_of_month(today));
  s->bind(2, today);
  int code = 0;
  while ((code = s->step()) == SQLITE_ROW)
    before[{std::string(s->text(0)), std::string(s->text(1))}] = {.total = NanoUsd{s->integer(2)},
                                                                  .month = NanoUsd{s->integer(3)},
                                                                  .day = NanoUsd{s->integer(4)}};
  if (code != SQLITE_DONE) return unavailable(db->error());
  return before;
}

}  // namespace rung::state
