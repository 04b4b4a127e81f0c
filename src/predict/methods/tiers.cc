#include "predict/methods/tiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "predict/methods/bradley_terry.h"

namespace rung::predict {

Result<EloFit> fit_elo(std::span<const Battle> battles, std::size_t models) {
  const std::size_t any_row = std::numeric_limits<std::size_t>::max();
  if (auto ok = check_battles(battles, models, any_row); !ok) return ok.error();
  const auto m = static_cast<Index>(models);
  MatrixD wins = MatrixD::Zero(m, m);
  for (const Battle& b : battles) {
    if (b.model_a == b.model_b) continue;
    const double a_wins = b.winner == Winner::kA ? 1 : b.winner == Winner::kB ? 0 : 0.5;
    wins(b.model_a, b.model_b) += a_wins;
    wins(b.model_b, b.model_a) += 1 - a_wins;
  }
  if (wins.sum() <= 0)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("none of {} battles is between two models; ratings need at least one",
                             battles.size())};
  const BradleyTerry strengths = fit_bradley_terry(wins);
  EloFit fit;
  fit.regularised = strengths.regularised;
  std::int64_t component = -1;
  for (std::size_t i = 0; i < models; ++i) {
    const auto at = static_cast<Index>(i);
    fit.rating.push_back(elo(strengths.xi[i]));
    fit.rated.push_back(wins.row(at).sum() + wins.col(at).sum() > 0);
    if (!fit.rated.back()) continue;
    if (component >= 0 && component != strengths.component[i]) fit.comparable = false;
    component = strengths.component[i];
  }
  return fit;
}

Result<Tiering> split_into_tiers(std::span<const double> ratings, std::size_t tiers) {
  const std::size_t n = ratings.size();
  if (n == 0 || tiers == 0)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} ratings into {} tiers; both must be at least 1", n, tiers)};
  for (std::size_t i = 0; i < n; ++i)
    if (!std::isfinite(ratings[i]))
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("rating {} is {}; ratings must be finite", i, ratings[i])};
  tiers = std::min(tiers, n);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](auto a, auto b) { return ratings[a] > ratings[b]; });

  // 1. variance(i, j) of the sorted ratings i..j. Welford's recurrence: exactly 0 for equal ones.
  const auto size = static_cast<Index>(n);
  MatrixD variance = MatrixD::Zero(size, size);
  for (std::size_t i = 0; i < n; ++i) {
    double mean = 0, squares = 0, count = 0;
    for (std::size_t j = i; j < n; ++j) {
      const double value = ratings[order[j]], before = value - mean;
      mean += before / ++count;
      squares += before * (value - mean);
      variance(static_cast<Index>(i), static_cast<Index>(j)) = squares / count;
    }
  }
  // 2. best(t, j): least sum of the first j ratings in t + 1 tiers; from(t, j): where the last
  // begins.
  const auto count = static_cast<Index>(tiers);
  MatrixD best = MatrixD::Constant(count, size + 1, std::numeric_limits<double>::infinity());
  Eigen::MatrixXi from = Eigen::MatrixXi::Zero(count, size + 1);
  for (Index j = 1; j <= size; ++j) best(0, j) = variance(0, j - 1);
  for (Index t = 1; t < count; ++t)
    for (Index j = t + 1; j <= size; ++j)
      for (Index i = t; i < j; ++i) {
        const double sum = best(t - 1, i) + variance(i, j - 1);
        if (sum < best(t, j)) {
          best(t, j) = sum;
          from(t, j) = static_cast<int>(i);
        }
      }
  // 3. Back along the splits.
  Tiering out{std::vector<std::uint32_t>(n), std::vector<std::uint32_t>(tiers),
              best(count - 1, size)};
  Index end = size;
  for (Index t = count; t-- > 0;) {
    const Index begin = t == 0 ? 0 : from(t, end);
    out.sizes[static_cast<std::size_t>(t)] = static_cast<std::uint32_t>(end - begin);
    for (Index i = begin; i < end; ++i)
      out.tier[order[static_cast<std::size_t>(i)]] = static_cast<std::uint32_t>(t);
    end = begin;
  }
  return out;
}

}  // namespace rung::predict
