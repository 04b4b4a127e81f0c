#pragma once
// The inner loops of a decision, with AVX2 where the build has it and a scalar form that gives the
// same integers (or, for floats, the same up to rounding).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace rung::predict {

/// out[d] += weight * row[d]. row and out have the same size, any.
void add_scaled(float weight, std::span<const std::int8_t> row, std::span<float> out);
void add_scaled_scalar(float weight, std::span<const std::int8_t> row, std::span<float> out);
void add_scaled(float weight, std::span<const float> row, std::span<float> out);

/// Unit vectors packed for many dot products: eight vectors side by side, four dimensions a word.
/// A component x in [-1, 1] is stored as round(63 x) + 64, seven bits, so that sums of two products
/// with a signed byte never leave 16 bits.
class PackedVectors {
 public:
  static constexpr std::size_t kLanes = 8;
  /// Bytes of the packed form of `count` vectors of `dims` dimensions (a multiple of 4).
  static std::size_t packed_size(std::size_t count, std::size_t dims);
  /// rows [count, dims] row-major.
  static std::vector<std::uint8_t> pack(std::span<const float> rows, std::size_t dims);

  PackedVectors() = default;
  /// Looks at `bytes`, which must outlive it.
  PackedVectors(std::span<const std::uint8_t> bytes, std::size_t count, std::size_t dims)
      : bytes_(bytes), count_(count), dims_(dims) {}
  std::size_t size() const { return count_; }
  std::size_t blocks() const { return (count_ + kLanes - 1) / kLanes; }

  /// The query as signed bytes, round(127 x).
  static void quantise(std::span<const float> query, std::span<std::int8_t> out);
  /// dots[i] = about 63 * 127 * cosine. `dots` has blocks() * kLanes places; those past size() are
  /// unspecified.
  void dot(std::span<const std::int8_t> query, std::span<std::int32_t> dots) const;
  void dot_scalar(std::span<const std::int8_t> query, std::span<std::int32_t> dots) const;
  static constexpr float kScale = 1.0f / (63.0f * 127.0f);

 private:
  std::int32_t query_sum(std::span<const std::int8_t> query) const;
  std::span<const std::uint8_t> bytes_;
  std::size_t count_ = 0, dims_ = 0;
};

}  // namespace rung::predict
