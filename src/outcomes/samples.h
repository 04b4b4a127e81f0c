#pragma once
// Several answers of each model or strategy to each question, JSON lines, plain or packed:
//
//   {"id","prompt"?,"models":{MODEL:[{"correct"?,"answer"?,"completion_tokens"?, ...}, ...]}}
//
// null or absent is unknown, unknown fields are allowed. What repeated sampling can and cannot do
// is read off them: a question that no sample of a model ever answers is out of its reach.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rung::outcomes {

enum class Correct : std::int8_t { kUnknown = -1, kWrong = 0, kRight = 1 };

struct Sample {
  std::string answer;  // as extracted, for voting; empty if there is none
  bool has_answer = false;
  Correct correct = Correct::kUnknown;
  std::int32_t completion_tokens = -1;  // -1: unknown
};

struct SampledItem {
  std::string id;
  std::uint32_t prompt_bytes = 0;
  std::vector<std::vector<Sample>> of_model;  // [models], each may be empty
};

struct Samples {
  std::vector<std::string> models;  // in order of first appearance
  std::vector<SampledItem> items;
};

/// Errors: kNotFound, kIo, kInvalidData with file, line, what was found and what was expected;
/// kCancelled after an interrupt.
Result<Samples> read_samples(std::span<const std::string> files);

/// The model of an arm that is named MODEL@effort or MODEL:strategy; the whole name if it is not.
/// A suffix that begins with a digit, or is "latest", is part of the name ("llama3:8b").
std::string_view model_of(std::string_view arm);

/// Mean over k samples drawn without replacement of "none is right", from n of which c are right
/// (1 - pass@k, Chen et al., arXiv 2107.03374); k <= n.
double none_right(std::size_t n, std::size_t c, std::size_t k);

}  // namespace rung::outcomes
