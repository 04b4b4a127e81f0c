#include "predict/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace rung::predict {

void add_scaled_scalar(float weight, std::span<const std::int8_t> row, std::span<float> out) {
  for (std::size_t d = 0; d < out.size(); ++d) out[d] += weight * static_cast<float>(row[d]);
}

void add_scaled(float weight, std::span<const std::int8_t> row, std::span<float> out) {
  std::size_t d = 0;
#ifdef __AVX2__
  const __m256 w = _mm256_set1_ps(weight);
  for (; d + 8 <= out.size(); d += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row.data() + d));
    const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    _mm256_storeu_ps(out.data() + d, _mm256_fmadd_ps(w, values, _mm256_loadu_ps(out.data() + d)));
  }
#endif
  for (; d < out.size(); ++d) out[d] += weight * static_cast<float>(row[d]);
}

void add_scaled(float weight, std::span<const float> row, std::span<float> out) {
  for (std::size_t d = 0; d < out.size(); ++d) out[d] += weight * row[d];
}

std::size_t PackedVectors::packed_size(std::size_t count, std::size_t dims) {
  return (count + kLanes - 1) / kLanes * kLanes * dims;
}

std::vector<std::uint8_t> PackedVectors::pack(std::span<const float> rows, std::size_t dims) {
  const std::size_t count = rows.size() / dims;
  std::vector<std::uint8_t> out(packed_size(count, dims), 64);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t d = 0; d < dims; ++d) {
      const float x = std::clamp(rows[i * dims + d], -1.0f, 1.0f);
      const std::size_t at =
          (i / kLanes) * kLanes * dims + (d / 4) * kLanes * 4 + (i % kLanes) * 4 + d % 4;
      out[at] = static_cast<std::uint8_t>(64 + std::lrint(63.0f * x));
    }
  return out;
}

void PackedVectors::quantise(std::span<const float> query, std::span<std::int8_t> out) {
  for (std::size_t d = 0; d < out.size(); ++d)
    out[d] = static_cast<std::int8_t>(std::lrint(127.0f * std::clamp(query[d], -1.0f, 1.0f)));
}

std::int32_t PackedVectors::query_sum(std::span<const std::int8_t> query) const {
  std::int32_t sum = 0;
  for (std::int8_t q : query) sum += q;
  return 64 * sum;  // what the +64 of every stored component adds to a dot product
}

void PackedVectors::dot_scalar(std::span<const std::int8_t> query,
                               std::span<std::int32_t> dots) const {
  const std::int32_t offset = query_sum(query);
  for (std::size_t i = 0; i < blocks() * kLanes; ++i) {
    const std::uint8_t* block = bytes_.data() + (i / kLanes) * kLanes * dims_;
    std::int32_t sum = 0;
    for (std::size_t d = 0; d < dims_; ++d)
      sum += block[(d / 4) * kLanes * 4 + (i % kLanes) * 4 + d % 4] * query[d];
    dots[i] = sum - offset;
  }
}

void PackedVectors::dot(std::span<const std::int8_t> query, std::span<std::int32_t> dots) const {
#ifdef __AVX2__
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i offset = _mm256_set1_epi32(query_sum(query));
  for (std::size_t b = 0; b < blocks(); ++b) {
    const std::uint8_t* block = bytes_.data() + b * kLanes * dims_;
    __m256i sum = _mm256_setzero_si256();
    for (std::size_t d = 0; d < dims_; d += 4) {
      std::int32_t word = 0;
      std::memcpy(&word, query.data() + d, 4);
      const __m256i stored =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + d * kLanes));
      const __m256i pairs = _mm256_maddubs_epi16(stored, _mm256_set1_epi32(word));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dots.data() + b * kLanes),
                        _mm256_sub_epi32(sum, offset));
  }
#else
  dot_scalar(query, dots);
#endif
}

}  // namespace rung::predict
