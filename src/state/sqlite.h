#pragma once
// SQLite, wrapped thinly: handles that close themselves and errors as sentences. Inside src/state
// only. One thread at a time for each Database and its Statements.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rung::state {

/// A prepared statement. Text is bound by view: it must stay until the next `reset`.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, sqlite3_stmt* handle) : db_(db), handle_(handle) {}
  void bind(int at, std::int64_t value);
  void bind(int at, double value);  // NaN becomes NULL
  void bind(int at, std::string_view text);
  void bind_null(int at);
  void bind_or_null(int at, std::string_view text) {
    text.empty() ? bind_null(at) : bind(at, text);
  }
  template <class T>
  void bind_or_null(int at, const std::optional<T>& value) {
    if (value) {
      bind(at, *value);
    } else {
      bind_null(at);
    }
  }
  /// Runs to the next row: SQLITE_ROW, SQLITE_DONE or an error code. After DONE or an error,
  /// `reset`.
  int step();
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  // until the next step; NULL is ""
  bool is_null(int column) const;
  std::optional<std::int64_t> integer_or_null(int column) const;
  std::optional<double> real_or_null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  enum class Mode { kRead, kWrite };
  /// kWrite creates a missing file. Waits up to `busy_ms` where another connection holds a lock.
  static Result<Database> open(const std::string& path, Mode mode, int busy_ms);

  Result<Statement> prepare(std::string_view sql) const;
  /// Runs statements that give no rows of interest.
  Result<void> run(const char* sql) const;
  /// The first column of the first row; empty if there is none.
  Result<std::optional<std::int64_t>> number(std::string_view sql) const;

  /// The last failure as an Error: where, what, and SQLite's own words. kCorruptFile for a file
  /// that is no database, else kIo.
  Error error() const;
  int code() const;
  /// Rows touched by the last statement.
  std::int64_t changes() const;
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// True for errors that concern one row (a constraint, a value too big) and not the database.
bool concerns_one_row(int code);

/// A name for a new database in the memory of this process, which several connections can open. It
/// lives as long as one of them.
std::string new_memory_database();

}  // namespace rung::state
