#pragma once
// The plain bytes of a data file, whatever it is packed in: plain, gzip or zstd, told apart by the
// first bytes and never by the name. Bounded memory: the caller says how much it takes at a time.
// Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace rung::outcomes {

class ByteSource {
 public:
  /// Fills up to `capacity` bytes and says how many; 0 at the end; less than 0 is an error in
  /// errno.
  using Pull = std::function<std::ptrdiff_t(char* into, std::size_t capacity)>;

  /// A file, or standard input for "-". Errors: kNotFound, kIo.
  static Result<ByteSource> open(const std::string& path);
  /// Bytes from anywhere; `name` is what error sentences call them.
  ByteSource(std::string name, Pull pull);
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;
  ~ByteSource();

  /// Unpacked bytes: how many were written to `into`, 0 at the end. Errors: kIo; kInvalidData when
  /// the packed data is damaged, or ends in the middle.
  Result<std::size_t> read(char* into, std::size_t capacity);

  const std::string& name() const;
  /// Packed bytes taken so far, and how many there are (0 if unknown): for progress.
  std::uint64_t consumed() const;
  std::uint64_t total() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rung::outcomes
