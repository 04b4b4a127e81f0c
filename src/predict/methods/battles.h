#pragma once
// Preference pairs: two models answered one query, and one answer was better. What the pairwise
// methods (sw_ranking.h, matrix_factorisation.h, tiers.h) learn from; they come from votes, or from
// an outcomes table by comparing scores. Models and queries are indices into the caller's lists.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/matrix.h"

namespace rung::predict {

enum class Winner : std::uint8_t { kA = 0, kB = 1, kTie = 2 };

struct Battle {
  std::uint32_t model_a = 0, model_b = 0;
  Winner winner = Winner::kTie;
  std::uint32_t row = 0;  // of the matrix of embeddings
};

/// kInvalidData, naming the battle, if a model or a row is out of range. A battle of a model with
/// itself passes: each method says what it does with it.
Result<void> check_battles(std::span<const Battle> battles, std::size_t models, std::size_t rows);

/// Every pair of arms a < b that a row of `score` [n, m] has, row by row; NaN marks a missing score
/// and makes no battle. Scores that differ by at most `tie_margin` are a tie: the default forgives
/// the rounding of `whole_scores`. One arm, or rows with one score: no battles.
std::vector<Battle> battles_from_scores(const Matrix& score, double tie_margin = 1e-6);

/// Scores [n, m] again from deviations and means (dataset.h): deviations of two arms do not
/// compare.
Matrix whole_scores(const Matrix& deviation, const Vector& mean);

}  // namespace rung::predict
