#include "predict/kernels.h"

#include <cmath>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace rung::predict {
namespace {

constexpr std::size_t kColumns = kKernelColumns;

#ifdef __x86_64__
// Rows lie all over a table of two megabytes, and which come next is known: they are asked for
// early enough to be in the first cache when their turn comes.
constexpr std::size_t kAhead = 8;

inline void fetch_ahead(const std::int8_t* table, std::span<const std::uint16_t> rows,
                        std::size_t i) {
  if (i + kAhead >= rows.size()) return;
  const char* row = reinterpret_cast<const char*>(table + rows[i + kAhead] * kColumns);
  _mm_prefetch(row, _MM_HINT_T0);
  _mm_prefetch(row + 64, _MM_HINT_T0);
}

// The whole sum in eight registers.
__attribute__((target("avx512f"))) void weighted_rows_avx512(const std::int8_t* table,
                                                             std::span<const std::uint16_t> rows,
                                                             std::span<const float> weights,
                                                             float* out) {
  constexpr std::size_t kParts = kColumns / 16;
  __m512 sum[kParts];
  for (auto& part : sum) part = _mm512_setzero_ps();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    fetch_ahead(table, rows, i);
    const std::int8_t* row = table + rows[i] * kColumns;
    const __m512 weight = _mm512_set1_ps(weights[i]);
    for (std::size_t p = 0; p < kParts; ++p) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 16 * p));
      sum[p] = _mm512_fmadd_ps(weight, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)), sum[p]);
    }
  }
  for (std::size_t p = 0; p < kParts; ++p) _mm512_storeu_ps(out + 16 * p, sum[p]);
}

// Half of the columns at a time: sixteen registers hold eight sums and what is added to them.
__attribute__((target("avx2,fma"))) void weighted_rows_avx2(const std::int8_t* table,
                                                            std::span<const std::uint16_t> rows,
                                                            std::span<const float> weights,
                                                            float* out) {
  constexpr std::size_t kHalf = kColumns / 2, kParts = kHalf / 8;
  for (std::size_t begin = 0; begin < kColumns; begin += kHalf) {
    __m256 sum[kParts];
    for (auto& part : sum) part = _mm256_setzero_ps();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      fetch_ahead(table, rows, i);
      const std::int8_t* row = table + rows[i] * kColumns + begin;
      const __m256 weight = _mm256_set1_ps(weights[i]);
      for (std::size_t p = 0; p < kParts; ++p) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + 8 * p));
        sum[p] = _mm256_fmadd_ps(weight, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), sum[p]);
      }
    }
    for (std::size_t p = 0; p < kParts; ++p) _mm256_storeu_ps(out + begin + 8 * p, sum[p]);
  }
}

// Columns [begin, begin + 16 * kParts) of a product; those at and past the end are masked away.
template <std::size_t kParts>
__attribute__((target("avx512f"))) void product_block_avx512(const float* table,
                                                             std::span<const float> x,
                                                             std::span<float> out,
                                                             std::size_t begin) {
  __mmask16 mask[kParts];
  __m512 sum[kParts];
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::size_t at = begin + 16 * p, left = out.size() > at ? out.size() - at : 0;
    mask[p] = static_cast<__mmask16>(left >= 16 ? 0xffff : (1u << left) - 1);
    sum[p] = _mm512_maskz_loadu_ps(mask[p], out.data() + at);
  }
  for (std::size_t k = 0; k < x.size(); ++k) {
    const float* row = table + k * out.size() + begin;
    const __m512 weight = _mm512_set1_ps(x[k]);
    for (std::size_t p = 0; p < kParts; ++p)
      sum[p] = _mm512_fmadd_ps(weight, _mm512_maskz_loadu_ps(mask[p], row + 16 * p), sum[p]);
  }
  for (std::size_t p = 0; p < kParts; ++p)
    _mm512_mask_storeu_ps(out.data() + begin + 16 * p, mask[p], sum[p]);
}

__attribute__((target("avx512f"))) void add_product_avx512(std::span<const float> table,
                                                           std::span<const float> x,
                                                           std::span<float> out) {
  std::size_t begin = 0;
  for (; out.size() - begin > 64; begin += 96) {
    product_block_avx512<6>(table.data(), x, out, begin);
    if (out.size() - begin <= 96) return;
  }
  if (begin < out.size()) product_block_avx512<4>(table.data(), x, out, begin);
}

// Columns in blocks of eight registers, then of one, then one by one.
template <std::size_t kParts>
__attribute__((target("avx2,fma"))) void product_block_avx2(const float* table,
                                                            std::span<const float> x,
                                                            std::span<float> out,
                                                            std::size_t begin) {
  __m256 sum[kParts];
  for (std::size_t p = 0; p < kParts; ++p) sum[p] = _mm256_loadu_ps(out.data() + begin + 8 * p);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const float* row = table + k * out.size() + begin;
    const __m256 weight = _mm256_set1_ps(x[k]);
    for (std::size_t p = 0; p < kParts; ++p)
      sum[p] = _mm256_fmadd_ps(weight, _mm256_loadu_ps(row + 8 * p), sum[p]);
  }
  for (std::size_t p = 0; p < kParts; ++p) _mm256_storeu_ps(out.data() + begin + 8 * p, sum[p]);
}

__attribute__((target("avx2,fma"))) void add_product_avx2(std::span<const float> table,
                                                          std::span<const float> x,
                                                          std::span<float> out) {
  std::size_t j = 0;
  for (; j + 64 <= out.size(); j += 64) product_block_avx2<8>(table.data(), x, out, j);
  for (; j + 8 <= out.size(); j += 8) product_block_avx2<1>(table.data(), x, out, j);
  for (; j < out.size(); ++j)
    for (std::size_t k = 0; k < x.size(); ++k)
      out[j] = __builtin_fmaf(x[k], table[k * out.size() + j], out[j]);
}

enum class Width { kScalar, kAvx2, kAvx512 };

Width width() {
  static const Width best =
      __builtin_cpu_supports("avx512f") != 0                                      ? Width::kAvx512
      : __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 ? Width::kAvx2
                                                                                  : Width::kScalar;
  return best;
}
#endif

}  // namespace

void weighted_rows_scalar(const std::int8_t* table, std::span<const std::uint16_t> rows,
                          std::span<const float> weights, std::span<float, kColumns> out) {
  for (std::size_t column = 0; column < kColumns; ++column) {
    float sum = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      sum = std::fma(weights[i], static_cast<float>(table[rows[i] * kColumns + column]), sum);
    out[column] = sum;
  }
}

void weighted_rows(const std::int8_t* table, std::span<const std::uint16_t> rows,
                   std::span<const float> weights, std::span<float, kColumns> out) {
#ifdef __x86_64__
  if (width() == Width::kAvx512) return weighted_rows_avx512(table, rows, weights, out.data());
  if (width() == Width::kAvx2) return weighted_rows_avx2(table, rows, weights, out.data());
#endif
  weighted_rows_scalar(table, rows, weights, out);
}

void add_product_scalar(std::span<const float> table, std::span<const float> x,
                        std::span<float> out) {
  for (std::size_t k = 0; k < x.size(); ++k)
    for (std::size_t j = 0; j < out.size(); ++j)
      out[j] = std::fma(x[k], table[k * out.size() + j], out[j]);
}

void add_product(std::span<const float> table, std::span<const float> x, std::span<float> out) {
#ifdef __x86_64__
  if (width() == Width::kAvx512) return add_product_avx512(table, x, out);
  if (width() == Width::kAvx2) return add_product_avx2(table, x, out);
#endif
  add_product_scalar(table, x, out);
}

}  // namespace rung::predict
