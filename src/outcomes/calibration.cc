#include "outcomes/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace rung::outcomes {
namespace {

double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

// log(1 + exp(x)) without overflow.
double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

Result<void> check(std::string_view what, std::span<const double> score,
                   std::span<const double> outcome, std::span<const double> weight) {
  if (score.empty() || outcome.size() != score.size() ||
      (!weight.empty() && weight.size() != score.size())) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: {} scores, {} outcomes and {} weights; expected as many of each, "
                             "and at least one",
                             what, score.size(), outcome.size(), weight.size())};
  }
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double w = weight.empty() ? 1.0 : weight[i];
    if (std::isfinite(score[i]) && std::isfinite(outcome[i]) && std::isfinite(w) && w > 0) continue;
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{}: row {} has score {}, outcome {}, weight {}; expected finite "
                             "numbers and a weight above 0",
                             what, i, score[i], outcome[i], w)};
  }
  return {};
}

}  // namespace

std::optional<double> brier(std::span<const double> estimate, std::span<const double> outcome) {
  RUNG_CHECK(estimate.size() == outcome.size(), "one outcome for each estimate");
  if (estimate.empty()) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < estimate.size(); ++i)
    sum += (estimate[i] - outcome[i]) * (estimate[i] - outcome[i]);
  return sum / static_cast<double>(estimate.size());
}

std::optional<double> log_loss(std::span<const double> estimate, std::span<const double> outcome,
                               double clip) {
  RUNG_CHECK(estimate.size() == outcome.size(), "one outcome for each estimate");
  if (estimate.empty()) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < estimate.size(); ++i) {
    const double p = std::clamp(estimate[i], clip, 1 - clip), y = outcome[i];
    // 0 log 0 is 0: what is certain and right costs nothing.
    if (y > 0) sum -= y * std::log(p);
    if (y < 1) sum -= (1 - y) * std::log1p(-p);
  }
  if (!std::isfinite(sum)) return std::nullopt;
  return sum / static_cast<double>(estimate.size());
}

std::optional<double> expected_calibration_error(std::span<const double> estimate,
                                                 std::span<const double> outcome,
                                                 std::size_t bins) {
  RUNG_CHECK(estimate.size() == outcome.size(), "one outcome for each estimate");
  if (estimate.empty() || bins == 0) return std::nullopt;
  std::vector<double> excess(bins, 0.0);  // sum of estimate - outcome
  const auto count = static_cast<double>(bins);
  for (std::size_t i = 0; i < estimate.size(); ++i) {
    const double at = std::ceil(estimate[i] * count) - 1;
    excess[static_cast<std::size_t>(std::clamp(at, 0.0, count - 1))] += estimate[i] - outcome[i];
  }
  double sum = 0;
  for (const double e : excess) sum += std::abs(e);
  return sum / static_cast<double>(estimate.size());
}

Result<Isotonic> Isotonic::fit(std::span<const double> score, std::span<const double> outcome,
                               std::span<const double> weight) {
  if (auto good = check("isotonic regression", score, outcome, weight); !good) return good.error();
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });
  Isotonic out;
  std::vector<Block>& blocks = out.blocks_;
  const auto merge = [&blocks] {
    const Block b = blocks.back();
    blocks.pop_back();
    Block& a = blocks.back();
    a.value = (a.value * a.weight + b.value * b.weight) / (a.weight + b.weight);
    a.weight += b.weight;
    a.last = b.last;
  };
  for (std::size_t i = 0; i < order.size();) {
    const double s = score[order[i]];
    double w = 0, sum = 0;  // rows with the same score are one
    for (; i < order.size() && score[order[i]] == s; ++i) {
      const double own = weight.empty() ? 1.0 : weight[order[i]];
      w += own;
      sum += own * outcome[order[i]];
    }
    blocks.push_back({s, s, sum / w, w});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].value >= blocks.back().value) merge();
  }
  return out;
}

double Isotonic::apply(double score) const {
  // The first block that ends at or after the score.
  const auto at = std::lower_bound(blocks_.begin(), blocks_.end(), score,
                                   [](const Block& block, double s) { return block.last < s; });
  if (at == blocks_.end()) return blocks_.back().value;
  if (at == blocks_.begin() || score >= at->first) return at->value;
  const Block& before = *(at - 1);
  return before.value +
         (at->value - before.value) * (score - before.last) / (at->first - before.last);
}

std::vector<std::pair<double, double>> Isotonic::knots() const {
  std::vector<std::pair<double, double>> out;
  for (const Block& block : blocks_) {
    out.emplace_back(block.first, block.value);
    if (block.last > block.first) out.emplace_back(block.last, block.value);
  }
  return out;
}

Result<Platt> Platt::fit(std::span<const double> score, std::span<const double> outcome,
                         const Options& options) {
  if (auto good = check("Platt scaling", score, outcome, {}); !good) return good.error();
  double ones = 0;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    if (!(outcome[i] >= 0 && outcome[i] <= 1)) {
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("Platt scaling: row {} has outcome {}; expected 0 to 1", i, outcome[i])};
    }
    ones += outcome[i];
  }
  const auto n = static_cast<double>(outcome.size());
  const double zeros = n - ones;
  const double high = options.smoothed_targets ? (ones + 1) / (ones + 2) : 1;
  const double low = options.smoothed_targets ? 1 / (zeros + 2) : 0;
  const auto target = [&](std::size_t i) { return outcome[i] * high + (1 - outcome[i]) * low; };
  const auto loss = [&](double a, double b) {
    double sum = 0;
    for (std::size_t i = 0; i < score.size(); ++i) {
      const double z = a * score[i] + b;
      sum += softplus(z) - target(i) * z;
    }
    return sum;
  };
  Platt out;
  out.slope_ = 0;
  out.offset_ = std::log((ones + 1) / (zeros + 1));
  double current = loss(out.slope_, out.offset_);
  for (int step = 0; step < options.max_steps; ++step) {
    double ga = 0, gb = 0, haa = 1e-12, hab = 0, hbb = 1e-12;
    for (std::size_t i = 0; i < score.size(); ++i) {
      const double p = sigmoid(out.slope_ * score[i] + out.offset_);
      const double error = p - target(i), w = p * (1 - p);
      ga += error * score[i];
      gb += error;
      haa += w * score[i] * score[i];
      hab += w * score[i];
      hbb += w;
    }
    if (std::abs(ga) < 1e-9 * n && std::abs(gb) < 1e-9 * n) return out;
    const double det = haa * hbb - hab * hab;
    const double da = -(hbb * ga - hab * gb) / det, db = -(haa * gb - hab * ga) / det;
    // Halve the step until the loss falls.
    double size = 1, next = 0;
    for (; size > 1e-10; size /= 2) {
      next = loss(out.slope_ + size * da, out.offset_ + size * db);
      if (next < current) break;
    }
    if (size <= 1e-10) return out;  // no step helps any more: as near as doubles get
    out.slope_ += size * da;
    out.offset_ += size * db;
    current = next;
  }
  return Error{ErrorCode::kInfeasible,
               fmt::format("Platt scaling has not settled after {} steps; expected scores that do "
                           "not part the outcomes cleanly, or smoothed targets",
                           options.max_steps)};
}

double Platt::apply(double score) const { return sigmoid(slope_ * score + offset_); }

}  // namespace rung::outcomes
