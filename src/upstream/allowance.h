#pragma once
// A share of traffic that something extra may take: retries of a model, hedges of a model. A token
// bucket: each request earns a part of a token, each extra call costs one; a small trickle over
// time lets a host with little traffic be tried again too. Source: Finagle's RetryBudget and gRPC
// proposal A6; here the trickle refills no faster than it is stated, however long nothing came.

#include "base/clock.h"

namespace rung::upstream {

struct AllowanceConfig {
  double share = 0.2;     // extra calls for each request, 0 to 1
  double per_second = 1;  // tokens that come by themselves
  double at_first = 10;   // what a fresh one holds, and the least that it can hold in full
  double most = 100;      // what it saves up
};

class Allowance {
 public:
  explicit Allowance(AllowanceConfig config = {}) : config_(config), tokens_(config.at_first) {}
  void configure(AllowanceConfig config) { config_ = config; }
  /// A request of the ordinary kind came.
  void earn(TimePoint now);
  /// Takes one token; false: there is none, and nothing is taken.
  bool spend(TimePoint now);
  /// Gives one back that was not needed.
  void give_back();
  double tokens() const { return tokens_; }

 private:
  void trickle(TimePoint now);
  AllowanceConfig config_;
  double tokens_;
  TimePoint last_{};
};

}  // namespace rung::upstream
