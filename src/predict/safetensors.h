#pragma once
// The safetensors format: 8 bytes of header length (little endian), a JSON header naming dtype,
// shape and byte range of every tensor plus string metadata, then the bytes.
// https://github.com/huggingface/safetensors, "Format". We write tensors in the order given, each
// padded to 8 bytes by the header's length and their own sizes, and no other byte.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rung::predict {

// I64 is there to be passed over: models of others hold indices of it.
enum class DType : std::uint8_t { kF32, kI8, kU8, kI32, kI64 };
std::size_t size_of(DType type);
std::string_view name(DType type);  // "F32", as the format spells it

/// One tensor; `bytes` is a view into what was read, or what will be written.
struct Tensor {
  DType type = DType::kF32;
  std::vector<std::size_t> shape;
  std::string_view bytes;

  std::size_t elements() const;
  /// The values; the type must match (checked). Valid as long as the bytes.
  std::span<const float> f32() const;
  std::span<const std::int8_t> i8() const;
  std::span<const std::uint8_t> u8() const;
  std::span<const std::int32_t> i32() const;
};

/// A file being put together: owns its bytes. Deterministic: same calls, same bytes.
class TensorWriter {
 public:
  void metadata(std::string key, std::string value) {
    metadata_[std::move(key)] = std::move(value);
  }
  void add(std::string name, std::vector<std::size_t> shape, std::span<const float> values);
  void add(std::string name, std::vector<std::size_t> shape, std::span<const std::int8_t> values);
  void add(std::string name, std::vector<std::size_t> shape, std::span<const std::uint8_t> values);
  void add(std::string name, std::vector<std::size_t> shape, std::span<const std::int32_t> values);
  std::string finish() const;

 private:
  struct Entry {
    std::string name;
    DType type;
    std::vector<std::size_t> shape;
    std::string bytes;
  };
  void add_bytes(std::string name, DType type, std::vector<std::size_t> shape, const void* data,
                 std::size_t elements);
  std::map<std::string, std::string> metadata_;
  std::vector<Entry> entries_;
};

/// A file read in place: views into `bytes`, which must be aligned to 8 and outlive it.
class TensorFile {
 public:
  /// kCorruptFile unless: the header fits, is JSON of the right form, all ranges are inside the
  /// data, fit dtype x shape, overlap nowhere and cover every byte; floats are finite.
  static Result<TensorFile> parse(std::string_view bytes);
  /// kCorruptFile if it is absent or of another type or shape; the sentence says both. A dimension
  /// of kAny fits all.
  static constexpr std::size_t kAny = static_cast<std::size_t>(-1);
  Result<Tensor> tensor(std::string_view name, DType type,
                        std::span<const std::size_t> shape) const;
  bool has(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  /// Empty if absent.
  std::string_view metadata(std::string_view key) const;
  const std::map<std::string, std::string, std::less<>>& all_metadata() const { return metadata_; }

 private:
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace rung::predict
