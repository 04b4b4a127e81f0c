#pragma once
// Whether to change the model inside a session: a price, not a rule. Staying reads the prompt from
// the provider's cache; a model that has not seen it must read, and perhaps write, all of it. Going
// back to one that was used a moment ago is cheap; a first visit is dear.
//
// For each arm, over the turns that are still expected:
//   now    = warm tokens at the cached price + the other prompt tokens at the write price + answer
//   later  = each further turn: the prompt at the cached price + its growth at the write price +
//            answer
//   worth  = turns * 100 * quality * usd_per_point - now - later
// The arm with the greatest worth is taken; one that is not in use must be ahead by the price of
// the drift: a model that goes on with another's words does worse for a while.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

namespace rung::decide {

/// Prices of prompt tokens by how they are had, and of answers.
struct SessionPrices {
  UsdPerMillion input, output;
  UsdPerMillion cached_input;  // read from the provider's cache
  UsdPerMillion cache_write;   // read and written to it; where writing costs nothing: input
};

struct SessionArm {
  std::string_view name;
  double quality = 0;  // expected score in [0, 1] of one turn
  SessionPrices price;
  double completion_tokens = 0;  // expected, of one turn
  std::int64_t warm_tokens = 0;  // of this prompt, in the provider's cache now
};

struct SessionQuestion {
  std::int64_t prompt_tokens = 0;  // of this turn, estimated
  double growth_tokens = 0;        // by which the prompt grows in a turn
  double turns = 1;                // still expected, this one included; at least 1
  double usd_per_point = 0;        // what one point (0.01) of quality is worth in one turn
  double drift_points = 0;         // quality that a change costs once
};

/// What one arm costs from here on, in USD.
struct SessionCost {
  double now = 0, later = 0;
  double total() const { return now + later; }
};
SessionCost session_cost(const SessionQuestion& question, const SessionArm& arm);

struct SessionAnswer {
  std::size_t pick = 0;
  double ahead_usd = 0;  // of `pick` over the best other arm, the drift included
  std::string why;       // the arithmetic, as a sentence
};

/// `arms` is not empty; `current` is the one in use. Ties stay.
SessionAnswer choose_in_session(const SessionQuestion& question, std::span<const SessionArm> arms,
                                std::size_t current);

/// How many of `tokens` that were read `idle_s` seconds ago are still in the cache, where a cache
/// forgets after `ttl_s` without use and `hit_share` of what should have been there was found the
/// last time (empty: not seen yet, all of it). Never more than the prompt has.
std::int64_t warm_tokens(std::int64_t tokens, double idle_s, double ttl_s,
                         const std::optional<double>& hit_share, std::int64_t prompt_tokens);

/// Turns still to come, this one included, of a session that has had `turns`: about as many again
/// (the mean under a heavy-tailed prior of index 2, as lengths of conversations have), from 1
/// to 20.
double expected_turns(std::int64_t turns);

}  // namespace rung::decide
