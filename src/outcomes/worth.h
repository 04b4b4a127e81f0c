#pragma once
// Is a router worth having on these outcomes, over what, how surely, and where does its gain come
// from? Definitions: docs/metrics.md.
//
//   over the best single arm    share of its cost saved at its score; score added at its cost
//   over the best fixed mixture  hull gain
//
// Where it comes from. The router's estimates are taken apart, and put together again piece by
// piece:
//
//   est_quality = mean of the arm + difficulty + task + the rest     est_cost = mean of the arm, or
//                                                                    what was predicted: price
//
//   difficulty  slope of the arm (0 to 2) x one number per query, the mean deviation over its arms
//   task        mean of what is left, per category and arm; only where every row has a category
//
// "Alone" is the hull gain of an estimate with that piece and no other. "Added" is its Shapley
// value (Shapley 1953): its mean contribution over all orders of adding the pieces, so that these
// sum to the hull gain. The rest has what no other piece has, and the gain (below 0) of mixing by
// estimated instead of true means.
// All intervals are 95 %, paired bootstrap over rows. Pure functions; safe from many threads.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/hull_gain.h"
#include "outcomes/samples.h"
#include "outcomes/table.h"

namespace rung::outcomes {

struct Interval {
  double value = 0, low = 0, high = 0;
};

struct GainSource {
  std::string name;       // "price", "difficulty", "task", "rest"
  Interval alone, added;  // of mean score
};

/// Questions that the cheapest arm gets wrong and another arm does not. With one answer of each
/// this is an upper bound of what is out of reach: another sample might have been right.
struct OutOfReach {
  std::string arm;
  std::size_t rows = 0;  // where it and another arm have a score
  Interval share;        // Wilson
};

/// The same from many samples: none of the model's is right, and another model has one that is.
struct SampledOutOfReach {
  std::string model;             // strategies of one model count together
  bool is_cheapest_arm = false;  // else: not among the samples, so the weakest there with five or
                                 // more samples a question, if there is such a one
  std::size_t items = 0;  // where it and another model have samples that are known right or wrong
  double samples = 0;     // of the model, mean per item
  Interval share;         // with all samples; Wilson
  double with_one = 0, with_five = 0;  // expected share had it so many (fewer where it has fewer)
};

struct WeightedArm {
  std::string name;
  double weight = 0;
};

struct Worth {
  bool worth_it = false;  // the interval of the hull gain lies above 0
  Interval saving;        // of the best single arm's cost at its score, 0 to 1; 0 where the router
                          // never reaches it, for then one would use that arm
  bool reaches_best = false;
  Interval lift;                         // score beyond the best single arm's, at its cost
  Interval hull_gain;                    // over the best fixed mixture, at equal cost
  std::optional<double> mixture_saving;  // of a fixed mixture's cost at the operating point's
                                         // score; empty where no mixture scores as much
  std::vector<GainSource> sources;
  std::optional<Interval> effort;  // of the hull gain, what comes from choosing between arms of one
                                   // model; empty if every arm is another model
  std::optional<OutOfReach> one_answer;  // empty with one arm
  std::optional<SampledOutOfReach> sampled;
  Point best_mean;  // of the best single arm
  std::string best;
  std::vector<WeightedArm>
      mixture;  // the best fixed mixture at the router's operating point's cost
  Point mixture_mean;
  std::string verdict;  // plain sentences; says "Switch the router off" where that is the answer
};

/// `data` speaks of the rows and arms of `table`, `gain` is its hull gain with bootstrap, and
/// `operating` the setting that is reported. `samples` may be null. Errors: those of hull_gain.
Result<Worth> worth(const Table& table, const Estimated& data, const HullGain& gain,
                    const SweepPoint& operating, const Samples* samples,
                    const HullGainOptions& options = {});

/// Empty where no item has a known sample of the model and of another one.
std::optional<SampledOutOfReach> out_of_reach(const Samples& samples, std::string_view cheap_arm);

/// Wilson's interval of a share (Wilson 1927); n > 0.
Interval wilson(double hits, double n);

}  // namespace rung::outcomes
