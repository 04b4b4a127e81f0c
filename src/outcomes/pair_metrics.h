#pragma once
// What is said of a router between two arms, a strong and a weak one, from the curve of mean
// quality over the share of strong calls.
//
//   quality │ strong ─ ─ ─ ─ ─ ─ ─ ─ ●     PGR: how far up, as a share of the gap
//           │               ●  '           CPT(x): the share of strong calls at which x of the
//           │        ●      '              gap is first recovered
//           │   ●   '                      APGR: the area between the curve and "always weak", as
//           │ weak ─ ─ ─ ─ ─ ─ ─ ─ ─       a share of the whole rectangle; a coin has 0.5
//           └──────────────────── share of strong calls, 0 to 1
//
// Source: Ong et al., RouteLLM (arXiv 2406.18665) and its evaluation code. Where we differ: CPT is
// the first crossing of the curve ordered by share (theirs interpolates share over quality, which
// is undefined where quality falls); APGR refuses a curve without both ends (theirs takes the areas
// over the spanned range only, which is apgr_of_span here); equal quantiles are merged (theirs
// raises). Shares are 0 to 1, quality is in any unit. What is undefined is empty, never 0.
// Pure functions; safe from many threads.

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace rung::outcomes {

struct SharePoint {
  double share = 0;    // of the queries that went to the strong arm, in [0, 1]
  double quality = 0;  // mean over all queries
};

/// Performance gap recovered: (quality - weak) / (strong - weak). May be below 0 or above 1; empty
/// if strong equals weak.
std::optional<double> pgr(double quality, double weak, double strong);

/// Call-performance threshold: the smallest share of strong calls at which the curve, linear
/// between its points, reaches weak + x (strong - weak); empty if it never does, if the curve is
/// empty, or if strong is not above weak. Points may come in any order.
std::optional<double> cpt(std::span<const SharePoint> curve, double weak, double strong, double x);

/// Area under the curve over the shares that it spans, by trapezoids; empty for fewer than two
/// points.
std::optional<double> area_under(std::span<const SharePoint> curve);

/// Average performance gap recovered. Errors: kInvalidArgument if the curve does not reach from
/// share 0 to share 1, naming what it spans; kInfeasible if strong equals weak.
Result<double> apgr(std::span<const SharePoint> curve, double weak, double strong);

/// The reference's number, over whatever the curve spans: a curve cut to its middle flatters.
/// Comparable with nothing but itself; empty where the span has no width or strong equals weak.
std::optional<double> apgr_of_span(std::span<const SharePoint> curve, double weak, double strong);

/// The paper's discrete form: the mean PGR at the shares 1/levels, 2/levels, ..., 1. Errors: those
/// of apgr.
Result<double> apgr_at_levels(std::span<const SharePoint> curve, double weak, double strong,
                              std::size_t levels = 10);

/// One row of a pair: s(q), and what each arm scored.
struct PairScores {
  std::span<const double> score;         // [n] of going strong: higher means strong
  std::span<const double> weak, strong;  // [n] quality
};

struct SweepThreshold {
  double threshold = 0;
  bool inclusive = true;  // strong if score >= threshold; false: only if score > threshold
  SharePoint point;
};

/// The curve at the thresholds 0, 1/steps, ..., 1 as quantiles of the scores: strong if score >=
/// threshold, but > for the last, so that the curve runs from all strong to all weak. Equal
/// thresholds with the same comparison are merged. Errors: kInvalidArgument for no rows, sizes that
/// disagree or steps of 0; kInvalidData for numbers that are not finite.
Result<std::vector<SweepThreshold>> threshold_sweep(const PairScores& rows, std::size_t steps = 10);

/// The points of a sweep, as the functions above take them.
std::vector<SharePoint> curve_of(std::span<const SweepThreshold> sweep);

/// The best that any router between the two could do, at 0, 1, ..., n strong calls [n + 1]: strong
/// calls go where strong gains most, and none is made where it loses. For scores of 0 and 1 this is
/// (weak-correct + min(strong calls, queries that only the strong arm gets right)) / n.
std::vector<SharePoint> oracle_curve(std::span<const double> weak, std::span<const double> strong);

}  // namespace rung::outcomes
