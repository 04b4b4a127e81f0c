#pragma once
// rung compare --leave-out: what a router is worth on a data set, or a category, of which training
// has seen nothing, next to what it is worth where training has seen its like.
//
//   rows ──► random split: 70 % train, 30 % test, near-duplicates together
//   for each group g:  trained on all training rows          ─┐
//                      trained on those that are not of g    ─┴► both judged on g's test rows
//
// Both are trained and judged on the arms that g shares with the rest.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compare_report.h"

namespace rung::cli {

struct LeaveOutOptions {
  std::vector<std::string> outcomes;
  std::string by;  // "file" or "category"
  std::vector<std::string> methods;
  double fraction = 0.3;
  std::uint64_t seed = 0;
  std::size_t bootstrap = 1000;
  std::string strong, weak;
};

struct LeftOutRow {
  std::string group, method;
  std::string why_not;  // not empty: nothing else is filled but rows and arms
  std::size_t train_rows = 0, train_rows_without = 0, test_rows = 0, arms = 0;
  Interval seen, unseen, lost;  // hull gains, and seen - unseen on the same rows
};

struct LeftOutTable {
  std::vector<std::string> files;
  std::string by;
  std::vector<LeftOutRow> rows;
  std::vector<std::string> notes;
};

/// Errors: kInvalidArgument (one group only, an unknown method), those of reading; kCancelled.
Result<LeftOutTable> leave_out(const LeaveOutOptions& options);

std::string left_out_text(const LeftOutTable& table);
std::string left_out_json(const LeftOutTable& table);

}  // namespace rung::cli
