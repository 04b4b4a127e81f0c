#pragma once
// Hybrid-LLM (arXiv 2404.14618, section 3): labels for "the small model's answer is at least as
// good as the large one's", from quality samples of both, and the relaxation t* of section 3.3. The
// head that predicts them from the query is in soft_logistic.h.
//
//   y(t) = share of pairs (i, j) with small_i >= large_j - t
//
// Where we differ: >= throughout, as the code does (the paper's shifted comparison also has >); a
// missing sample (NaN) is left out, and without samples the label is missing, not 0. The reference
// names two things `match_t`; they are two parameters here: the relaxation t of a label and the
// margin of a decision.

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/matrix.h"

namespace rung::predict {

/// y(t) in [0, 1], the share over all pairs of samples that are not NaN; t may be infinite. None if
/// one side has no sample.
std::optional<double> match_probability(std::span<const double> small,
                                        std::span<const double> large, double t = 0);
/// 1 or 0 from the first sample of each, `det_2cls`; none if one of the two is missing.
std::optional<int> match_label(std::span<const double> small, std::span<const double> large,
                               double t = 0);

/// y(t) for each row of an outcomes table [n, m], one sample each: 1, 0, or NaN where one of the
/// two was not scored. Give scores, not deviations (`whole_scores` in battles.h).
VectorD match_targets(const Matrix& score, Index small, Index large, double t = 0);

/// Quality samples of one query.
struct QualitySamples {
  std::vector<double> small, large;
};

/// Mean absolute difference of all pairs of labels, with itself too: equation 3's objective. NaN
/// are left out; 0 for no label. 2p(1-p) for labels of 0 and 1.
double label_spread(std::span<const double> labels);

struct Relaxation {
  double t = 0;
  double spread = 0;            // at t
  std::vector<double> labels;   // y_i(t), NaN where a query has none
  std::vector<double> spreads;  // by the grid's values
};

/// t* = the value of `grid` with the greatest spread of labels; of equal ones the first, so an
/// ascending grid gives the least relaxation (and its first value where qualities are constant).
/// Errors: kInvalidArgument (an empty grid, a NaN in it), kInvalidData (no query has both).
Result<Relaxation> find_relaxation(std::span<const QualitySamples> queries,
                                   std::span<const double> grid);
/// `count` >= 2 evenly spaced values from 0 to the largest t that still changes a label, a little
/// beyond, so that the last one calls every answer a match. {0} where small is never worse.
std::vector<double> relaxation_grid(std::span<const QualitySamples> queries, std::size_t count);

/// The decision: small if its probability is at least the threshold.
inline bool picks_small(double probability, double threshold) { return probability >= threshold; }
/// The threshold that the reference's decision margin p0 - p1 >= margin comes to.
inline double threshold_of_margin(double margin) { return (1 + margin) / 2; }

}  // namespace rung::predict
