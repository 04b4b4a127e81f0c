#include "state/record.h"

#include <cmath>
#include <limits>

namespace rung::state {

std::optional<NanoUsd> nano_usd(Usd amount) {
  if (std::isnan(amount.value)) return std::nullopt;
  const double nano = std::round(amount.value * 1e9);
  constexpr double kEdge = 9.2e18;  // a little inside the range, where the conversion is safe
  if (nano >= kEdge) return NanoUsd{std::numeric_limits<std::int64_t>::max()};
  if (nano <= -kEdge) return NanoUsd{std::numeric_limits<std::int64_t>::min()};
  return NanoUsd{static_cast<std::int64_t>(nano)};
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kClientGone:
      return "client_gone";
    case Outcome::kUpstreamError:
      return "upstream_error";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kInternal:
      return "internal";
    case Outcome::kCancelled:
      return "cancelled";
  }
  return "internal";
}

std::optional<Outcome> parse_outcome(std::string_view text) {
  for (const Outcome outcome : kOutcomes) {
    if (text == name(outcome)) return outcome;
  }
  return std::nullopt;
}

std::string_view name(UsageSource source) {
  switch (source) {
    case UsageSource::kNone:
      return "none";
    case UsageSource::kEstimate:
      return "estimate";
    case UsageSource::kProvider:
      return "provider";
  }
  return "none";
}

}  // namespace rung::state
