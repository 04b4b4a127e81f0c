#include "decide/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace rung::decide {
namespace {

double usd(double tokens, UsdPerMillion price) { return tokens * price.rate * 1e-6; }

/// Four significant digits, no exponent.
std::string money(double amount) {
  if (amount < 0) return "-" + money(-amount);
  if (!(amount > 0)) return "0";
  const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(amount))), 0, 12);
  std::string text = fmt::format("{:.{}f}", amount, decimals);
  if (decimals > 0) text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

SessionCost session_cost(const SessionQuestion& question, const SessionArm& arm) {
  const auto prompt = static_cast<double>(question.prompt_tokens);
  const double warm = std::min(static_cast<double>(arm.warm_tokens), prompt);
  const double answer = usd(arm.completion_tokens, arm.price.output);
  const double more = std::max(question.turns, 1.0) - 1;
  SessionCost cost;
  cost.now = usd(warm, arm.price.cached_input) + usd(prompt - warm, arm.price.cache_write) + answer;
  // Turn k from here reads the prompt with k - 1 growths from the cache and writes one more: the
  // mean over the further turns is half of them.
  const double read = prompt + question.growth_tokens * std::max(more - 1, 0.0) / 2;
  cost.later = more * (usd(read, arm.price.cached_input) +
                       usd(question.growth_tokens, arm.price.cache_write) + answer);
  return cost;
}

SessionAnswer choose_in_session(const SessionQuestion& question, std::span<const SessionArm> arms,
                                std::size_t current) {
  RUNG_CHECK(current < arms.size(), "the arm in use is one of the arms");
  const double turns = std::max(question.turns, 1.0);
  const double drift = question.drift_points * question.usd_per_point;
  const auto worth = [&](std::size_t i) {
    return turns * 100 * arms[i].quality * question.usd_per_point -
           session_cost(question, arms[i]).total() - (i == current ? 0 : drift);
  };
  std::optional<std::size_t> other;  // the best that is not in use
  for (std::size_t i = 0; i < arms.size(); ++i)
    if (i != current && (!other || worth(i) > worth(*other))) other = i;
  SessionAnswer answer;
  if (!other) {
    answer.pick = current;
    answer.why = fmt::format("{} goes on: there is no other arm", arms[current].name);
    return answer;
  }
  const SessionArm &stay = arms[current], &go = arms[*other];
  const double ahead = worth(*other) - worth(current);
  answer.pick = ahead > 0 ? *other : current;
  answer.ahead_usd = std::abs(ahead);
  const SessionCost stays = session_cost(question, stay), goes = session_cost(question, go);
  answer.why = fmt::format(
      "session {} {}: over {:g} turns it costs {} USD ({} now, {} of {} prompt tokens warm), {} {} "
      "USD ({} now, {} warm); quality {:+.2f} points a turn is worth {} USD{}",
      ahead > 0 ? "leaves" : "stays with", stay.name, turns, money(stays.total()), money(stays.now),
      std::min(stay.warm_tokens, question.prompt_tokens), question.prompt_tokens, go.name,
      money(goes.total()), money(goes.now), std::min(go.warm_tokens, question.prompt_tokens),
      100 * (go.quality - stay.quality),
      money(turns * 100 * (go.quality - stay.quality) * question.usd_per_point),
      drift > 0 ? fmt::format(", a change costs {} USD more in drift", money(drift))
                : std::string());
  return answer;
}

std::int64_t warm_tokens(std::int64_t tokens, double idle_s, double ttl_s,
                         const std::optional<double>& hit_share, std::int64_t prompt_tokens) {
  if (!(idle_s < ttl_s)) return 0;
  const double share = std::clamp(hit_share.value_or(1), 0.0, 1.0);
  const auto warm = static_cast<std::int64_t>(std::floor(static_cast<double>(tokens) * share));
  return std::clamp<std::int64_t>(warm, 0, std::max<std::int64_t>(prompt_tokens, 0));
}

double expected_turns(std::int64_t turns) {
  return static_cast<double>(std::clamp<std::int64_t>(turns, 1, 20));
}

}  // namespace rung::decide
