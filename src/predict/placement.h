#pragma once
// Places a new arm in a trained router from its scores on anchors, without training.
//
//   score of the new arm = base + sum over known arms of weight x (their deviation from their mean)
//
// The weights are a ridge regression of the new arm's scores on those of the known arms, drawn
// towards "like the average arm" or towards "no deviation"; leave-one-out error chooses which and
// the strength. A router is linear in its tables, so the same weights make the new arm's columns.
// The base is the mean that the known arms' means predict (control variates), shrunk to the spread
// of the known means. Few anchors cannot find what no known arm has, and chance in the known scores
// draws the weights to the prior: a placed arm differs less from prompt to prompt than it should.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "predict/artefact.h"
#include "predict/model.h"
#include "predict/router.h"

namespace rung::predict {

/// What is known on n anchors, of the m arms of the router and of the new one; NaN where missing.
struct AnchorRows {
  Matrix x;                        // [n, kDesignDims] design vectors of the prompts
  Matrix known;                    // [n, m] scores
  Vector score;                    // [n] of the new arm, in [0, 1], none missing
  Vector cost, completion_tokens;  // [n] USD and counts of the new arm
};

struct Placement {
  std::string name;
  std::size_t anchors = 0;
  std::vector<double> weights;  // [m]
  double prior = 0;             // weights are drawn towards prior / m
  double strength = 0;          // of the ridge; infinite: the prior stands
  double error = 0;             // root mean squared leave-one-out error of a score
  double error_of_mean = 0;     // the same of a constant
  double base = 0, base_se = 0;
  double quality_se = 0;  // of an estimate: how far known arms, placed alike, would be off
  std::string cost_like, tokens_like;  // the arm whose model was scaled; empty: a constant or none
  double cost_scale = 0, tokens_scale = 0;
};

inline constexpr std::size_t kFewestAnchors = 10;

/// Adds the arm `name` to `model`; estimates of the others stay as they are. Errors:
/// kInvalidArgument (the name is taken or empty), kInvalidData (fewer than kFewestAnchors rows, a
/// score outside [0, 1]), kUnsupported (a router whose arms are no columns of tables).
Result<Placement> place_arm(Model& model, const std::string& name, const AnchorRows& rows);

/// For the metadata of the artefact.
std::string placement_json(const Placement& placement, const std::vector<ArmInfo>& arms);

/// A model of its own from one that lies in a file, to change and write again. kUnsupported for a
/// method that is served otherwise than by the tables of Model.
Result<Model> to_model(const Artefact& artefact);

/// Estimates of every arm [n * m], row-major, for the rows of x [n, kDesignDims].
std::vector<Estimate> estimate_rows(const ModelView& model, const Matrix& x);

}  // namespace rung::predict
