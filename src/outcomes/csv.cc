#include "outcomes/csv.h"

#include <fmt/format.h>

namespace rung::outcomes {
namespace {

constexpr std::size_t kBuffer = 1 << 16;
constexpr std::size_t kMaxField = std::size_t{256} << 20;

}  // namespace

CsvReader::CsvReader(ByteSource source) : source_(std::move(source)), buffer_(kBuffer) {}

Result<int> CsvReader::peek() {
  if (at_ == end_) {
    auto n = source_.read(buffer_.data(), buffer_.size());
    if (!n) return n.error();
    at_ = 0;
    end_ = *n;
    if (end_ == 0) return -1;
    if (!started_) {
      started_ = true;
      if (std::string_view(buffer_.data(), end_).starts_with("\xef\xbb\xbf")) at_ = 3;
      if (at_ == end_) return peek();
    }
  }
  return static_cast<int>(static_cast<unsigned char>(buffer_[at_]));
}

Result<int> CsvReader::get() {
  auto c = peek();
  if (!c || *c < 0) return c;
  ++at_;
  ++column_;
  if (*c == '\n') {
    ++line_;
    column_ = 0;
  }
  return c;
}

Result<bool> CsvReader::next(std::vector<std::string>& fields) {
  const auto bad = [&](std::uint64_t line, std::uint64_t column, std::string_view what) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{}:{}:{}: {}", source_.name(), line, column, what)};
  };
  fields.clear();
  record_line_ = line_;
  std::string field;
  bool quoted = false;  // this field was in quotes, and they are closed
  for (;;) {
    auto c = get();
    if (!c) return c.error();
    if (*c == '\r') {
      auto after = peek();
      if (!after) return after.error();
      if (*after == '\n' || *after < 0) continue;
    }
    if (*c < 0 || *c == '\n') {
      if (fields.empty() && field.empty() && !quoted) {
        if (*c < 0) return false;
        record_line_ = line_;
        continue;  // a blank line
      }
      fields.push_back(std::move(field));
      return true;
    }
    if (*c == ',') {
      fields.push_back(std::move(field));
      field.clear();
      quoted = false;
      continue;
    }
    if (quoted)
      return bad(line_, column_,
                 "found text after a closing quote; expected a comma or the end of the line");
    if (*c != '"') {
      field += static_cast<char>(*c);
    } else if (!field.empty()) {
      return bad(line_, column_,
                 "found a quote inside a field without quotes; expected the whole field in quotes, "
                 "its quotes doubled");
    } else {
      const std::uint64_t open_line = line_, open_column = column_;
      for (;;) {
        auto inner = get();
        if (!inner) return inner.error();
        if (*inner < 0)
          return bad(open_line, open_column,
                     "found a quote that never closes; expected a closing quote (the file is "
                     "probably cut)");
        if (*inner == '"') {
          auto after = peek();
          if (!after) return after.error();
          if (*after != '"') break;
          (void)get();
        }
        field += static_cast<char>(*inner);
        if (field.size() > kMaxField)
          return Error{ErrorCode::kTooLarge,
                       bad(open_line, open_column, "the field is longer than 256 MiB").message};
      }
      quoted = true;
    }
  }
}

}  // namespace rung::outcomes
