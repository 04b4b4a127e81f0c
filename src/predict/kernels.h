#pragma once
// The inner loops of a decision. Each element is a chain of fused multiply-adds in a stated order,
// so that vectors of any width give the same bits.

#include <cstddef>
#include <cstdint>
#include <span>

namespace rung::predict {

/// out[kColumns] = the sum over i of weights[i] * table[rows[i]], with table [., kColumns]
/// row-major and every rows[i] within it; in the order of i.
inline constexpr std::size_t kKernelColumns = 128;
void weighted_rows(const std::int8_t* table, std::span<const std::uint16_t> rows,
                   std::span<const float> weights, std::span<float, kKernelColumns> out);

/// The same, one column after the other: what the fast ones are held against.
void weighted_rows_scalar(const std::int8_t* table, std::span<const std::uint16_t> rows,
                          std::span<const float> weights, std::span<float, kKernelColumns> out);

/// out[j] += the sum over k of x[k] * table[k, j], with table [x.size(), out.size()] row-major; in
/// the order of k.
void add_product(std::span<const float> table, std::span<const float> x, std::span<float> out);
void add_product_scalar(std::span<const float> table, std::span<const float> x,
                        std::span<float> out);

}  // namespace rung::predict
