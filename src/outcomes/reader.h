#pragma once
// Reads outcomes: JSON lines, plain, gzip or zstd, one row a line:
//
//   {"id","prompt","category"?,"reference"?,"models":{ARM:{"score"?,"cost"?,"prompt_tokens"?,
//    "completion_tokens"?,"output"?}}}
//
// null or absent is missing; unknown fields are allowed; blank lines are skipped. Streaming: memory
// is what the table holds plus one line. Every refusal names the file, the line, the field, what
// was found and what was expected.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/byte_source.h"
#include "outcomes/table.h"

namespace rung::outcomes {

struct ReadOptions {
  bool keep_outputs = false;  // also fill Texts; costs as much memory as the texts are long
};

/// What people and models wrote, for those who replay it. Empty unless it was asked for.
struct Texts {
  StringColumn references;  // [n]; a reference that is not a string is kept as its JSON
  std::vector<std::uint8_t> has_reference;  // [n]
  StringColumn outputs;                     // [n * m]
  std::vector<std::uint8_t> has_output;     // [n * m]
};

struct Outcomes {
  Table table;
  Texts texts;
};

/// Several files make one table with the union of their arms. An id may appear once in a file;
/// files that share an id and its prompt give one row, in which what one file knows fills what
/// another does not. Another prompt, or two different known values, is refused with both places.
/// Errors: kNotFound, kIo, kTooLarge, kInvalidJson, kInvalidData; kCancelled after an interrupt.
Result<Outcomes> read_outcomes(std::span<const std::string> files, const ReadOptions& options = {});
Result<Outcomes> read_outcomes(std::vector<ByteSource> sources, const ReadOptions& options = {});

/// The table alone.
Result<Table> read_table(std::span<const std::string> files);

}  // namespace rung::outcomes
