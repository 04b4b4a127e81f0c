#pragma once
// Where a line stops being JSON, for people. Called only after a fast parser has refused the line.

#include <cstddef>
#include <string>
#include <string_view>

namespace rung::outcomes {

struct JsonFault {
  std::size_t column = 0;  // byte of the line where it goes wrong, from 1
  std::string field;       // path to the value there, such as "models.gpt-4.score"; may be empty
  std::string found;       // what stands there: "NaN", "the end of the line", "','"
  std::string expected;    // what would be right there
};

/// Walks `text` as one JSON value and describes its first fault; an empty `found` means that no
/// fault was seen.
JsonFault locate_json_fault(std::string_view text);

}  // namespace rung::outcomes
