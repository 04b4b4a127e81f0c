#pragma once
// What `rung replay` knows: recorded rows, found again by prompt and model. Read-only after
// loading; const use from many threads is safe.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace rung::replay {

/// One recorded answer. Absent is unknown.
struct Answer {
  std::optional<std::string_view> output;
  std::optional<double> score, cost;  // in [0, 1]; USD
  std::optional<std::int64_t> prompt_tokens, completion_tokens;
};

/// What a row holds of one model: one answer of an outcomes file, or the samples of a samples file.
struct Found {
  std::string_view id;
  std::optional<std::string_view> reference;
  std::vector<Answer> answers;  // never empty
  bool exact = true;            // false: only the normalised prompt matched
};

class Data {
 public:
  Data();
  ~Data();
  Data(Data&&) noexcept;

  /// Errors of the readers: each names the file, the line and the field.
  Result<void> add_outcomes(std::span<const std::string> files);
  /// Samples: {"id","prompt","reference"?,"models":{MODEL:[{"output"?,"correct"?,"score"?,"cost"?,
  /// "prompt_tokens"?,"completion_tokens"?}]}}, JSON lines, gzip and zstd allowed.
  Result<void> add_samples(std::span<const std::string> files);

  std::size_t rows() const;
  const std::vector<std::string>& models() const { return models_; }
  bool has_model(std::string_view model) const;
  /// The row whose prompt is `prompt`, exactly or else after normalise(), and which knows `model`.
  std::optional<Found> find(std::string_view prompt, std::string_view model) const;

 private:
  struct Table;
  struct Samples;
  struct Place {
    std::uint32_t source;  // 0: the table, 1: the samples
    std::uint32_t row;
  };
  void index(std::string_view prompt, Place place);
  void add_model(std::string_view model);
  std::string_view prompt_of(Place place) const;
  std::optional<Found> read(Place place, std::string_view model) const;

  std::unique_ptr<Table> table_;
  std::unique_ptr<Samples> samples_;
  std::vector<std::string> models_;
  std::unordered_multimap<std::uint64_t, Place> exact_, normalised_;  // by hash of the prompt
};

/// Lower case (ASCII), runs of white space as one space, none at the ends. Punctuation stays: "1+2"
/// is not "1-2".
std::string normalise(std::string_view text);

}  // namespace rung::replay
