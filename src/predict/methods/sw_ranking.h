#pragma once
// Similarity-weighted ranking, RouteLLM's `sw_ranking` (arXiv 2406.18665, section 4.2): nothing is
// learnt but tiers; for each query a Bradley-Terry model is fitted to the stored battles, those on
// similar prompts weighing more.
//
//   battles ─► Elo ─► tiers (once)
//   query ─► cosines ─► weights ─► tier x tier wins ─► fit ─► P(strong beats weak)
//
// Where we differ from the reference: battles are added up to a tiers x tiers matrix first, which
// gives the same fit at a cost that does not grow with them; battles inside one tier are left out
// (they say nothing of a difference), unless `same_tier_rows` asks for what the reference does;
// where no cosine is positive all battles weigh the same (the reference divides by that cosine).

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "predict/methods/battles.h"
#include "predict/methods/bradley_terry.h"

namespace rung::predict {

/// 10^(1 + c / max c) of each cosine: up to 100. All 10 if no cosine is above 0.
std::vector<double> similarity_weights(std::span<const double> cosine);

/// What battles between tiers add up to.
struct TierResults {
  explicit TierResults(std::size_t tiers);
  /// weight >= 0; a and b below the number of tiers.
  void add(std::uint32_t a, std::uint32_t b, Winner winner, double weight);

  MatrixD wins;                 // [tiers, tiers] weight of a's wins over b != a, half of a tie each
  VectorD same_won, same_lost;  // [tiers] weight of battles inside a tier, by a's result
};

/// Strengths of the tiers. `same_tier_rows` reproduces the reference code, where the second
/// assignment to the one cell overwrites the first, so that a battle inside tier t claims that t
/// loses to an absolute level of 0: strengths then are absolute, and differences are biased.
BradleyTerry rank_tiers(const TierResults& results, bool same_tier_rows = false);

struct SimilarityRankingOptions {
  std::size_t tiers = 10;
  bool same_tier_rows = false;
};

/// A battle as the ranking keeps it.
struct StoredBattle {
  std::uint32_t prompt = 0;  // row of `prompts`
  std::uint32_t tier_a = 0, tier_b = 0;
  Winner winner = Winner::kTie;
};

/// Plain tables; immutable once fitted, all threads may share one.
struct SimilarityRanking {
  /// `embeddings` [n, d] finite, of any length; a zero row has cosine 0 with everything. All ties:
  /// every probability is 0.5. Errors: kInvalidData (unknown model or row, no battle between two
  /// models), kInvalidArgument (0 tiers).
  static Result<SimilarityRanking> fit(std::span<const Battle> battles, const Matrix& embeddings,
                                       std::size_t models,
                                       const SimilarityRankingOptions& options = {});

  /// Strengths of the tiers for one query [d], finite; a dot product for each stored prompt.
  BradleyTerry rank(std::span<const float> query) const;
  /// P(strong beats weak) in [0, 1]; 0.5 for models of one tier or for tiers that never met.
  /// kNotFound if one of them was in no battle.
  Result<double> strong_probability(std::span<const float> query, std::size_t strong,
                                    std::size_t weak) const;

  std::size_t tiers = 0;           // at most options.tiers
  bool same_tier_rows = false;     // see rank_tiers
  std::vector<std::int32_t> tier;  // [models]; 0 is the strongest; -1: in no battle, so unknown
  std::vector<double> rating;      // [models] Elo over all battles
  Matrix prompts;                  // [p, d] unit rows: the embeddings that have a battle
  std::vector<StoredBattle> battles;
};

}  // namespace rung::predict
