#pragma once
// The inner loops of the sentence encoder, float32. Sums are chains or fixed lanes in a stated
// order, so that one build gives the same bits on every x86-64 machine.

#include <cstddef>
#include <cstdint>
#include <span>

namespace rung::predict {

inline constexpr std::size_t kPanel = 32;  // columns of a weight panel

/// tile [rows, kPanel] = x [rows, depth] * panel [depth, kPanel]; rows of x lie `stride` apart.
/// Each element is a chain of fused multiply-adds in the order of depth.
void multiply_panel(const float* x, std::size_t stride, std::size_t rows, std::size_t depth,
                    const float* panel, float* tile);
/// The same, one element after the other: what the fast ones are held against.
void multiply_panel_scalar(const float* x, std::size_t stride, std::size_t rows, std::size_t depth,
                           const float* panel, float* tile);

/// x * Phi(x), with Phi by the error function (Abramowitz and Stegun 7.1.26: within 1e-6).
void gelu(std::span<float> x);
/// exp(x - max) / sum, in place; not empty.
void softmax(std::span<float> x);
/// (x - mean) / sqrt(variance + 1e-12) * weight + bias, in place; all of one size.
void layer_norm(std::span<float> x, std::span<const float> weight, std::span<const float> bias);

}  // namespace rung::predict
