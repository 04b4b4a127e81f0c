#include "state/totals.h"

#include <algorithm>
#include <cmath>

namespace rung::state {
namespace {

void add(const std::optional<std::int64_t>& value, std::optional<std::int64_t>& sum) {
  if (value) sum = sum.value_or(0) + *value;
}

Quantiles quantiles_of(std::vector<std::int64_t>& values) {
  Quantiles result;
  result.count = values.size();
  if (values.empty()) return result;
  std::sort(values.begin(), values.end());
  const auto rank = [&](double q) {
    const auto nth = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    return values[std::max<std::size_t>(nth, 1) - 1];
  };
  result.p50 = rank(0.5);
  result.p90 = rank(0.9);
  result.p99 = rank(0.99);
  return result;
}

}  // namespace

Interval wilson_interval(double mean, std::uint64_t count) {
  constexpr double z = 1.96;
  const double n = static_cast<double>(count);
  const double scale = 1 / (1 + z * z / n);
  const double middle = scale * (mean + z * z / (2 * n));
  const double half = scale * z * std::sqrt(mean * (1 - mean) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::uint64_t Totals::failed() const {
  const auto of = [&](Outcome outcome) { return outcomes[static_cast<std::size_t>(outcome)]; };
  return of(Outcome::kUpstreamError) + of(Outcome::kTimeout) + of(Outcome::kInternal);
}

void Accumulator::add(const RequestRow& row) {
  ++totals_.requests;
  ++totals_.outcomes[static_cast<std::size_t>(row.outcome)];
  state::add(row.prompt_tokens, totals_.prompt_tokens);
  state::add(row.cached_tokens, totals_.cached_tokens);
  state::add(row.completion_tokens, totals_.completion_tokens);
  state::add(row.reasoning_tokens, totals_.reasoning_tokens);
  totals_.tokens_unknown += static_cast<std::uint64_t>(row.tokens_unknown);
  totals_.tokens_estimated += static_cast<std::uint64_t>(row.tokens_estimated);
  totals_.spent += row.spent;
  totals_.cost_unknown += static_cast<std::uint64_t>(row.cost_unknown);
  if (row.is_compared()) {
    ++totals_.compared;
    totals_.compared_spent += row.spent;
    totals_.compared_reference += *row.reference;
  }
  if (row.score) {
    ++totals_.scored;
    score_sum_ += *row.score;
  }
  // Times of answers: a refusal is quick and a time-out slow for reasons of their own.
  if (row.outcome == Outcome::kOk) {
    total_us_.push_back(row.total_us);
    gateway_us_.push_back(row.gateway_us);
    if (row.first_byte_us) first_byte_us_.push_back(*row.first_byte_us);
  }
}

Totals Accumulator::finish() && {
  if (totals_.scored > 0) {
    totals_.score = score_sum_ / static_cast<double>(totals_.scored);
    const Interval interval = wilson_interval(totals_.score, totals_.scored);
    totals_.score_low = interval.low;
    totals_.score_high = interval.high;
  }
  totals_.total = quantiles_of(total_us_);
  totals_.first_byte = quantiles_of(first_byte_us_);
  totals_.gateway = quantiles_of(gateway_us_);
  return std::move(totals_);
}

Accumulator& Groups::of(std::string_view name) {
  for (auto& [known, group] : groups_) {
    if (known == name) return group;
  }
  return groups_.emplace_back(std::string(name), Accumulator(std::string(name))).second;
}

std::vector<Totals> Groups::finish() && {
  std::vector<Totals> result;
  for (auto& [known, group] : groups_) result.push_back(std::move(group).finish());
  std::sort(result.begin(), result.end(), [](const Totals& a, const Totals& b) {
    return a.requests != b.requests ? a.requests > b.requests : a.name < b.name;
  });
  return result;
}

}  // namespace rung::state
