#include "outcomes/margin.h"

#include <cmath>

#include "base/parallel.h"

namespace rung::outcomes {

std::vector<std::size_t> picks_with_margin(const Estimated& data, const Priors& priors,
                                           double lambda, double margin) {
  std::vector<std::size_t> picked = picks(data, lambda);
  if (margin <= 0 || std::isinf(lambda)) return picked;
  for (std::size_t row = 0; row < data.rows; ++row) {
    if (picked[row] == data.arms) continue;
    std::size_t stay = data.arms;
    double most = 0;
    for (std::size_t arm = 0; arm < data.arms; ++arm) {
      if (!data.usable(row, arm)) continue;
      const double value =
          static_cast<double>(priors.quality[arm]) - lambda * static_cast<double>(priors.cost[arm]);
      if (stay == data.arms || value > most ||
          (value == most && priors.cost[arm] < priors.cost[stay]))
        stay = arm, most = value;
    }
    const auto value = [&](std::size_t arm) {
      return static_cast<double>(data.est_quality[data.cell(row, arm)]) -
             lambda * static_cast<double>(data.est_cost[data.cell(row, arm)]);
    };
    if (value(picked[row]) - value(stay) <= margin) picked[row] = stay;
  }
  return picked;
}

double hull_gain_with_margin(const Estimated& data, const Priors& priors, const HullGain& plain,
                             double margin) {
  std::vector<Point> points(plain.sweep.size());
  parallel_for(points.size(), [&](std::size_t s) {
    const auto picked = picks_with_margin(data, priors, plain.sweep[s].lambda, margin);
    double cost = 0, score = 0, rows = 0;
    for (std::size_t row = 0; row < data.rows; ++row) {
      if (picked[row] == data.arms) continue;
      cost += static_cast<double>(data.cost[data.cell(row, picked[row])]);
      score += static_cast<double>(data.score[data.cell(row, picked[row])]);
      rows += 1;
    }
    points[s] = {cost / rows, score / rows};
  });
  return mean_gain(plain.static_hull, Hull(points), plain.budgets);
}

}  // namespace rung::outcomes
