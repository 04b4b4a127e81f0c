#pragma once
// One line of an outcomes file as values, checked. Internal to the reader.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outcomes/table.h"

namespace rung::outcomes {

/// One arm of a row; the views last until the next parse.
struct ParsedCell {
  std::string_view arm;
  float score = kMissing, cost = kMissing;
  std::int32_t prompt_tokens = kNoTokens, completion_tokens = kNoTokens;
  bool has_output = false;
  std::string_view output;
};

struct ParsedRow {
  std::string_view id, prompt;
  bool has_category = false, has_reference = false;
  std::string_view category;
  std::string reference;
  std::vector<ParsedCell> cells;  // never empty, arms distinct
};

class RowParser {
 public:
  RowParser();
  ~RowParser();
  RowParser(const RowParser&) = delete;
  RowParser& operator=(const RowParser&) = delete;

  /// `line` must be followed by LineReader::kPadding readable bytes. `where` is "FILE:LINE" of
  /// errors. Errors: kInvalidJson, kInvalidData; `row` is then unspecified.
  Result<void> parse(std::string_view line, std::string_view where, bool want_texts,
                     ParsedRow& row);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rung::outcomes
