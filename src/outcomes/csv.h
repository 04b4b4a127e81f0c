#pragma once
// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, doubled quotes and
// line ends. Streaming, bounded by the largest record. Not thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outcomes/byte_source.h"

namespace rung::outcomes {

class CsvReader {
 public:
  explicit CsvReader(ByteSource source);

  /// The next record; false at the end. Blank lines are skipped, a UTF-8 mark at the start too.
  /// Errors: those of ByteSource; kInvalidData with line and column for text beside quotes or a
  /// quote that never closes; kTooLarge.
  Result<bool> next(std::vector<std::string>& fields);

  std::uint64_t line() const { return record_line_; }  // where the last record began, from 1
  const std::string& name() const { return source_.name(); }

 private:
  Result<int> get();  // next byte, -1 at the end
  Result<int> peek();
  ByteSource source_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::uint64_t line_ = 1, column_ = 0, record_line_ = 1;
  bool started_ = false;
};

}  // namespace rung::outcomes
