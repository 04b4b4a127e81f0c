#pragma once
// The members of the ensemble: each kind with the hyper-parameters that say most, out of fold,
// about the differences between arms.

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "predict/dataset.h"
#include "predict/neighbours.h"
#include "predict/ridge.h"
#include "predict/train.h"

namespace rung::predict {

/// A member and what it says of rows that it has not seen.
struct Candidate {
  enum class Kind {
    kLinear,
    kNeighbours,
    kTasks,
    kClusters,
    kLowRank,
    kEncoder,       // on the encoder's vectors
    kEncoderBeside  // on the encoder's vectors and the design
  };
  Kind kind = Kind::kLinear;
  std::string name, detail;
  Matrix out_of_fold;          // [n, m] deviations; 0 outside the pools
  double alpha = 0;            // of its ridge
  bool with_encoder = false;   // kTasks: reads the encoder's vectors beside the design
  NeighbourConfig neighbours;  // kNeighbours
  Matrix centroids;            // kClusters
  Index rank = 0;              // kLowRank
};

/// The members that options.method asks for, at most one of each kind, those that explain nothing
/// left out. `target` [n, m]: the centred deviations of `learn`. `encoded` [n, encoder dims + 1]:
/// the rows' vectors and 1, or empty. `step` is called now and then; its error ends the search.
Result<std::vector<Candidate>> choose_members(const Dataset& learn, const Matrix& target,
                                              const Matrix& encoded, const TrainOptions& options,
                                              const std::function<Result<void>()>& step);

/// Weights that the members chosen are expected to have: the fewer the rows, the more they stay.
/// Half for the linear head, half for those that look at similar rows.
std::vector<double> expected_weights(const std::vector<Candidate>& members);

/// Ridges of the deviations on the first `dims` columns of `x`, one for each pool.
std::vector<FoldedRidge> make_ridges(const Dataset& learn, const Matrix& x, Index dims);
std::vector<FoldedRidge> make_ridges(const Dataset& learn);  // on the design

/// Keeps what the fitted values vary in most: scores = queries [., rank] x arms [rank, m], the
/// factorisation across models.
MatrixD reduce_rank(const MatrixD& w, const MatrixD& gram, Index rank);

/// What a member of the encoder sees: its vectors and 1, or its vectors beside the design.
Matrix encoder_design(const Matrix& encoded, const Matrix& x, Candidate::Kind kind);

}  // namespace rung::predict
