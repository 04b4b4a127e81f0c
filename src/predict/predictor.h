#pragma once
// What a predictor says about one arm on one query.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rung::predict {

/// All numbers are finite: NaN never leaves a predictor.
struct Estimate {
  float quality = 0;     // expected score, in [0, 1]
  float quality_se = 0;  // standard error of that expectation, >= 0
  float cost_usd =
      0;  // expected cost of the call at the prices of the training rows, > 0; 0 only if !has_cost
  float completion_tokens = 0;  // expected; 0 only if !has_tokens
  bool has_cost = false;        // false: the training rows carried no cost for this arm
  bool has_tokens = false;      // false: the training rows carried no token counts for this arm
};

/// An arm as the artefact knows it: a reference that a configured model can be `like`.
struct ArmInfo {
  std::string name;
  std::string description;  // plain words for people; may be empty
  float mean_quality = 0;   // over the training rows that scored it
  float mean_cost_usd = 0;  // over the training rows that priced it; 0 only if !has_cost
  std::uint64_t rows = 0;   // training rows that scored it
  bool kept = true;         // false: pruned, off the frontier; its estimate is its mean
  bool has_cost = false;
  bool has_tokens = false;
};

}  // namespace rung::predict
