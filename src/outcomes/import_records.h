#pragma once
// Records of JSON lines with accessors that refuse by name. Internal to import.cc and pairs.cc.

#include <fmt/format.h>
#include <simdjson.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "base/result.h"
#include "outcomes/json_locate.h"
#include "outcomes/line_reader.h"

namespace rung::outcomes {

namespace dom = simdjson::dom;

inline Error invalid(std::string_view where, std::string_view field, std::string_view found,
                     std::string_view expected) {
  return {ErrorCode::kInvalidData,
          fmt::format("{}: {}: found {}; expected {}", where, field, found, expected)};
}

inline std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}{}\"", text.substr(0, 40), text.size() > 40 ? "..." : "");
}

// One JSON object of a line, with accessors that refuse by name.
class Record {
 public:
  Record(dom::element root, std::string where) : root_(root), where_(std::move(where)) {}
  const std::string& where() const { return where_; }
  Error bad(std::string_view field, const std::optional<dom::element>& value,
            std::string_view expected) const {
    return invalid(where_, field,
                   value ? simdjson::minify(*value).substr(0, 60) : std::string("nothing"),
                   expected);
  }
  /// `pointer` is a JSON pointer without its first slash; null counts as absent.
  std::optional<dom::element> find(std::string_view pointer) const {
    dom::element value;
    if (root_.at_pointer("/" + std::string(pointer)).get(value) != simdjson::SUCCESS ||
        value.is_null())
      return std::nullopt;
    return value;
  }
  Result<std::string_view> text(std::string_view pointer, std::string_view expected) const {
    const auto value = find(pointer);
    if (!value || !value->is_string()) return bad(pointer, value, expected);
    return value->get_string().value_unsafe();
  }

 private:
  dom::element root_;
  std::string where_;
};

inline std::string default_id(const std::string& file, std::uint64_t line) {
  return fmt::format("{}:{}", std::filesystem::path(file).filename().string(), line);
}

/// Calls each(Record, default id) for every line.
template <class EachRecord>
Result<void> json_lines(const std::string& file, EachRecord each) {
  auto source = ByteSource::open(file);
  if (!source) return source.error();
  LineReader lines(std::move(*source));
  Progress progress("importing " + file, lines.source().total());
  std::uint64_t told = 0;
  dom::parser parser;
  std::string_view line;
  for (;;) {
    auto more = lines.next(line);
    if (!more) return more.error();
    if (!*more) return {};
    const std::string where = fmt::format("{}:{}", lines.source().name(), lines.line_number());
    dom::element root;
    if (const auto code = parser.parse(line.data(), line.size(), false).get(root)) {
      const JsonFault fault = locate_json_fault(line);
      return Error{ErrorCode::kInvalidJson,
                   fault.found.empty()
                       ? fmt::format("{}: {}", where, simdjson::error_message(code))
                       : fmt::format("{}:{}: not valid JSON: found {}; expected {}", where,
                                     fault.column, fault.found, fault.expected)};
    }
    if (!root.is_object())
      return invalid(where, "line", "no JSON object", "one JSON object per line");
    if (auto done =
            each(Record(root, where), default_id(lines.source().name(), lines.line_number()));
        !done)
      return done;
    progress.advance(lines.source().consumed() - told);
    told = lines.source().consumed();
  }
}

}  // namespace rung::outcomes
