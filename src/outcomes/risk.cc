#include "outcomes/risk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "base/check.h"
#include "outcomes/thresholds.h"

namespace rung::outcomes {
namespace {

// P(Binomial(n, p) <= k) for k below the mean, where the terms fall towards 0 and the sum is short.
double binomial_lower_tail(std::size_t k, std::size_t n, double p) {
  if (p <= 0) return 1;
  if (p >= 1) return k >= n ? 1 : 0;
  const auto total = static_cast<double>(n);
  double log_term = total * std::log1p(-p);  // of 0 successes
  const double log_odds = std::log(p) - std::log1p(-p);
  for (std::size_t i = 1; i <= k; ++i) {
    const auto at = static_cast<double>(i);
    log_term += std::log((total - at + 1) / at) + log_odds;
  }
  double term = 1, sum = 1;  // in units of the last term
  for (std::size_t i = k; i > 0 && term > 1e-17 * sum; --i) {
    const auto at = static_cast<double>(i);
    term *= at / (total - at + 1) / std::exp(log_odds);
    sum += term;
  }
  return std::min(1.0, std::exp(log_term) * sum);
}

// Rows by rising score; the first `weak` of them go weak.
struct Losses {
  std::vector<double> score;
  std::vector<double> sum;  // [n + 1]
};

Losses order(const RiskRows& rows) {
  const std::size_t n = rows.score.size();
  std::vector<std::size_t> by_score(n);
  std::iota(by_score.begin(), by_score.end(), std::size_t{0});
  std::stable_sort(by_score.begin(), by_score.end(),
                   [&](std::size_t a, std::size_t b) { return rows.score[a] < rows.score[b]; });
  Losses out;
  out.sum.push_back(std::accumulate(rows.strong_loss.begin(), rows.strong_loss.end(), 0.0));
  for (const std::size_t row : by_score) {
    out.score.push_back(rows.score[row]);
    out.sum.push_back(out.sum.back() + std::max(0.0, rows.weak_loss[row] - rows.strong_loss[row]));
  }
  return out;
}

Result<void> check(const RiskRows& rows, double bound, double confidence) {
  const std::size_t n = rows.score.size();
  if (n == 0 || rows.weak_loss.size() != n || rows.strong_loss.size() != n) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("risk bound from {} scores, {} weak and {} strong losses; expected as "
                             "many of each, and at least one",
                             n, rows.weak_loss.size(), rows.strong_loss.size())};
  }
  if (!(bound > 0 && bound < 1) || !(confidence > 0 && confidence < 1)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("risk bound {:g} at confidence {:g}; expected both above 0 and below 1", bound,
                    confidence)};
  }
  const auto unit = [](double x) { return x >= 0 && x <= 1; };
  for (std::size_t i = 0; i < n; ++i) {
    if (unit(rows.score[i]) && unit(rows.weak_loss[i]) && unit(rows.strong_loss[i])) continue;
    return Error{ErrorCode::kInvalidData,
                 fmt::format("risk bound: row {} has score {}, weak loss {}, strong loss {}; "
                             "expected all of them from 0 to 1",
                             i, rows.score[i], rows.weak_loss[i], rows.strong_loss[i])};
  }
  return {};
}

// The most rows that can go weak while `keeps(sum of losses)`; empty if not even none.
template <class Keeps>
std::optional<RiskThreshold> most_weak(const Losses& losses, Keeps keeps) {
  const std::size_t n = losses.score.size();
  std::optional<RiskThreshold> best;
  for (std::size_t weak = 0; weak <= n && keeps(losses.sum[weak]); ++weak) {
    double tau = 0;
    if (weak == n) {
      if (losses.score.back() >= 1) break;  // 1 always goes strong
      tau = 1;
    } else if (weak > 0) {
      if (losses.score[weak] == losses.score[weak - 1]) continue;
      tau = shortest_between(losses.score[weak - 1], losses.score[weak]);
    }
    const auto total = static_cast<double>(n);
    best =
        RiskThreshold{tau, static_cast<double>(n - weak) / total, losses.sum[weak] / total, 0, n};
  }
  return best;
}

// Why not even all strong will do, in words that say what would help.
Error infeasible(const std::string& promise, double observed, double bound, std::size_t n,
                 std::size_t needed) {
  std::string why;
  if (observed >= bound) {
    why = fmt::format(
        "the risk of the strong arm alone is {:.4g} on {} rows, and more rows would "
        "not help; at least {:.3g} % of the queries would have to be declined",
        observed, n, 100 * (observed - bound) / (1 - bound));
  } else if (observed > 0) {
    why = fmt::format(
        "the strong arm alone shows a risk of {:.4g} on {} rows, too near to the "
        "bound for so few; about {} rows are needed",
        observed, n, needed);
  } else {
    why = fmt::format("{} calibration rows are too few; at least {} are needed", n, needed);
  }
  return {ErrorCode::kInfeasible, promise + " cannot be promised: " + why};
}

// The fewest rows, roughly, that would do at the observed rate.
template <class Enough>
std::size_t search_rows(std::size_t from, Enough enough) {
  std::size_t high = std::max<std::size_t>(from, 1);
  while (!enough(high) && high < (std::size_t{1} << 40)) high *= 2;
  std::size_t low = from;
  while (low + 1 < high) {
    const std::size_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

double clopper_pearson_upper(std::size_t failures, std::size_t n, double confidence) {
  RUNG_CHECK(n > 0 && failures <= n, "failures of n");
  if (failures == n) return 1;
  // The lower tail falls as p rises from the observed rate; find where it meets 1 - confidence.
  double low = static_cast<double>(failures) / static_cast<double>(n), high = 1;
  for (int i = 0; i < 60 && high - low > 1e-15; ++i) {
    const double middle = 0.5 * (low + high);
    (binomial_lower_tail(failures, n, middle) > 1 - confidence ? low : high) = middle;
  }
  return high;
}

std::size_t rows_for_clopper_pearson(double bound, double confidence) {
  return static_cast<std::size_t>(std::ceil(std::log1p(-confidence) / std::log1p(-bound) - 1e-9));
}

std::size_t rows_for_conformal(double bound) {
  return static_cast<std::size_t>(std::ceil(1 / bound - 1 - 1e-9));
}

std::vector<double> regret_events(std::span<const double> weak, std::span<const double> strong) {
  RUNG_CHECK(weak.size() == strong.size(), "one quality of each arm for each row");
  std::vector<double> loss;
  for (std::size_t i = 0; i < weak.size(); ++i) loss.push_back(weak[i] < strong[i] ? 1 : 0);
  return loss;
}

std::vector<double> regret_amounts(std::span<const double> weak, std::span<const double> strong) {
  RUNG_CHECK(weak.size() == strong.size(), "one quality of each arm for each row");
  std::vector<double> loss;
  for (std::size_t i = 0; i < weak.size(); ++i) loss.push_back(std::max(0.0, strong[i] - weak[i]));
  return loss;
}

Result<RiskThreshold> clopper_pearson_threshold(const RiskRows& rows, double bound,
                                                double confidence) {
  if (auto good = check(rows, bound, confidence); !good) return good.error();
  for (std::size_t i = 0; i < rows.score.size(); ++i) {
    for (const double loss : {rows.weak_loss[i], rows.strong_loss[i]}) {
      if (loss == 0 || loss == 1) continue;
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("Clopper-Pearson bound: row {} has a loss of {}; expected 0 or 1", i, loss)};
    }
  }
  const std::size_t n = rows.score.size();
  const Losses losses = order(rows);
  const auto failures = [](double sum) { return static_cast<std::size_t>(std::lround(sum)); };
  const auto keeps = [&](std::size_t k, std::size_t of) {
    return static_cast<double>(k) < bound * static_cast<double>(of) &&
           binomial_lower_tail(k, of, bound) <= 1 - confidence;
  };
  // The upper bound rises with the failures: one search instead of a bound for each cut.
  std::size_t allowed = 0;
  while (keeps(allowed + 1, n)) ++allowed;
  auto best =
      most_weak(losses, [&](double sum) { return keeps(0, n) && failures(sum) <= allowed; });
  if (!best) {
    const double observed = losses.sum[0] / static_cast<double>(n);
    std::size_t needed = rows_for_clopper_pearson(bound, confidence);
    if (observed > 0 && observed < bound) {
      needed = search_rows(n, [&](std::size_t many) {
        return keeps(failures(std::ceil(observed * static_cast<double>(many))), many);
      });
    }
    return infeasible(fmt::format("a risk of at most {:g} at confidence {:g}", bound, confidence),
                      observed, bound, n, needed);
  }
  best->upper =
      clopper_pearson_upper(failures(best->observed * static_cast<double>(n)), n, confidence);
  return *best;
}

Result<RiskThreshold> conformal_threshold(const RiskRows& rows, double bound) {
  if (auto good = check(rows, bound, 0.5); !good) return good.error();
  const auto n = static_cast<double>(rows.score.size());
  const Losses losses = order(rows);
  auto best = most_weak(losses, [&](double sum) { return (sum + 1) / (n + 1) <= bound; });
  if (!best) {
    const double observed = losses.sum[0] / n;
    std::size_t needed = rows_for_conformal(bound);
    if (observed > 0 && observed < bound) {
      needed = static_cast<std::size_t>(std::ceil((1 - bound) / (bound - observed)));
    }
    return infeasible(fmt::format("an expected loss of at most {:g}", bound), observed, bound,
                      rows.score.size(), needed);
  }
  best->upper = (best->observed * n + 1) / (n + 1);
  return *best;
}

}  // namespace rung::outcomes
