#pragma once
// The part of `rung evaluate` that perturbs prompts and asks whether the picks stay.

#include <array>
#include <optional>
#include <string>

#include "base/result.h"
#include "outcomes/metrics.h"
#include "outcomes/table.h"
#include "predict/router.h"
#include "text/perturb.h"

namespace rung::cli {

struct Robustness {
  struct Share {
    std::size_t changed = 0;             // prompts that the kind changed; the others do not count
    std::optional<double> at_operating;  // share of these whose pick stayed
    std::optional<double> over_budgets;  // the mean of the same over five budgets
  };
  std::array<Share, text::kPerturbations.size()> kinds;
  Share mean;                             // of the kinds that changed a prompt
  double margin = 0;                      // points
  double gain = 0, gain_with_margin = 0;  // hull gain, 1.0 = 100 points
};

/// `in_table` and `in_router`: the same arms as columns of both; `data` holds their cells. The
/// margin is in points. Error: kCancelled.
Result<Robustness> measure_robustness(const predict::Router& router, const outcomes::Table& table,
                                      const std::vector<std::size_t>& in_router,
                                      const outcomes::Estimated& data,
                                      const outcomes::Comparison& comparison, double margin,
                                      std::uint64_t seed);
std::string robustness_text(const Robustness& robustness);
std::string robustness_json(const Robustness& robustness);

}  // namespace rung::cli
