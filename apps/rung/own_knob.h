#pragma once
// What a published router picks when its own knob is turned; shared by evaluate and compare.
//
//   pair methods   threshold: strong where s >= t. A sweep of lambda would not do: no price makes
//   it
//                  take the strong arm where s < 0.5
//   best-route     target_quality: the cheapest arm that is sure enough
//   avengers-pro   alpha in 101 steps; avengers has one setting, quality alone

#include <cstddef>
#include <optional>
#include <span>

#include "estimates.h"
#include "outcomes/hull_gain.h"
#include "predict/router.h"

namespace rung::cli {

inline constexpr std::size_t kNotKnown = static_cast<std::size_t>(-1);

/// `in_router`: the router's arm of each arm of `data`, or kNotKnown; `estimates` and `data` have
/// the rows of `table`. An arm without a score or a cost on a row is not picked there, nor is it
/// scaled with the others; where none of the router's arms is left, the cheapest one by the
/// router's mean costs is (then by place). None: the router has no knob of its own, or `data` lacks
/// an arm of its pair, so lambda is swept.
std::optional<outcomes::PickCurve> own_knob(const predict::Router& router,
                                            const outcomes::Table& table,
                                            const Estimates& estimates,
                                            std::span<const std::size_t> in_router,
                                            const outcomes::Estimated& data);

}  // namespace rung::cli
