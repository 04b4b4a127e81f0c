#pragma once
// Whole files: read at once, or written so that a reader never sees half of one.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung {

/// Errors: kNotFound, kIo; both name the path and the reason of the operating system.
Result<std::string> read_file(const std::filesystem::path& path);

/// A file that appears whole or not at all: bytes go to a hidden neighbour, `commit` syncs and
/// renames it. Destroyed without commit (an error, Ctrl-C handled by the caller), it leaves nothing
/// behind. A link is followed. What is there and no regular file (a pipe, /dev/null) is written to
/// as the bytes come, never replaced.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();
  Result<void> write(std::string_view bytes);
  Result<void> commit();

 private:
  AtomicFile(std::filesystem::path target, std::filesystem::path temporary, int fd);
  std::filesystem::path target_, temporary_;  // temporary_ is empty where nothing is renamed
  int fd_ = -1;
};

Result<void> write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace rung
