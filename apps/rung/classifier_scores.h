#pragma once
// rung calibrate --config: what the classifier of a route says of the prompts of a table.

#include <string>
#include <vector>

#include "base/result.h"
#include "gateway/config.h"
#include "outcomes/table.h"

namespace rung::cli {

/// A route with a classifier, of a configuration file.
struct ClassifierRoute {
  gateway::Config config;
  std::size_t route = 0;  // index into config.routes
  const gateway::RouteConfig& get() const { return config.routes[route]; }
};
/// `name` empty: the only route that has one. Errors: those of load_config; kInvalidArgument with
/// the routes that have one.
Result<ClassifierRoute> classifier_route(const std::string& config_file, const std::string& name);

struct ClassifierScores {
  std::vector<double> score;  // [rows]; 1 where it failed: such a request goes to strong
  std::size_t failed = 0;
  std::string first_failure;
};
/// Asks about each of `rows`, `concurrency` at a time, each within the route's timeout. Errors:
/// kUnavailable if nothing was answered, with the reason; kCancelled.
Result<ClassifierScores> ask_scores(const ClassifierRoute& route, const outcomes::Table& table,
                                    const std::vector<std::size_t>& rows, std::size_t concurrency);

}  // namespace rung::cli
