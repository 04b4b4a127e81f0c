#pragma once
// Lines of a data file, packed or plain, in bounded memory. Not thread-safe.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "outcomes/byte_source.h"

namespace rung::outcomes {

class LineReader {
 public:
  /// Bytes that may be read past the end of a line without fault, as JSON parsers like it.
  static constexpr std::size_t kPadding = 64;
  static constexpr std::size_t kMaxLine = std::size_t{256} << 20;

  explicit LineReader(ByteSource source);

  /// The next line that is not blank, without its end ("\n" or "\r\n"); false at the end of the
  /// file. A UTF-8 byte order mark at the start of the file is skipped. The view lasts until the
  /// next call. Errors: those of ByteSource; kTooLarge over kMaxLine; kInvalidData for UTF-16.
  Result<bool> next(std::string_view& line);

  std::uint64_t line_number() const { return line_number_; }  // of the last line, from 1
  const ByteSource& source() const { return source_; }

 private:
  Result<bool> next_raw(std::string_view& line);
  ByteSource source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t line_number_ = 0;
  bool ended_ = false;
};

}  // namespace rung::outcomes
