#include "predict/published_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "base/parallel.h"
#include "predict/methods/best_route.h"
#include "predict/methods/match_labels.h"
#include "predict/methods/matrix_factorisation.h"
#include "predict/methods/soft_logistic.h"

namespace rung::predict {
namespace {

constexpr auto kHeadDims = static_cast<Index>(kQualityDims);
constexpr std::size_t kMostChoosingBattles = 10'000;  // and rows, of the choice of hyper-parameters
constexpr Index kMostChoosingRows = 4'000;
constexpr double kRidges[] = {1, 10, 100};
constexpr double kRidgeUnchosen = 10;  // too few texts to choose
constexpr std::size_t kFewPairs = 50;  // of strong against weak, to choose by them alone
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::vector<T> evenly(std::span<const T> all, std::size_t most) {
  if (all.size() <= most) return {all.begin(), all.end()};
  std::vector<T> out;
  for (std::size_t i = 0; i < most; ++i) out.push_back(all[i * all.size() / most]);
  return out;
}

Matrix embeddings(const FitInput& in) { return in.x.leftCols(static_cast<Index>(kEmbeddingDims)); }

double round_to_float(double x) { return static_cast<double>(static_cast<float>(x)); }

double held_out_loss(const MatrixFactorisation& model, const std::vector<Preference>& pairs,
                     const Matrix& e) {
  MatrixD prompts(static_cast<Index>(pairs.size()), e.cols());
  for (std::size_t i = 0; i < pairs.size(); ++i)
    prompts.row(static_cast<Index>(i)) = e.row(pairs[i].row).cast<double>();
  return preference_loss(model, pairs, prompts);
}

/// The paper's options, with what depends on the embedding chosen on a held-out fold.
MfOptions choose_factors(const FitInput& in, std::span<const Battle> won, std::size_t models,
                         std::size_t strong, std::size_t weak, const Matrix& e) {
  MfOptions standard;
  standard.seed = in.seed;
  if (in.folds < 2) return standard;
  std::vector<Battle> fitted, held;
  for (const Battle& b : evenly(won, kMostChoosingBattles))
    (in.fold[b.row] == 0 ? held : fitted).push_back(b);
  std::vector<Preference> judged;
  for (const Preference& p : preferences(held))
    if (std::minmax<std::size_t>(p.winner, p.loser) == std::minmax(strong, weak))
      judged.push_back(p);
  if (judged.size() < kFewPairs) judged = preferences(held);
  if (judged.empty() || fitted.empty()) return standard;
  std::vector<MfOptions> grid;
  for (const auto& [rate, epochs] : {std::pair{3e-4, 10}, {1e-3, 10}, {3e-3, 10}, {3e-3, 30}})
    for (const double noise : {0.1, 0.03}) {
      grid.push_back(standard);
      grid.back().learning_rate = rate;
      grid.back().epochs = static_cast<std::size_t>(epochs);
      grid.back().noise = noise;
    }
  std::vector<double> loss(grid.size(), std::numeric_limits<double>::infinity());
  parallel_for(grid.size(), [&](std::size_t g) {
    if (const auto fit = fit_matrix_factorisation(fitted, e, models, grid[g]))
      loss[g] = held_out_loss(fit->model, judged, e);
  });
  const auto best = std::min_element(loss.begin(), loss.end()) - loss.begin();
  return std::isfinite(loss[static_cast<std::size_t>(best)]) ? grid[static_cast<std::size_t>(best)]
                                                             : standard;
}

/// One target for each row; what rows with the same prompt were scored are samples of one query.
struct Queries {
  std::vector<std::size_t> of_row;
  std::vector<std::vector<std::size_t>> rows;
};
Queries same_prompts(const outcomes::StringColumn& prompts) {
  Queries out;
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto [at, added] = seen.try_emplace(prompts[i], out.rows.size());
    if (added) out.rows.emplace_back();
    out.rows[at->second].push_back(i);
    out.of_row.push_back(at->second);
  }
  return out;
}

std::vector<double> samples_of(const Matrix& score, Index arm,
                               const std::vector<std::size_t>& rows) {
  std::vector<double> out;
  for (const std::size_t i : rows)
    if (const auto s = static_cast<double>(score(static_cast<Index>(i), arm)); !std::isnan(s))
      out.push_back(s);
  return out;
}

double mean_cross_entropy(const VectorD& p, const VectorD& target) {
  double sum = 0, n = 0;
  for (Index i = 0; i < p.size(); ++i) {
    if (std::isnan(target(i))) continue;
    const double q = std::clamp(p(i), 1e-9, 1 - 1e-9);
    sum -= target(i) * std::log(q) + (1 - target(i)) * std::log(1 - q);
    n += 1;
  }
  return sum / n;
}

double choose_ridge(const FitInput& in, const VectorD& target) {
  if (in.folds < 2) return kRidgeUnchosen;
  std::vector<Index> rows;
  const Index used = std::min(in.x.rows(), kMostChoosingRows);
  for (Index i = 0; i < used; ++i) rows.push_back(i * in.x.rows() / used);
  const Matrix x = in.x(rows, Eigen::all);
  const VectorD y = target(rows);
  std::vector<std::uint32_t> fold;
  for (const Index i : rows) fold.push_back(in.fold[static_cast<std::size_t>(i)]);
  double best = std::numeric_limits<double>::infinity(), chosen = kRidgeUnchosen;
  for (const double l2 : kRidges) {
    const auto p = logistic_out_of_fold(x, kHeadDims, y, fold, in.folds, {.l2 = l2});
    if (!p) continue;  // all labels in one fold
    if (const double loss = mean_cross_entropy(*p, y); loss < best) best = loss, chosen = l2;
  }
  return chosen;
}

void keep_head(const LogisticHead* head, PublishedModel& model) {
  model.has_head.push_back(head != nullptr ? 1 : 0);
  for (Index d = 0; d < kHeadDims; ++d)
    model.heads.push_back(head != nullptr ? static_cast<float>(head->weights(d)) : 0.0f);
}

}  // namespace

Result<std::string> fit_factors(const FitInput& in, std::span<const Battle> battles,
                                std::size_t models, std::size_t strong, std::size_t weak,
                                PublishedModel& model) {
  const Matrix e = embeddings(in);
  std::vector<Battle> won;
  for (const Battle& b : battles)
    if (b.winner != Winner::kTie) won.push_back(b);
  if (won.empty())
    return Error{
        ErrorCode::kInvalidData,
        fmt::format("none of {} pairs has a winner; it learns from nothing else", battles.size())};
  won = evenly<Battle>(won, kMostBattles);
  const MfOptions options = choose_factors(in, won, models, strong, weak, e);
  auto fit = fit_matrix_factorisation(won, e, models, options);
  if (!fit) return fit.error();
  const auto direction = fit->model.pair_direction(strong, weak);
  if (!direction)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} or {} never won or lost against another arm", model.arms[0].name,
                             model.arms[1].name)};
  const Vector rounded = direction->cast<float>();
  model.direction.assign(rounded.data(), rounded.data() + rounded.size());
  return fmt::format(
      "{} of {} pairs have a winner, {} used; rank {}, learning rate {:g}, {} epochs, noise {:g}",
      std::count_if(battles.begin(), battles.end(),
                    [](const Battle& b) { return b.winner != Winner::kTie; }),
      battles.size(), won.size(), options.rank, options.learning_rate, options.epochs,
      options.noise);
}

Result<std::string> fit_ranking(const FitInput& in, std::span<const Battle> battles,
                                std::size_t models, std::size_t strong, std::size_t weak,
                                PublishedModel& model) {
  const std::vector<Battle> used = evenly(battles, kMostBattles);
  auto fit = SimilarityRanking::fit(used, embeddings(in), models);
  if (!fit) return fit.error();
  const std::int32_t s = fit->tier[strong], w = fit->tier[weak];
  if (s < 0 || w < 0)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} or {} was never scored on a row together with another arm",
                             model.arms[0].name, model.arms[1].name)};
  if (s == w)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} and {} are of one tier of strength, so it cannot tell them apart; "
                             "name another pair with --strong and --weak",
                             model.arms[0].name, model.arms[1].name)};
  // Battles inside a tier say nothing here: they need not be kept.
  std::erase_if(fit->battles, [](const StoredBattle& b) { return b.tier_a == b.tier_b; });
  model.ranking = *std::move(fit);
  model.ranking.tier = {s, w};
  model.ranking.rating = {model.ranking.rating[strong], model.ranking.rating[weak]};
  return fmt::format("{} battles of {} models on {} prompts, {} tiers", used.size(), models,
                     model.ranking.prompts.rows(), model.ranking.tiers);
}

Result<std::string> fit_heads(const FitInput& in, const outcomes::StringColumn& prompts,
                              const Matrix& score, const PublishedMethod& method,
                              PublishedModel& model) {
  // 1. The samples of each query, and the labels of each cheap arm against the reference.
  const Queries queries = same_prompts(prompts);
  const bool options = method.rule == PublishedRule::kOptions;
  const Index reference = options ? score.cols() - 1 : 0;
  std::vector<RouteOption> cheap;
  if (options)
    for (Index j = 0; j < reference; ++j) cheap.push_back({static_cast<std::uint32_t>(j), 1});
  else
    cheap.push_back({1, 1});
  MatrixD labels(score.rows(), static_cast<Index>(cheap.size()));
  double relaxation = 0;
  for (std::size_t o = 0; o < cheap.size(); ++o) {
    std::vector<QualitySamples> samples;
    for (const auto& rows : queries.rows)
      samples.push_back(
          {samples_of(score, cheap[o].arm, rows), samples_of(score, reference, rows)});
    std::vector<double> y(samples.size(), kNan);
    if (method.name == "hybrid-trans") {
      auto found = find_relaxation(samples, relaxation_grid(samples, 41));
      if (!found) return found.error();
      relaxation = found->t;
      y = std::move(found->labels);
    } else {
      for (std::size_t q = 0; q < samples.size(); ++q) {
        if (method.name == "hybrid-det") {
          if (const auto label = match_label(samples[q].small, samples[q].large)) y[q] = *label;
        } else if (const auto p = match_probability(samples[q].small, samples[q].large)) {
          y[q] = *p;
        }
      }
    }
    for (Index i = 0; i < labels.rows(); ++i)
      labels(i, static_cast<Index>(o)) = y[queries.of_row[static_cast<std::size_t>(i)]];
  }
  // 2. One head for each.
  const double l2 = choose_ridge(in, labels.col(0));
  auto fit = fit_best_route(in.x, kHeadDims, cheap, labels, {.l2 = l2});
  if (!fit) return fit.error();
  for (const auto& head : fit->heads) keep_head(head ? &*head : nullptr, model);
  std::string detail =
      fmt::format("{} rows, {} prompts, ridge {:g}", score.rows(), queries.rows.size(), l2);
  if (method.name == "hybrid-trans") detail += fmt::format(", relaxation t {:.4g}", relaxation);
  if (options)
    detail += fmt::format(", {} options against {}", cheap.size(), model.arms.back().name);
  return detail;
}

Result<std::string> fit_cluster_tables(const FitInput& in, const Matrix& score, const Matrix& cost,
                                       PublishedModel& model) {
  AvengersOptions options = model.method == "avengers-pro"        ? AvengersOptions::paper()
                            : model.method == "avengers-pro-rank" ? AvengersOptions::rank_softmax()
                                                                  : AvengersOptions::avengers();
  options.seed = in.seed;
  auto fit = Avengers::fit(embeddings(in), score, cost, options);
  if (!fit) return fit.error();
  model.clusters = fit->router();
  for (MatrixD* table : {&model.clusters.centroids, &model.clusters.quality, &model.clusters.cost})
    *table = table->unaryExpr([](double v) { return round_to_float(v); });
  // The standard error of a mean of scores over the rows of the near clusters, were they alike.
  const double share = std::min(
      1.0, static_cast<double>(options.near) / static_cast<double>(model.clusters.clusters()));
  for (std::size_t j = 0; j < model.arms.size(); ++j) {
    const double p = model.arms[j].mean_quality;
    const double rows = std::max(1.0, share * static_cast<double>(model.arms[j].rows));
    model.quality_se[j] =
        static_cast<float>(std::min(0.5, std::sqrt(std::max(p * (1 - p), 1e-4) / rows)));
  }
  return fmt::format("{} clusters, {} near{}", model.clusters.clusters(), options.near,
                     options.how == Aggregation::kPaper ? std::string()
                                                        : fmt::format(", beta {:g}", options.beta));
}

}  // namespace rung::predict
