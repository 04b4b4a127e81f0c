#pragma once
// Training a method and judging it on rows that it has not seen; shared by what compares methods.

#include <memory>
#include <string>
#include <vector>

#include "estimates.h"
#include "outcomes/hull_gain.h"
#include "outcomes/table.h"
#include "predict/router.h"

namespace rung::cli {

struct Method {
  std::string name;          // of rung train
  std::string strong, weak;  // of the pair methods; empty: they choose
};

/// The rows of `rows` that have a score of one of `arms` (columns), with these columns alone, in
/// that order.
outcomes::Table select_arms(const outcomes::Table& all, const std::vector<std::size_t>& rows,
                            const std::vector<std::size_t>& arms);

/// Errors: those of training.
Result<std::shared_ptr<const predict::Router>> train_method(const outcomes::Table& table,
                                                            const Method& method);

/// What a router predicts of the arms of a table, [rows * arms of the table]; an arm that it does
/// not know or cannot price is never worth its price.
struct Predicted {
  std::vector<std::size_t> in_router;  // of each arm of the table; kNotKnown
  std::vector<float> quality, cost;
};
Predicted predicted(const predict::Router& router, const outcomes::Table& test,
                    const Estimates& estimates);

/// The hull gain on `test`, by the router's own knob where it has one. Errors: those of hull_gain;
/// kCancelled.
Result<outcomes::HullGain> judge_gain(const predict::Router& router, const outcomes::Table& test,
                                      const outcomes::HullGainOptions& options);

}  // namespace rung::cli
