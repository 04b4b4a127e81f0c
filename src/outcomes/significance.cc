#include "outcomes/significance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "outcomes/quantile.h"

namespace rung::outcomes {
namespace {

// A stream of its own for each resample: the order of threads does not matter.
Rng stream(std::uint64_t seed, std::size_t number) { return Rng(mix64(seed) ^ mix64(number + 1)); }

Result<std::vector<double>> differences(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || a.size() != b.size()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("comparing {} rows with {}; expected as many of each, and at least one",
                    a.size(), b.size())};
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("comparing two routers: row {} has {} and {}; expected finite numbers", i,
                      a[i], b[i])};
    }
    out.push_back(a[i] - b[i]);
  }
  return out;
}

Result<void> check(const BootstrapOptions& options) {
  if (options.resamples >= 2 && options.confidence > 0 && options.confidence < 1) return {};
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format("bootstrap of {} resamples at confidence {:g}; expected 2 or more, and a "
                  "confidence above 0 and below 1",
                  options.resamples, options.confidence)};
}

// `drawn` holds one number for each resample.
Difference summarise(double value, std::vector<double> drawn, double confidence) {
  Difference out;
  out.value = value;
  const auto n = static_cast<double>(drawn.size());
  const double mean = std::accumulate(drawn.begin(), drawn.end(), 0.0) / n;
  double squares = 0;
  for (const double x : drawn) squares += (x - mean) * (x - mean);
  out.se = drawn.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  std::sort(drawn.begin(), drawn.end());
  out.low = quantile_of_sorted(drawn, (1 - confidence) / 2);
  out.high = quantile_of_sorted(drawn, (1 + confidence) / 2);
  return out;
}

}  // namespace

Result<Difference> bootstrap_mean(std::span<const double> a, std::span<const double> b,
                                  const BootstrapOptions& options) {
  auto each = differences(a, b);
  if (!each) return each.error();
  return bootstrap_statistic(
      each->size(),
      [&](std::span<const std::size_t> rows) -> std::optional<double> {
        double sum = 0;
        for (const std::size_t row : rows) sum += (*each)[row];
        return sum / static_cast<double>(rows.size());
      },
      options);
}

Result<Difference> bootstrap_statistic(std::size_t rows, const RowStatistic& difference,
                                       const BootstrapOptions& options) {
  if (auto good = check(options); !good) return good.error();
  if (rows == 0)
    return Error{ErrorCode::kInvalidArgument, "bootstrap of no rows; expected at least one"};
  std::vector<std::size_t> once(rows);
  std::iota(once.begin(), once.end(), std::size_t{0});
  const auto value = difference(once);
  std::vector<std::optional<double>> drawn(options.resamples);
  parallel_for(options.resamples, [&](std::size_t sample) {
    Rng rng = stream(options.seed, sample);
    std::vector<std::size_t> picked(rows);
    for (std::size_t& row : picked) row = rng.below(rows);
    drawn[sample] = difference(picked);
  });
  std::vector<double> defined;
  for (const auto& x : drawn)
    if (x && std::isfinite(*x)) defined.push_back(*x);
  const std::size_t undefined = drawn.size() - defined.size();
  if (!value || !std::isfinite(*value) || 2 * undefined > drawn.size()) {
    return Error{
        ErrorCode::kInfeasible,
        fmt::format("the statistic is undefined on {} of {} resamples of {} rows{}; no "
                    "interval can be given",
                    undefined, drawn.size(), rows, value ? "" : " and on the rows as they are")};
  }
  Difference out = summarise(*value, std::move(defined), options.confidence);
  out.undefined = undefined;
  return out;
}

Result<Difference> bootstrap_hull_gain(const Estimated& a, const Estimated& b,
                                       const BootstrapOptions& options) {
  if (auto good = check(options); !good) return good.error();
  // NaN marks the same missing cell on both sides.
  const auto same = [](std::span<const float> x, std::span<const float> y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                      [](float p, float q) { return p == q || (std::isnan(p) && std::isnan(q)); });
  };
  if (a.rows != b.rows || a.arms != b.arms || !same(a.score, b.score) || !same(a.cost, b.cost)) {
    return Error{ErrorCode::kInvalidArgument,
                 "comparing the hull gains of two routers on different outcomes; expected the same "
                 "scores and costs on both sides"};
  }
  // With the same seed and usable rows, resample i of both draws the same rows.
  const HullGainOptions how{.bootstrap = options.resamples, .seed = options.seed};
  auto first = hull_gain(a, how);
  if (!first) return first.error();
  auto second = hull_gain(b, how);
  if (!second) return second.error();
  std::vector<double> drawn;
  for (std::size_t i = 0; i < options.resamples; ++i)
    drawn.push_back(first->resampled[i] - second->resampled[i]);
  return summarise(first->gain - second->gain, std::move(drawn), options.confidence);
}

Result<Difference> paired_difference(const HullGain& a, const HullGain& b, double confidence) {
  if (auto ok = check(
          {.resamples = std::max<std::size_t>(a.resampled.size(), 2), .confidence = confidence});
      !ok)
    return ok.error();
  if (a.resampled.empty() || a.resampled.size() != b.resampled.size() || a.rows_used != b.rows_used)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("pairing hull gains of {} rows with {} resamples and {} rows with {}; "
                             "expected the same, and at least one resample",
                             a.rows_used, a.resampled.size(), b.rows_used, b.resampled.size())};
  std::vector<double> drawn;
  for (std::size_t i = 0; i < a.resampled.size(); ++i)
    drawn.push_back(a.resampled[i] - b.resampled[i]);
  return summarise(a.gain - b.gain, std::move(drawn), confidence);
}

Result<double> permutation_test(std::span<const double> a, std::span<const double> b,
                                std::size_t draws, std::uint64_t seed) {
  auto each = differences(a, b);
  if (!each) return each.error();
  if (draws == 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "permutation test of no draws; expected at least one"};
  }
  const double observed = std::abs(std::accumulate(each->begin(), each->end(), 0.0));
  const double slack = 1e-12 * static_cast<double>(each->size());  // ties by rounding count
  std::vector<unsigned char> as_far(draws);
  parallel_for(draws, [&](std::size_t draw) {
    Rng rng = stream(seed, draw);
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < each->size(); ++i) {
      if (i % 64 == 0) bits = rng.next();
      sum += (bits & 1) != 0 ? (*each)[i] : -(*each)[i];
      bits >>= 1;
    }
    as_far[draw] = std::abs(sum) >= observed - slack ? 1 : 0;
  });
  const double count = std::accumulate(as_far.begin(), as_far.end(), 0.0);
  return (1 + count) / (1 + static_cast<double>(draws));
}

Result<SignTest> sign_test(std::span<const double> a, std::span<const double> b) {
  auto each = differences(a, b);
  if (!each) return each.error();
  SignTest out;
  for (const double d : *each) ++(d > 0 ? out.a_better : d < 0 ? out.b_better : out.ties);
  const std::size_t n = out.a_better + out.b_better, fewer = std::min(out.a_better, out.b_better);
  // 2 P(Binomial(n, 1/2) <= fewer), summed from the largest term down.
  double log_term = -static_cast<double>(n) * std::log(2.0);
  for (std::size_t i = 1; i <= fewer; ++i)
    log_term += std::log(static_cast<double>(n - i + 1) / static_cast<double>(i));
  double term = 1, sum = 1;
  for (std::size_t i = fewer; i > 0 && term > 1e-17 * sum; --i) {
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
    sum += term;
  }
  out.p = std::min(1.0, 2 * std::exp(log_term) * sum);
  return out;
}

}  // namespace rung::outcomes
