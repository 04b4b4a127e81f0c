#pragma once
// Records to rows: the statements that the writer thread runs. Inside src/state only.

#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/result.h"
#include "state/record.h"
#include "state/sqlite.h"

namespace rung::state {

/// About how many bytes of memory a record holds; the same before and after it is moved.
std::size_t footprint(const RequestRecord& record);
std::size_t footprint(const FeedbackRecord& record);

/// Arms as the JSON text of the column `arms`; empty for none.
void append_arms_json(const std::vector<ArmEstimate>& arms, std::string& out);

/// The prepared inserts of one connection. One thread.
class RowWriter {
 public:
  static Result<RowWriter> prepare(const Database& db);
  /// Inside a transaction. Gives an SQLite code: SQLITE_DONE, or what went wrong.
  int insert(const RequestRecord& record, bool keep_prompt);
  int insert(const FeedbackRecord& record);
  /// The sums of keys and routes over what was inserted since the batch began. Before the commit.
  int finish_batch();
  /// The transaction was rolled back, or a new one begins.
  void begin_batch() { batch_spend_.clear(); }

 private:
  struct Spend {
    std::int64_t requests = 0, prompt_tokens = 0, completion_tokens = 0, cost_unknown = 0;
    NanoUsd spent, charged;
  };
  int insert_call(std::int64_t request, std::int64_t seq, const CallRecord& call);
  Statement request_, call_, feedback_, spend_;
  std::map<std::tuple<std::string_view, std::string, std::int64_t>, Spend> batch_spend_;
  sqlite3* db_ = nullptr;
  std::string arms_;
};

}  // namespace rung::state
