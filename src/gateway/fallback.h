#pragma once
// Who may answer instead, when the arm that was chosen cannot.

#include <cstddef>
#include <optional>
#include <vector>

#include "gateway/decider.h"

namespace rung::gateway {

/// A model as an arm of a route, or by name (`arm` is null).
struct Stand {
  const ModelConfig* model = nullptr;
  const Arm* arm = nullptr;
};

/// The arms of one decision that were not asked yet, in the order in which the policy would have
/// them: what cannot serve the request is never among them, nor is an arm whose cost is not known
/// where the policy looks at costs. A pinned arm has no stand-in. For a model that was named
/// directly, its `fallback` list in its order, without those that do not declare what the request
/// needs. Not on the path of a request that goes well.
class Fallbacks {
 public:
  /// All must outlive this.
  Fallbacks(const Snapshot& snapshot, const wire::Request& request, const Choice& choice)
      : snapshot_(snapshot), request_(request), choice_(choice) {}
  /// The best one left, which is then no longer left.
  std::optional<Stand> next();

 private:
  std::optional<Stand> next_arm();
  std::optional<Stand> next_named();
  const Snapshot& snapshot_;
  const wire::Request& request_;
  const Choice& choice_;
  std::vector<bool> asked_;  // arms of the route; empty: not begun
  const ModelConfig* named_ = nullptr;
  std::size_t at_ = 0;  // in named_->fallback
};

}  // namespace rung::gateway
