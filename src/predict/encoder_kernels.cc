#include "predict/encoder_kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace rung::predict {
namespace {

constexpr std::size_t kLanes = 16;  // of sums over a row

/// Within 2 units in the last place for x in [-87, 88]; what lies below counts as -87. Written so
/// that the compiler makes vectors of it.
inline float exp_of(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: its last bits hold what is added, rounded
  x = x < -87.0f ? -87.0f : x;
  const float shifted = std::fma(x, 1.44269504f, kMagic);
  const float n = shifted - kMagic;
  float r = std::fma(n, -0.693359375f, x);
  r = std::fma(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;  // coefficients of Cephes' expf
  p = std::fma(p, r, 1.3981999507e-3f);
  p = std::fma(p, r, 8.3334519073e-3f);
  p = std::fma(p, r, 4.1665795894e-2f);
  p = std::fma(p, r, 1.6666665459e-1f);
  p = std::fma(p, r, 5.0000001201e-1f);
  p = std::fma(p, r * r, r + 1.0f);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                              (std::bit_cast<std::uint32_t>(shifted) << 23));
}

/// The sum of f(x[i]), in kLanes lanes.
template <class F>
inline float lane_sum(std::span<const float> x, F f) {
  std::array<float, kLanes> lane{};
  std::size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes)
    for (std::size_t l = 0; l < kLanes; ++l) lane[l] += f(x[i + l]);
  for (std::size_t l = 0; i + l < x.size(); ++l) lane[l] += f(x[i + l]);
  float sum = 0;
  for (const float value : lane) sum += value;
  return sum;
}

#ifdef __x86_64__
using Block = void (*)(const float* x, std::size_t stride, std::size_t depth, const float* panel,
                       float* tile);

template <std::size_t kRows>
__attribute__((target("avx512f"))) void block_avx512(const float* x, std::size_t stride,
                                                     std::size_t depth, const float* panel,
                                                     float* tile) {
  __m512 sum[kRows][2];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
  for (std::size_t k = 0; k < depth; ++k) {
    const __m512 a = _mm512_loadu_ps(panel + k * kPanel);
    const __m512 b = _mm512_loadu_ps(panel + k * kPanel + 16);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512 value = _mm512_set1_ps(x[r * stride + k]);
      sum[r][0] = _mm512_fmadd_ps(value, a, sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(value, b, sum[r][1]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(tile + r * kPanel, sum[r][0]);
    _mm512_storeu_ps(tile + r * kPanel + 16, sum[r][1]);
  }
}

// Half a panel at a time: sixteen registers hold twelve sums and what is added to them.
template <std::size_t kRows>
__attribute__((target("avx2,fma"))) void block_avx2(const float* x, std::size_t stride,
                                                    std::size_t depth, const float* panel,
                                                    float* tile) {
  for (std::size_t half = 0; half < kPanel; half += 16) {
    __m256 sum[kRows][2];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (std::size_t k = 0; k < depth; ++k) {
      const __m256 a = _mm256_loadu_ps(panel + k * kPanel + half);
      const __m256 b = _mm256_loadu_ps(panel + k * kPanel + half + 8);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256 value = _mm256_broadcast_ss(x + r * stride + k);
        sum[r][0] = _mm256_fmadd_ps(value, a, sum[r][0]);
        sum[r][1] = _mm256_fmadd_ps(value, b, sum[r][1]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      _mm256_storeu_ps(tile + r * kPanel + half, sum[r][0]);
      _mm256_storeu_ps(tile + r * kPanel + half + 8, sum[r][1]);
    }
  }
}

/// Blocks of blocks.size() rows, then one block of the rest: blocks[r - 1] does r rows.
void by_blocks(std::span<const Block> blocks, const float* x, std::size_t stride, std::size_t rows,
               std::size_t depth, const float* panel, float* tile) {
  for (std::size_t r = 0; r < rows;) {
    const std::size_t n = std::min(blocks.size(), rows - r);
    blocks[n - 1](x + r * stride, stride, depth, panel, tile + r * kPanel);
    r += n;
  }
}
#endif

}  // namespace

void multiply_panel_scalar(const float* x, std::size_t stride, std::size_t rows, std::size_t depth,
                           const float* panel, float* tile) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < kPanel; ++c) {
      float sum = 0;
      for (std::size_t k = 0; k < depth; ++k)
        sum = std::fma(x[r * stride + k], panel[k * kPanel + c], sum);
      tile[r * kPanel + c] = sum;
    }
}

void multiply_panel(const float* x, std::size_t stride, std::size_t rows, std::size_t depth,
                    const float* panel, float* tile) {
#ifdef __x86_64__
  static constexpr Block kAvx512[] = {block_avx512<1>, block_avx512<2>, block_avx512<3>,
                                      block_avx512<4>, block_avx512<5>, block_avx512<6>,
                                      block_avx512<7>, block_avx512<8>};
  static constexpr Block kAvx2[] = {block_avx2<1>, block_avx2<2>, block_avx2<3>,
                                    block_avx2<4>, block_avx2<5>, block_avx2<6>};
  static const bool has_512 = __builtin_cpu_supports("avx512f") != 0;
  static const bool has_256 =
      __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (has_512) return by_blocks(kAvx512, x, stride, rows, depth, panel, tile);
  if (has_256) return by_blocks(kAvx2, x, stride, rows, depth, panel, tile);
#endif
  multiply_panel_scalar(x, stride, rows, depth, panel, tile);
}

void gelu(std::span<float> x) {
  for (float& value : x) {
    const float z = std::abs(value) * 0.70710678f;
    const float t = 1.0f / std::fma(0.3275911f, z, 1.0f);
    float p = 1.061405429f;
    p = std::fma(p, t, -1.453152027f);
    p = std::fma(p, t, 1.421413741f);
    p = std::fma(p, t, -0.284496736f);
    p = std::fma(p, t, 0.254829592f);
    const float erf = 1.0f - p * t * exp_of(-z * z);
    value = 0.5f * (value + std::abs(value) * erf);
  }
}

void softmax(std::span<float> x) {
  float top = x[0];
  for (const float value : x) top = value > top ? value : top;
  for (float& value : x) value = exp_of(value - top);
  const float scale = 1.0f / lane_sum(x, [](float value) { return value; });
  for (float& value : x) value *= scale;
}

void layer_norm(std::span<float> x, std::span<const float> weight, std::span<const float> bias) {
  const float n = static_cast<float>(x.size());
  const float mean = lane_sum(x, [](float value) { return value; }) / n;
  const float variance =
      lane_sum(x, [mean](float value) { return (value - mean) * (value - mean); }) / n;
  const float scale = 1.0f / std::sqrt(variance + 1e-12f);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::fma((x[i] - mean) * scale, weight[i], bias[i]);
}

}  // namespace rung::predict
