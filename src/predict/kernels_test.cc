#include "predict/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/random.h"

namespace rung::predict {
namespace {

TEST(WeightedRows, GivesTheBitsOfTheScalarReference) {
  Rng rng(1);
  std::vector<std::int8_t> table(300 * kKernelColumns);
  for (auto& x : table) x = static_cast<std::int8_t>(static_cast<int>(rng.below(256)) - 128);
  for (std::size_t n : {0u, 1u, 2u, 7u, 8u, 9u, 64u, 1000u}) {
    std::vector<std::uint16_t> rows(n);
    std::vector<float> weights(n);
    for (std::size_t i = 0; i < n; ++i) {
      rows[i] = static_cast<std::uint16_t>(rng.below(300));
      weights[i] = static_cast<float>(rng.normal());
    }
    std::array<float, kKernelColumns> fast, slow;
    fast.fill(7), slow.fill(7);
    weighted_rows(table.data(), rows, weights, fast);
    weighted_rows_scalar(table.data(), rows, weights, slow);
    EXPECT_EQ(fast, slow) << "n=" << n;
  }
}

TEST(AddProduct, GivesTheBitsOfTheScalarReference) {
  Rng rng(2);
  for (std::size_t rows : {0u, 1u, 5u, 177u})
    for (std::size_t columns :
         {1u, 2u, 7u, 8u, 9u, 16u, 41u, 64u, 65u, 96u, 97u, 160u, 177u, 300u}) {
      std::vector<float> table(rows * columns), x(rows), fast(columns);
      for (auto* values : {&table, &x, &fast})
        for (float& v : *values) v = static_cast<float>(rng.normal());
      std::vector<float> slow = fast;
      add_product(table, x, fast);
      add_product_scalar(table, x, slow);
      EXPECT_EQ(fast, slow) << rows << " x " << columns;
    }
}

}  // namespace
}  // namespace rung::predict
