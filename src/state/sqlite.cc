#include "state/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>

namespace rung::state {
namespace {

constexpr std::string_view kMemoryPrefix = "file:/rung-ledger-";

struct Plain {
  ErrorCode code;
  std::string words;
};

/// SQLite's code in the words of somebody who has to mend it.
Plain explain(int code, int system_errno) {
  const std::string reason =
      system_errno == 0 ? std::string() : fmt::format(" ({})", std::strerror(system_errno));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::kIo, "the disk is full, or the file has reached its size limit"};
    case SQLITE_READONLY:
      return {ErrorCode::kIo, "the file or its folder is read-only"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kIo, "another process holds the database locked"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::kIo, fmt::format("the file cannot be opened or created{}", reason)};
    case SQLITE_IOERR:
      return {ErrorCode::kIo, fmt::format("the disk gave an error{}", reason)};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::kIo, "a record breaks a rule of its table"};
    case SQLITE_NOTADB:
      return {ErrorCode::kCorruptFile, "the file is not an SQLite database"};
    case SQLITE_CORRUPT:
      return {ErrorCode::kCorruptFile, "the database is damaged"};
    default:
      return {ErrorCode::kIo, "the database refused"};
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

// A failing bind (out of memory, index out of range) leaves NULL; the step that follows reports
// what matters.
void Statement::bind(int at, std::int64_t value) { sqlite3_bind_int64(handle_.get(), at, value); }
void Statement::bind(int at, double value) { sqlite3_bind_double(handle_.get(), at, value); }
void Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(handle_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Statement::bind_null(int at) { sqlite3_bind_null(handle_.get(), at); }
int Statement::step() { return sqlite3_step(handle_.get()); }
void Statement::reset() { sqlite3_reset(handle_.get()); }

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const { return sqlite3_column_double(handle_.get(), column); }
std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}
std::optional<std::int64_t> Statement::integer_or_null(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}
std::optional<double> Statement::real_or_null(int column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}

Result<Database> Database::open(const std::string& path, Mode mode, int busy_ms) {
  Database db;
  const bool in_memory = path.starts_with(kMemoryPrefix);
  db.path_ = in_memory ? "in memory" : path;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (in_memory) flags |= SQLITE_OPEN_URI;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  db.handle_.reset(handle);  // also after a failure: the handle carries the message
  if (handle == nullptr)
    return Error{ErrorCode::kIo, fmt::format("ledger {}: no memory to open it", path)};
  if (code != SQLITE_OK) return db.error();
  sqlite3_busy_timeout(handle, busy_ms);
  return db;
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return error();
  return Statement(handle_.get(), handle);
}

Result<void> Database::run(const char* sql) const {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

Result<std::optional<std::int64_t>> Database::number(std::string_view sql) const {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const int code = statement->step();
  if (code == SQLITE_ROW) return statement->integer_or_null(0);
  if (code == SQLITE_DONE) return std::optional<std::int64_t>();
  return error();
}

Error Database::error() const {
  sqlite3* handle = handle_.get();
  const Plain plain = explain(sqlite3_errcode(handle), sqlite3_system_errno(handle));
  return {plain.code,
          fmt::format("ledger {}: {} [SQLite: {}]", path_, plain.words, sqlite3_errmsg(handle))};
}

int Database::code() const { return sqlite3_errcode(handle_.get()); }
std::int64_t Database::changes() const { return sqlite3_changes(handle_.get()); }

bool concerns_one_row(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return true;
    default:
      return false;
  }
}

std::string new_memory_database() {
  static std::atomic<unsigned> count{0};
  // The memdb file system (SQLite 3.36) shares a name that starts with "/" among the connections of
  // one process.
  return fmt::format("{}{}?vfs=memdb", kMemoryPrefix, ++count);
}

}  // namespace rung::state
