#include "predict/methods/battles.h"

#include <fmt/format.h>

#include <cmath>

namespace rung::predict {

Result<void> check_battles(std::span<const Battle> battles, std::size_t models, std::size_t rows) {
  for (std::size_t i = 0; i < battles.size(); ++i) {
    const Battle& b = battles[i];
    if (b.model_a >= models || b.model_b >= models)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("battle {} is between models {} and {}; only 0 to {} are known", i,
                               b.model_a, b.model_b, static_cast<long long>(models) - 1)};
    if (b.row >= rows)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("battle {} is about row {}; there are {} rows of embeddings", i,
                               b.row, rows)};
  }
  return {};
}

std::vector<Battle> battles_from_scores(const Matrix& score, double tie_margin) {
  std::vector<Battle> battles;
  for (Index i = 0; i < score.rows(); ++i)
    for (Index a = 0; a < score.cols(); ++a)
      for (Index b = a + 1; b < score.cols(); ++b) {
        const double gap = static_cast<double>(score(i, a)) - static_cast<double>(score(i, b));
        if (!std::isfinite(gap)) continue;
        const Winner winner = std::abs(gap) <= tie_margin ? Winner::kTie
                              : gap > 0                   ? Winner::kA
                                                          : Winner::kB;
        battles.push_back({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), winner,
                           static_cast<std::uint32_t>(i)});
      }
  return battles;
}

Matrix whole_scores(const Matrix& deviation, const Vector& mean) {
  return deviation.rowwise() + mean.transpose();
}

}  // namespace rung::predict
