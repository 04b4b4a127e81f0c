#pragma once
// Writes outcomes in the format that reader.h reads, packed by the ending of the name (.gz, .zst,
// else plain). The file appears whole or not at all.

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "outcomes/reader.h"

namespace rung::outcomes {

/// Packed or plain text, written a piece at a time. Not thread-safe. Destroyed without commit it
/// leaves no file.
class PackedFile {
 public:
  static Result<PackedFile> create(const std::filesystem::path& path);
  PackedFile(PackedFile&&) noexcept;
  ~PackedFile();
  Result<void> write(std::string_view bytes);
  Result<void> commit();

 private:
  struct Impl;
  explicit PackedFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The given rows, in that order; Texts are written where they were kept. Errors: kIo, kNotFound;
/// kCancelled.
Result<void> write_outcomes(const std::filesystem::path& path, const Outcomes& outcomes,
                            std::span<const std::size_t> rows);
/// All rows.
Result<void> write_outcomes(const std::filesystem::path& path, const Outcomes& outcomes);

}  // namespace rung::outcomes
