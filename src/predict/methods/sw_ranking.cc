#include "predict/methods/sw_ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "predict/methods/tiers.h"

namespace rung::predict {

std::vector<double> similarity_weights(std::span<const double> cosine) {
  if (cosine.empty()) return {};
  const double top = *std::ranges::max_element(cosine);
  std::vector<double> weight(cosine.size(), 10.0);
  if (top > 0)
    for (std::size_t i = 0; i < cosine.size(); ++i) weight[i] = std::pow(10.0, 1 + cosine[i] / top);
  return weight;
}

TierResults::TierResults(std::size_t tiers)
    : wins(MatrixD::Zero(static_cast<Index>(tiers), static_cast<Index>(tiers))),
      same_won(VectorD::Zero(static_cast<Index>(tiers))),
      same_lost(VectorD::Zero(static_cast<Index>(tiers))) {}

void TierResults::add(std::uint32_t a, std::uint32_t b, Winner winner, double weight) {
  const double won = winner == Winner::kA ? weight : winner == Winner::kB ? 0 : weight / 2;
  if (a == b) {
    same_won(a) += won;
    same_lost(a) += weight - won;
  } else {
    wins(a, b) += won;
    wins(b, a) += weight - won;
  }
}

BradleyTerry rank_tiers(const TierResults& results, bool same_tier_rows) {
  if (!same_tier_rows) return fit_bradley_terry(results.wins);
  // A row with -ln10 in one column alone is a battle against an item of strength 0, with the roles
  // turned round: add that item, fit, and shift it to 0.
  const Index ground = results.wins.rows();
  MatrixD wins = MatrixD::Zero(ground + 1, ground + 1);
  wins.topLeftCorner(ground, ground) = results.wins;
  wins.row(ground).head(ground) = results.same_won.transpose();
  wins.col(ground).head(ground) = results.same_lost;
  BradleyTerry fit = fit_bradley_terry(wins);
  const double level = fit.xi.back();
  for (std::size_t i = 0; i < fit.xi.size(); ++i)
    if (fit.component[i] == fit.component.back()) fit.xi[i] -= level;
  fit.xi.pop_back();
  fit.component.pop_back();
  return fit;
}

Result<SimilarityRanking> SimilarityRanking::fit(std::span<const Battle> battles,
                                                 const Matrix& embeddings, std::size_t models,
                                                 const SimilarityRankingOptions& options) {
  if (auto ok = check_battles(battles, models, static_cast<std::size_t>(embeddings.rows())); !ok)
    return ok.error();
  auto rated = fit_elo(battles, models);
  if (!rated) return rated.error();

  SimilarityRanking out;
  out.same_tier_rows = options.same_tier_rows;
  out.tier.assign(models, -1);
  out.rating = rated->rating;
  std::vector<double> ratings;
  std::vector<std::size_t> who;
  for (std::size_t i = 0; i < models; ++i)
    if (rated->rated[i]) {
      ratings.push_back(rated->rating[i]);
      who.push_back(i);
    }
  const auto tiering = split_into_tiers(ratings, options.tiers);
  if (!tiering) return tiering.error();
  out.tiers = tiering->sizes.size();
  for (std::size_t i = 0; i < who.size(); ++i)
    out.tier[who[i]] = static_cast<std::int32_t>(tiering->tier[i]);

  std::vector<std::int64_t> at(static_cast<std::size_t>(embeddings.rows()), -1);
  std::vector<Index> rows;
  for (const Battle& b : battles) {
    const std::int32_t a = out.tier[b.model_a], c = out.tier[b.model_b];
    if (a < 0 || c < 0) continue;  // a model that only ever met itself
    if (at[b.row] < 0) {
      at[b.row] = static_cast<std::int64_t>(rows.size());
      rows.push_back(b.row);
    }
    out.battles.push_back({static_cast<std::uint32_t>(at[b.row]), static_cast<std::uint32_t>(a),
                           static_cast<std::uint32_t>(c), b.winner});
  }
  out.prompts = embeddings(rows, Eigen::all);
  for (Index i = 0; i < out.prompts.rows(); ++i)
    if (const float norm = out.prompts.row(i).norm(); norm > 0) out.prompts.row(i) /= norm;
  return out;
}

BradleyTerry SimilarityRanking::rank(std::span<const float> query) const {
  RUNG_CHECK(static_cast<Index>(query.size()) == prompts.cols(),
             "a query has the dimensions of the stored prompts");
  const Eigen::Map<const Vector> q(query.data(), prompts.cols());
  RUNG_CHECK(q.allFinite(), "an embedding is finite");
  // The length of the query cancels in c / max c.
  const Vector dot = prompts * q;
  const std::vector<double> cosine(dot.data(), dot.data() + dot.size());
  const std::vector<double> weight = similarity_weights(cosine);
  TierResults results(tiers);
  for (const StoredBattle& met : battles)
    results.add(met.tier_a, met.tier_b, met.winner, weight[met.prompt]);
  return rank_tiers(results, same_tier_rows);
}

Result<double> SimilarityRanking::strong_probability(std::span<const float> query,
                                                     std::size_t strong, std::size_t weak) const {
  for (const std::size_t model : {strong, weak})
    if (model >= tier.size() || tier[model] < 0)
      return Error{ErrorCode::kNotFound,
                   fmt::format("model {} was in no battle that the ranking was fitted to", model)};
  const auto s = static_cast<std::size_t>(tier[strong]), w = static_cast<std::size_t>(tier[weak]);
  const BradleyTerry fit = rank(query);
  // Strengths of tiers that never met do not compare, and neither is known to be the better.
  return fit.component[s] == fit.component[w] ? beats(fit.xi[s], fit.xi[w]) : 0.5;
}

}  // namespace rung::predict
