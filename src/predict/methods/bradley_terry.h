#pragma once
// Bradley-Terry strengths by maximum likelihood: P(a beats b) = 1 / (1 + 10^(xi_b - xi_a)).
// RouteLLM (arXiv 2406.18665, section 4.2; reference code: compute_elo_mle_with_tie) fits them as
// an unregularised logistic regression over battles. The likelihood needs only how often each beat
// each other, so we fit on that matrix: the cost does not depend on the number of battles.

#include <cstdint>
#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

/// Weight of the ridge (on natural-log strengths, relative to the weight of all battles) that keeps
/// a fit finite where the likelihood has no maximum.
inline constexpr double kSeparableRidge = 1e-4;

struct BradleyTerry {
  std::vector<double> xi;  // [n]; the mean over each component is 0 (as from lbfgs started at 0)
  /// [n]; items that met, directly or through others, share a number. Strengths of different
  /// components do not compare.
  std::vector<std::uint32_t> component;
  bool regularised = false;
};

/// `wins` [n, n]: weight of a's wins over b, half of each tie to both; >= 0, finite; the diagonal
/// is ignored. Newton's method. Where a group within a component only ever won (or lost) against
/// the rest, the maximum is at infinity; then, and where Newton does not converge in 100 steps,
/// that component gets kSeparableRidge and `regularised` is set: of two items where one always won,
/// it wins with 0.9996. (The reference stops lbfgs after 100 iterations, wherever it is.) An item
/// without battles is a component of its own with xi 0: that is "unknown", not "average".
BradleyTerry fit_bradley_terry(const MatrixD& wins);

/// The chess scale of the papers.
inline double elo(double xi) { return 400 * xi + 1000; }
/// P(a beats b) by strengths.
double beats(double xi_a, double xi_b);

}  // namespace rung::predict
