#include "predict/kernels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace rung::predict {
namespace {

std::vector<float> unit_vectors(std::size_t count, std::size_t dims, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(count * dims);
  for (std::size_t i = 0; i < count; ++i) {
    double length = 0;
    for (std::size_t d = 0; d < dims; ++d) {
      out[i * dims + d] = static_cast<float>(rng.normal());
      length += out[i * dims + d] * out[i * dims + d];
    }
    for (std::size_t d = 0; d < dims; ++d)
      out[i * dims + d] /= static_cast<float>(std::sqrt(length));
  }
  return out;
}

TEST(AddScaled, AgreesWithTheScalarReference) {
  Rng rng(1);
  for (std::size_t n : {0u, 1u, 7u, 8u, 9u, 15u, 64u, 129u}) {
    std::vector<std::int8_t> row(n);
    for (auto& x : row) x = static_cast<std::int8_t>(static_cast<int>(rng.below(256)) - 128);
    std::vector<float> a(n, 0.5f), b = a;
    add_scaled(0.37f, row, a);
    add_scaled_scalar(0.37f, row, b);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(a[i], b[i], 1e-4f) << "n=" << n;
  }
}

TEST(PackedVectors, Avx2GivesTheIntegersOfTheScalarReference) {
  for (std::size_t count : {1u, 7u, 8u, 9u, 100u})
    for (std::size_t dims : {4u, 8u, 64u, 128u}) {
      const auto rows = unit_vectors(count, dims, count * 1000 + dims);
      const auto packed = PackedVectors::pack(rows, dims);
      const PackedVectors vectors(packed, count, dims);
      const auto query = unit_vectors(1, dims, 7);
      std::vector<std::int8_t> q(dims);
      PackedVectors::quantise(query, q);
      std::vector<std::int32_t> fast(vectors.blocks() * PackedVectors::kLanes), slow = fast;
      vectors.dot(q, fast);
      vectors.dot_scalar(q, slow);
      EXPECT_EQ(fast, slow) << count << " x " << dims;
    }
}

TEST(PackedVectors, DotIsNearTheCosine) {
  const std::size_t dims = 128;
  const auto rows = unit_vectors(32, dims, 3);
  const auto packed = PackedVectors::pack(rows, dims);
  const PackedVectors vectors(packed, 32, dims);
  std::vector<std::int8_t> q(dims);
  PackedVectors::quantise(std::span(rows).first(dims), q);
  std::vector<std::int32_t> dots(32);
  vectors.dot(q, dots);
  for (std::size_t i = 0; i < 32; ++i) {
    float exact = 0;
    for (std::size_t d = 0; d < dims; ++d) exact += rows[d] * rows[i * dims + d];
    EXPECT_NEAR(static_cast<float>(dots[i]) * PackedVectors::kScale, exact, 0.02f);
  }
}

TEST(PackedVectors, DoNotOverflowAtTheCorners) {
  const std::size_t dims = 128;
  const std::vector<float> ones(dims, 1.0f), minus(dims, -1.0f);
  for (const auto& row : {ones, minus})
    for (const auto& query : {ones, minus}) {
      const auto packed = PackedVectors::pack(row, dims);
      const PackedVectors vectors(packed, 1, dims);
      std::vector<std::int8_t> q(dims);
      PackedVectors::quantise(query, q);
      std::vector<std::int32_t> dots(8);
      vectors.dot(q, dots);
      EXPECT_EQ(dots[0], (row[0] * query[0] > 0 ? 1 : -1) * 63 * 127 * 128);
    }
}

}  // namespace
}  // namespace rung::predict
