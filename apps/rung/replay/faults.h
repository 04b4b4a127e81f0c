#pragma once
// What can go wrong at an upstream, on purpose: by rate, or asked for by a request (header
// `x-replay-fault: KIND`, or `[[fault:KIND]]` in the text of the prompt).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace rung::replay {

enum class Fault {
  kNone,
  kRefuse,  // the connection is closed without a byte
  kReset,   // the connection is reset without a byte
  kCut,     // half of the answer, then the connection ends
  kStall,   // half of a stream (nothing of a plain answer), then silence until the client leaves
  kSlow,    // five tokens a second
  k429,     // rate limit, with Retry-After
  k500,
  k503,
  kMalformedJson,  // status 200, and bytes that are not JSON
  kEmpty,          // status 200, and no bytes
  kWrongModel,     // a right answer under another model's name
};

/// "429", "reset-before-headers", "wrong-model", ...; the names of the command line.
std::string_view name(Fault fault);
std::optional<Fault> fault_named(std::string_view text);

/// Draws a fault for each request. Not thread-safe.
class FaultPlan {
 public:
  FaultPlan() : FaultPlan(1) {}
  explicit FaultPlan(std::uint64_t seed) : rng_(seed) {}
  /// "KIND=RATE", such as "429=0.1". Error: kInvalidArgument names what is wrong, and the kinds
  /// there are.
  Result<void> add(std::string_view text);
  Fault draw();

 private:
  struct Rate {
    Fault fault;
    double rate;
  };
  Rng rng_;
  std::vector<Rate> rates_;
  double sum_ = 0;
};

/// Takes `[[fault:KIND]]` out of `prompt` and the white space around it; the kind, if it is one.
std::optional<Fault> take_marker(std::string& prompt);

}  // namespace rung::replay
