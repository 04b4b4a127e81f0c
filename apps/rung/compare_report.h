#pragma once
// What rung compare found, for people, machines and browsers.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rung::cli {

/// A value with its 95 % interval, in score (1.0 = 100 points).
struct Interval {
  double value = 0, low = 0, high = 0;
  bool within_noise() const { return low <= 0 && high >= 0; }
};

/// One line of the table: a method, or something to hold it against. Means over the splits.
struct ComparedRow {
  std::string name;
  std::string why_not;            // not empty: it could not be trained; nothing else is filled
  std::optional<Interval> gain;   // hull gain
  std::optional<Interval> ahead;  // of the default, in hull gain, on the same rows
  double score = 0, cost = 0;     // where it matches the best single arm, else at its best; USD
  bool matches = true;            // the former, in every split
  std::optional<double> train_seconds, decide_us;
  bool is_method = true;  // false: best single, oracle, ...
};

struct ComparedTable {
  std::vector<std::string> files;
  std::size_t train_rows = 0, test_rows = 0, arms = 0, splits = 1;  // rows of the first split
  std::vector<ComparedRow> rows;
  std::vector<std::string> notes;
};

std::string compared_text(const ComparedTable& table);
std::string compared_json(const ComparedTable& table);
std::string compared_html(const ComparedTable& table);

}  // namespace rung::cli
