#pragma once
// RouteLLM's matrix factorisation, `mf` (arXiv 2406.18665, section 4.2; reference code). A bilinear
// score of model m on the embedding e of a query,
//
//   delta(m, e) = c . (P_m / |P_m| * (W e))          (* elementwise)
//
// trained so that sigmoid(delta(a) - delta(b)) is P(a beats b). For a fixed pair that is one dot
// product: sigmoid(u . e) with u = W^T (c * (P_s / |P_s| - P_w / |P_w|)).
//
// Where we differ from the reference: any models and any embedding instead of 64 models and 1536
// dimensions; noise is switched off when the loss of held-out pairs is taken (the reference forgets
// to); a model of no pair is refused instead of answered from its random row.

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/methods/battles.h"

namespace rung::predict {

/// Plain tables; immutable once trained, all threads may share one.
struct MatrixFactorisation {
  MatrixD models;          // P [m, r]; used at unit length
  MatrixD projection;      // W [r, d]
  VectorD head;            // c [r]
  std::vector<bool> seen;  // [m]; false: in no pair, so its row means nothing

  /// delta(model, query), query [d].
  double delta(std::size_t model, const VectorD& query) const;
  /// u [d]: P(strong beats weak) = sigmoid(u . e). kNotFound for a model that was not seen.
  Result<VectorD> pair_direction(std::size_t strong, std::size_t weak) const;
  /// sigmoid(delta(strong) - delta(weak)), in [0, 1]. kNotFound for a model that was not seen.
  Result<double> strong_probability(const VectorD& query, std::size_t strong,
                                    std::size_t weak) const;
};

/// sigmoid(u . query): a decision of a fixed pair. `direction` and `query` [d], finite.
double pair_probability(std::span<const float> direction, std::span<const float> query);

/// A battle that somebody won.
struct Preference {
  std::uint32_t winner = 0, loser = 0, row = 0;
};
/// Without ties and battles of a model with itself, as in the paper.
std::vector<Preference> preferences(std::span<const Battle> battles);

struct MfGradient {
  MatrixD models, projection;
  VectorD head;
};
/// Mean binary cross-entropy of delta(winner) - delta(loser) against 1; `prompts` [b, d], one row
/// for each of `pairs` (their `row` is not looked at). Fills `gradient` if given.
double preference_loss(const MatrixFactorisation& model, std::span<const Preference> pairs,
                       const MatrixD& prompts, MfGradient* gradient = nullptr);

struct MfOptions {
  std::size_t rank = 128;       // columns of P
  double learning_rate = 3e-4;  // Adam, beta 0.9 and 0.999
  double weight_decay = 1e-5;   // added to the gradient, as torch's Adam does
  std::size_t batch = 64;
  std::size_t epochs = 10;  // the paper's; the reference script runs up to 100
  double noise = 0.1;       // standard deviation, on each component of e, while training only
  double held_out = 0;      // share of the pairs for the loss of each epoch; the script: 0.05
  std::uint64_t seed = 42;
};

struct MfFit {
  MatrixFactorisation model;
  std::size_t pairs = 0;              // that it was trained on
  std::vector<double> loss;           // by epoch, mean over batches, with noise
  std::vector<double> held_out_loss;  // by epoch, without noise; empty if nothing is held out
};

/// `embeddings` [n, d] finite, of unit length in the paper. Serial: the same on any number of
/// threads. Pairs that one model always wins are learnt like any others; the epochs bound them.
/// Errors: kInvalidData (an unknown model or row; nothing but ties), kInvalidArgument (an option).
Result<MfFit> fit_matrix_factorisation(std::span<const Battle> battles, const Matrix& embeddings,
                                       std::size_t models, const MfOptions& options = {});

}  // namespace rung::predict
