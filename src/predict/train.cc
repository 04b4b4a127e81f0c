#include "predict/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/parallel.h"
#include "base/progress.h"
#include "outcomes/group.h"
#include "outcomes/hull_gain.h"
#include "outcomes/split.h"
#include "predict/members.h"
#include "predict/stack.h"
#include "predict/tables.h"

namespace rung::predict {
namespace {

constexpr std::size_t kMostCvRows =
    32'768;  // cross-validation reads no more: its choices are stable long before
constexpr float kFrontierBand = 0.08f;  // arms farther below the hull are pruned
constexpr double kLeastWeight = 0.05;   // of a member, before shrinkage
constexpr double kShrinkage = 0.8;      // of the stacked weights
// Out-of-fold gain in standard errors below which the router is static. At 1 the small sets lost
// more to missed gains than they were saved from losses; of the routers measured between 0.6 and 1,
// seven in a hundred were below the hull on unseen rows.
constexpr double kGuard = 0.5;
constexpr std::size_t kManyRows = 3'000;  // from here on five folds say as much as ten
// Standard deviation of the members' weights around those that are expected. Some thousand rows say
// more; some hundred say less, and their least squares picks members at random.
constexpr double kWeightDoubt = 0.1;
// Shares of the arms' own part in the predicted costs that are tried beside the best amounts.
constexpr double kOwnShares[] = {0.5, 0};

constexpr double kMostCommon = 1;  // arms are moved together at most twice as far as members say

float nan() { return std::numeric_limits<float>::quiet_NaN(); }

/// The rows of `table` at `rows` as matrices; scores become deviations from `mean`.
Matrix cells(const outcomes::Table& table, const std::vector<std::size_t>& rows,
             const std::vector<float>& column) {
  Matrix out(static_cast<Index>(rows.size()), static_cast<Index>(table.arm_count()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < table.arm_count(); ++j)
      out(static_cast<Index>(i), static_cast<Index>(j)) = column[table.cell(rows[i], j)];
  return out;
}

class Trainer {
 public:
  Trainer(const outcomes::Table& table, const TrainOptions& options)
      : table_(table), options_(options), progress_("training", 10), m_(table.arm_count()) {}

  Result<Model> run() {
    if (auto ready = prepare(); !ready) return ready.error();
    if (options_.method == "static") {
      make_static("asked for");
      return std::move(model_);
    }
    if (auto stacked = stack(); !stacked) return stacked.error();
    return std::move(model_);
  }

 private:
  Result<void> step() {
    progress_.advance();
    if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted; nothing was written"};
    return {};
  }

  Result<void> prepare() {
    const std::size_t n = table_.rows();
    if (n == 0 || m_ == 0)
      return Error{ErrorCode::kInvalidData, "there are no outcomes to learn from"};
    model_.method = options_.method;
    model_.seed = options_.seed;
    model_.rows = n;
    const auto text_of = [&](std::size_t i) { return table_.prompts[i]; };
    model_.embedding = fit_embedding(n, text_of, options_.seed);
    if (auto ok = step(); !ok) return ok;
    x_ = embed_all(model_.embedding.view(), n, text_of);
    if (options_.encoder != nullptr) {
      auto encoded = encode_all(*options_.encoder, options_.encoder_tokens, n, text_of);
      if (!encoded) return encoded.error();
      encoded_ = std::move(*encoded);
    }
    if (auto ok = step(); !ok) return ok;
    const outcomes::Groups groups = outcomes::group_by_text(table_);
    if (options_.folds == 0)
      options_.folds = n < kManyRows ? std::clamp<std::uint32_t>(
                                           static_cast<std::uint32_t>(groups.count()), 2, 10)
                                     : 5;
    if (groups.count() < options_.folds)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("the rows hold {} different texts; {} folds need at least as many",
                               groups.count(), options_.folds)};
    fold_all_ = outcomes::fold_rows(groups, options_.folds, options_.seed);
    if (auto ok = step(); !ok) return ok;
    describe_arms();
    // The rows of cross-validation, evenly spaced.
    const std::size_t used = std::min(n, kMostCvRows);
    for (std::size_t i = 0; i < used; ++i) cv_rows_.push_back(i * n / used);
    fill(data_, cv_rows_);
    data_.x.resize(static_cast<Index>(used), x_.cols());
    for (std::size_t i = 0; i < used; ++i)
      data_.x.row(static_cast<Index>(i)) = x_.row(static_cast<Index>(cv_rows_[i]));
    data_.cost = cells(table_, cv_rows_, table_.cost);
    for (Index i = 0; i < data_.cost.rows(); ++i)
      for (Index j = 0; j < data_.cost.cols(); ++j)
        if (std::isnan(data_.deviation(i, j))) data_.cost(i, j) = nan();
    return {};
  }

  /// Means over the rows that scored an arm.
  void describe_arms() {
    model_.arms.resize(m_);
    model_.base.assign(m_, 0);
    for (std::size_t j = 0; j < m_; ++j) {
      ArmInfo& arm = model_.arms[j];
      arm.name = table_.arms[j];
      double score = 0, cost = 0;
      std::size_t scored = 0, priced = 0, tokens = 0;
      for (std::size_t i = 0; i < table_.rows(); ++i) {
        const std::size_t cell = table_.cell(i, j);
        if (!std::isnan(table_.score[cell])) score += table_.score[cell], ++scored;
        if (!std::isnan(table_.cost[cell])) cost += table_.cost[cell], ++priced;
        if (table_.completion_tokens[cell] != outcomes::kNoTokens) ++tokens;
      }
      arm.rows = scored;
      arm.mean_quality = scored > 0 ? static_cast<float>(score / static_cast<double>(scored)) : 0;
      arm.mean_cost_usd = priced > 0 ? static_cast<float>(cost / static_cast<double>(priced)) : 0;
      arm.has_cost = priced > 0;
      arm.has_tokens = tokens > 0;
      arm.kept = scored > 0;
      model_.base[j] = arm.mean_quality;
    }
  }

  /// Everything but the design vectors, which are large: they are copied or moved in.
  void fill(Dataset& data, const std::vector<std::size_t>& rows) {
    data.deviation = cells(table_, rows, table_.score);
    data.mean = Eigen::Map<const Vector>(model_.base.data(), static_cast<Index>(m_));
    data.deviation.rowwise() -= data.mean.transpose();
    data.categories = table_.categories.size();
    data.folds = options_.folds;
    data.category.clear();
    data.fold.clear();
    for (const std::size_t i : rows) {
      data.category.push_back(table_.category[i]);
      data.fold.push_back(fold_all_[i]);
    }
    data.pools = find_pools(data.deviation);
  }

  /// Arms far below the frontier of those that were scored on the same rows are not told apart by
  /// query: their noise would win now and then (the winner's curse), their signal hardly ever. An
  /// arm that is near the frontier of any rows stays.
  void prune(const Matrix& cost) {
    struct Proposal {
      bool near = false;  // the frontier, somewhere
      std::size_t rows = 0;
      PrunedArm follow;
    };
    std::vector<Proposal> proposals(m_);
    for (const Pool& pool : comparable_rows(data_.deviation)) {
      std::vector<outcomes::Point> points;
      std::vector<std::uint32_t> arms;
      for (const Index j : pool.arms) {
        double score = 0, money = 0;
        std::size_t n = 0;
        for (const Index i : pool.rows)
          if (!std::isnan(cost(i, j)) && !std::isnan(data_.deviation(i, j)))
            score += data_.deviation(i, j) + data_.mean(j), money += cost(i, j), ++n;
        if (n == 0) continue;
        points.push_back({money / static_cast<double>(n), score / static_cast<double>(n)});
        arms.push_back(static_cast<std::uint32_t>(j));
      }
      const outcomes::Hull hull(points);
      if (hull.empty()) continue;
      for (std::size_t p = 0; p < points.size(); ++p) {
        Proposal& proposal = proposals[arms[p]];
        const double above = hull.at(points[p].cost).value_or(hull.cheapest().score);
        const double gap = above - points[p].score;
        proposal.near = proposal.near || gap <= kFrontierBand;
        if (pool.rows.size() <= proposal.rows) continue;
        proposal.rows = pool.rows.size();
        const auto mixture =
            hull.mixture(points[p].cost)
                .value_or(outcomes::Mixture{hull.sources()[0], hull.sources()[0], 0});
        proposal.follow = {arms[p], arms[mixture.low], arms[mixture.high],
                           static_cast<float>(mixture.weight), static_cast<float>(gap)};
      }
    }
    for (std::size_t j = 0; j < m_; ++j) {
      if (proposals[j].near || proposals[j].rows == 0) continue;
      model_.arms[j].kept = false;
      model_.pruned.push_back(proposals[j].follow);
    }
  }

  /// Cells of arms that are not kept take no part in learning differences.
  Matrix kept_only(const Matrix& deviation) const {
    Matrix out = deviation;
    for (std::size_t j = 0; j < m_; ++j)
      if (!model_.arms[j].kept) out.col(static_cast<Index>(j)).setConstant(nan());
    return out;
  }

  Result<void> stack() {
    std::vector<AmountFit> costs;
    costs.push_back(fit_amounts(data_, data_.cost));
    for (AmountFit& fit : fit_shared_amounts(data_, data_.cost, kOwnShares))
      costs.push_back(std::move(fit));
    fit_tokens();
    if (auto ok = step(); !ok) return ok;
    prune(data_.cost);
    Dataset learn = data_;
    learn.deviation = kept_only(data_.deviation);
    learn.pools = find_pools(learn.deviation);
    const Matrix target =
        centred(learn.deviation.array().isNaN().select(0.0f, learn.deviation), learn.deviation);

    Matrix encoded(options_.encoder == nullptr ? 0 : learn.rows(), encoded_.cols());
    for (Index i = 0; i < encoded.rows(); ++i)
      encoded.row(i) = encoded_.row(static_cast<Index>(cv_rows_[static_cast<std::size_t>(i)]));
    auto candidates = choose_members(learn, target, encoded, options_, [this] { return step(); });
    if (!candidates) return candidates.error();
    std::vector<double> weights = weigh(learn, target, *candidates);
    for (double& w : weights) w *= kShrinkage;
    Matrix quality = data_.mean.transpose().replicate(data_.rows(), 1);
    for (std::size_t c = 0; c < candidates->size(); ++c) {
      quality += static_cast<float>(weights[c]) * (*candidates)[c].out_of_fold;
      model_.members.push_back({(*candidates)[c].name, (*candidates)[c].detail, weights[c]});
    }
    for (const PrunedArm& p : model_.pruned)
      quality.col(p.arm) =
          ((1 - p.weight) * quality.col(p.low) + p.weight * quality.col(p.high)).array() - p.gap;
    if (auto ok = step(); !ok) return ok;
    // The guard: would it have been worth it on rows it had not seen? If not, there is still what
    // shows on every set with prices: the length of the answer, and so its cost, in the prompt.
    auto judged = judge_with(costs, quality);
    if (!judged) return judged.error();
    if (!judged->holds()) {
      quality = data_.mean.transpose().replicate(data_.rows(), 1);
      judged = judge_with(costs, quality);
      if (!judged) return judged.error();
      std::fill(weights.begin(), weights.end(), 0.0);
      for (MemberInfo& member : model_.members) member.weight = 0;
      model_.pruned.clear();
      for (ArmInfo& arm : model_.arms) arm.kept = arm.rows > 0;
    }
    model_.hull_gain = 100 * judged->gain;
    model_.hull_gain_se = 100 * judged->se;
    if (!judged->holds()) {
      make_static("its out-of-fold gain is within its standard error");
      return {};
    }
    if (std::all_of(weights.begin(), weights.end(), [](double w) { return w == 0; }))
      model_.members.push_back({"costs", "mean scores, predicted costs", 1});
    if (auto ok = step(); !ok) return ok;
    move_together(quality);
    doubts(quality);
    finish(*candidates, weights);
    return step();
  }

  /// Weights of the members before shrinkage. One that hardly counts costs time at every decision:
  /// it is left out and the others take over its share.
  static std::vector<double> weigh(const Dataset& learn, const Matrix& target,
                                   std::vector<Candidate>& members) {
    std::vector<Matrix> centred_members;
    for (const Candidate& member : members)
      centred_members.push_back(centred(member.out_of_fold, learn.deviation));
    // What members leave unexplained is what the rows cannot tell of their weights.
    Matrix rest = target;
    const std::vector<double> free = nonnegative_least_squares(centred_members, target);
    for (std::size_t c = 0; c < members.size(); ++c)
      rest -= static_cast<float>(free[c]) * centred_members[c];
    const double pull = noise_of_differences(rest, learn.deviation) / (kWeightDoubt * kWeightDoubt);
    for (;;) {
      std::vector<double> weights =
          nonnegative_least_squares(centred_members, target, {expected_weights(members), pull});
      std::size_t least = members.size();
      for (std::size_t c = 0; c < members.size(); ++c)
        if (weights[c] < kLeastWeight) least = c;
      if (least == members.size() || members.size() == 1) return weights;
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(least));
      centred_members.erase(centred_members.begin() + static_cast<std::ptrdiff_t>(least));
    }
  }

  void fit_tokens() {
    Matrix tokens = Matrix::Constant(data_.rows(), data_.arms(), nan());
    for (Index i = 0; i < tokens.rows(); ++i)
      for (Index j = 0; j < tokens.cols(); ++j) {
        const auto value = table_.completion_tokens[table_.cell(
            cv_rows_[static_cast<std::size_t>(i)], static_cast<std::size_t>(j))];
        if (value != outcomes::kNoTokens) tokens(i, j) = static_cast<float>(value);
      }
    model_.tokens = fit_amounts(data_, tokens).model;
  }

  /// What is expected on rows that training has not seen; 1.0 = 100 points.
  struct Verdict {
    double gain = 0, se = 0;
    bool holds() const { return gain > 0 && gain >= kGuard * se; }
  };

  /// Out-of-fold hull gain; with several pools (files with different arms) their mean, weighted by
  /// rows.
  Result<Verdict> judge(const Matrix& quality, const Matrix& cost_oof) const {
    Verdict verdict;
    double variance = 0, total = 0;
    for (const Pool& pool : comparable_rows(data_.deviation)) {
      std::vector<float> score, cost, q, c;
      for (const Index i : pool.rows)
        for (const Index j : pool.arms) {
          score.push_back(data_.deviation(i, j) + data_.mean(j));
          cost.push_back(data_.cost(i, j));
          q.push_back(quality(i, j));
          c.push_back(cost_oof(i, j));
        }
      const auto result =
          outcomes::hull_gain({pool.rows.size(), pool.arms.size(), score, cost, q, c});
      if (!result) continue;  // a pool without costs has no hull
      const auto n = static_cast<double>(pool.rows.size());
      verdict.gain += n * result->gain;
      variance += n * n * result->se * result->se;
      total += n;
    }
    if (total == 0)
      return Error{ErrorCode::kInvalidData,
                   "no row has both a score and a cost: without costs there is nothing to weigh "
                   "quality against"};
    verdict.gain /= total;
    verdict.se = std::sqrt(variance) / total;
    return verdict;
  }

  /// The verdict with those of the costs that it is best with; they become the model's.
  Result<Verdict> judge_with(const std::vector<AmountFit>& costs, const Matrix& quality) {
    std::optional<Verdict> best;
    for (const AmountFit& fit : costs) {
      auto verdict = judge(quality, fit.out_of_fold);
      if (!verdict) return verdict.error();
      if (best && verdict->gain <= best->gain) continue;
      best = *verdict;
      model_.cost = fit.model;
    }
    return *best;
  }

  /// The members are weighed by the differences between arms. How hard a prompt is for all of them
  /// shows more than those do, so their mean is fitted by itself; differences stay as they are.
  void move_together(Matrix& quality) {
    if (comparable_rows(data_.deviation).size() != 1 || data_.deviation.array().isNaN().any())
      return;  // of arms scored on different rows the mean says nothing
    std::vector<Index> kept;
    for (Index j = 0; j < data_.arms(); ++j)
      if (model_.arms[static_cast<std::size_t>(j)].kept) kept.push_back(j);
    const VectorD said = (quality.rowwise() - data_.mean.transpose())(Eigen::all, kept)
                             .rowwise()
                             .mean()
                             .cast<double>();
    const VectorD came = Matrix(data_.deviation(Eigen::all, kept)).rowwise().mean().cast<double>();
    const double squares = said.squaredNorm();
    if (squares <= 0) return;
    const double excess = said.dot(came) / squares - 1;
    const double doubt =
        (came - said * (1 + excess)).squaredNorm() / static_cast<double>(said.size()) / squares;
    if (excess * excess <= doubt) return;
    model_.common = static_cast<float>(
        std::clamp(excess * (1 - doubt / (excess * excess)), -kMostCommon, kMostCommon));
    quality.colwise() += (said * static_cast<double>(model_.common)).cast<float>();
  }

  /// Standard errors from the out-of-fold residuals. The noise of one score is their standard
  /// deviation; what stays in the means of residuals over clusters, beyond what that noise leaves
  /// there, is error of the expectation (method of moments).
  void doubts(const Matrix& quality) {
    model_.se_floor.assign(m_, 0);
    model_.noise.assign(m_, 0);
    const std::size_t k =
        std::clamp<std::size_t>(static_cast<std::size_t>(data_.rows()) / 60, 2, 256);
    const auto group = assign_clusters(data_, fit_clusters(data_, k, options_.seed + 1));
    for (std::size_t j = 0; j < m_; ++j) {
      const auto col = static_cast<Index>(j);
      std::vector<double> sum(k), n(k);
      double squares = 0, count = 0;
      for (Index i = 0; i < data_.rows(); ++i) {
        if (std::isnan(data_.deviation(i, col))) continue;
        const double r = data_.deviation(i, col) + data_.mean(col) - quality(i, col);
        sum[static_cast<std::size_t>(group[static_cast<std::size_t>(i)])] += r;
        n[static_cast<std::size_t>(group[static_cast<std::size_t>(i)])] += 1;
        squares += r * r;
        count += 1;
      }
      if (count < 2) {
        model_.se_floor[j] = 0.5f;  // nothing is known: as unsure as a score can be
        continue;
      }
      const double noise = squares / count;
      double excess = 0, weight = 0;
      for (std::size_t c = 0; c < k; ++c) {
        if (n[c] < 5) continue;
        excess += n[c] * (sum[c] * sum[c] / (n[c] * n[c]) - noise / n[c]);
        weight += n[c];
      }
      model_.noise[j] = static_cast<float>(std::sqrt(noise));
      model_.se_floor[j] =
          static_cast<float>(std::sqrt(std::max(weight > 0 ? excess / weight : 0, noise / count)));
    }
  }

  void name_encoder() {
    model_.encoder_name = options_.encoder->name();
    model_.encoder_sha256 = options_.encoder->sha256();
    model_.encoder_tokens = options_.encoder_tokens;
  }

  /// Fits what was chosen to all rows.
  void finish(const std::vector<Candidate>& candidates, const std::vector<double>& weights) {
    Dataset all;
    std::vector<std::size_t> rows(table_.rows());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i;
    fill(all, rows);
    all.x = std::move(x_);  // 0.7 GiB for a million rows: there is one copy
    all.deviation = kept_only(all.deviation);
    all.pools = find_pools(all.deviation);
    const auto everything = all.folds;  // leaves no fold out
    MatrixD linear = MatrixD::Zero(static_cast<Index>(kQualityDims), static_cast<Index>(m_));
    MatrixD encoder = MatrixD::Zero(std::max<Index>(encoded_.cols() - 1, 0), linear.cols());
    std::vector<FoldedRidge> ridges;
    bool uses_linear = false, uses_encoder = false;
    const auto scaled = [](Matrix table, double w) {
      table *= static_cast<float>(w);
      return std::vector<float>(table.data(), table.data() + table.size());
    };
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const Candidate& member = candidates[c];
      if (weights[c] <= 0) continue;
      switch (member.kind) {
        case Candidate::Kind::kLinear:
        case Candidate::Kind::kLowRank:
          if (ridges.empty()) ridges = make_ridges(all);
          uses_linear = true;
          for (std::size_t p = 0; p < all.pools.size(); ++p) {
            MatrixD w = ridges[p].solve_all(member.alpha);
            if (member.rank > 0) w = reduce_rank(w, ridges[p].gram(), member.rank);
            for (std::size_t a = 0; a < all.pools[p].arms.size(); ++a)
              linear.col(all.pools[p].arms[a]) += weights[c] * w.col(static_cast<Index>(a));
          }
          break;
        case Candidate::Kind::kEncoder:
        case Candidate::Kind::kEncoderBeside: {
          // What it learnt about the design, or its intercept, joins the linear table.
          const Matrix x = encoder_design(encoded_, all.x, member.kind);
          const std::vector<FoldedRidge> own = make_ridges(all, x, x.cols());
          const Index rest = x.cols() - encoder.rows();
          for (std::size_t p = 0; p < all.pools.size(); ++p) {
            const MatrixD w = weights[c] * own[p].solve_all(member.alpha);
            for (std::size_t a = 0; a < all.pools[p].arms.size(); ++a) {
              const Index arm = all.pools[p].arms[a], from = static_cast<Index>(a);
              encoder.col(arm) += w.col(from).head(encoder.rows());
              linear.col(arm).tail(rest) += w.col(from).tail(rest);
            }
          }
          uses_linear = uses_encoder = true;
          name_encoder();
          break;
        }
        case Candidate::Kind::kNeighbours: {
          std::vector<Index> scored;
          for (Index i = 0; i < all.rows(); ++i)
            if (!all.deviation.row(i).array().isNaN().all()) scored.push_back(i);
          model_.neighbours = member.neighbours;
          for (const Index i : choose_exemplars(scored)) {
            for (std::size_t d = 0; d < kEmbeddingDims; ++d)
              model_.exemplars.push_back(static_cast<std::int8_t>(
                  std::lround(127 * std::clamp(all.x(i, static_cast<Index>(d)), -1.0f, 1.0f))));
            for (Index j = 0; j < all.arms(); ++j)
              model_.exemplar_deviation.push_back(static_cast<float>(weights[c]) *
                                                  all.deviation(i, j));
          }
          break;
        }
        case Candidate::Kind::kTasks: {
          const auto d = static_cast<Index>(kQualityDims);
          const Matrix beside =
              member.with_encoder ? encoder_design(encoded_, all.x, Candidate::Kind::kEncoderBeside)
                                  : Matrix();
          const Matrix& x = member.with_encoder ? beside : all.x;
          const FoldedRidge ridge(x, member.with_encoder ? x.cols() : d, one_hot(all), all.fold,
                                  all.folds);
          const Matrix w = ridge.solve_all(member.alpha).cast<float>();
          // Row-major: the encoder's rows come first, the design's are the last d.
          const float* design = w.data() + (w.rows() - d) * w.cols();
          model_.encoder_task_weights.assign(w.data(), design);
          model_.task_weights.assign(design, w.data() + w.size());
          if (member.with_encoder) name_encoder();
          model_.task_table =
              scaled(mean_table(all, all.category, all.categories, everything, kTaskPseudoCounts),
                     weights[c]);
          break;
        }
        case Candidate::Kind::kClusters:
          model_.centroids.assign(member.centroids.data(),
                                  member.centroids.data() + member.centroids.size());
          model_.cluster_table =
              scaled(mean_table(all, assign_clusters(all, member.centroids),
                                static_cast<std::size_t>(member.centroids.rows()), everything,
                                kClusterPseudoCounts),
                     weights[c]);
          break;
      }
    }
    const Matrix folded = linear.cast<float>();
    if (uses_linear) model_.linear.assign(folded.data(), folded.data() + folded.size());
    if (uses_encoder) {
      const Matrix table = encoder.cast<float>();
      model_.encoder_linear.assign(table.data(), table.data() + table.size());
    }
    // Doubt of the coefficients, from the normal matrix of all rows.
    const Targets none(0, [](Index, std::span<float>) {});
    const FoldedRidge plain(all.x, static_cast<Index>(kQualityDims), none, all.fold, all.folds);
    MatrixD normal = plain.gram();
    normal.diagonal().array() += 30;
    const Matrix inverse =
        normal.ldlt().solve(MatrixD::Identity(normal.rows(), normal.cols())).cast<float>();
    model_.covariance.assign(inverse.data(), inverse.data() + inverse.size());
  }

  /// Constants only: means of quality and cost.
  void make_static(std::string_view why) {
    model_.is_static = true;
    for (MemberInfo& member : model_.members) member.weight = 0;
    model_.members.push_back({"static", std::string(why), 1});
    model_.pruned.clear();
    model_.cost.form.assign(m_, AmountForm::kUnknown);
    if (model_.tokens.form.empty()) fit_tokens();
    model_.cost.weights.assign(m_ * kDesignDims, 0);
    model_.cost.low.assign(m_, 0);
    model_.cost.high.assign(m_, std::numeric_limits<float>::max());
    model_.se_floor.assign(m_, 0);
    model_.noise.assign(m_, 0);
    for (std::size_t j = 0; j < m_; ++j) {
      ArmInfo& arm = model_.arms[j];
      arm.kept = true;
      if (arm.has_cost) {
        model_.cost.form[j] = AmountForm::kMean;
        model_.cost.weights[j * kDesignDims + kQualityDims - 1] = arm.mean_cost_usd;
      }
      // The standard error of a mean of scores, which cannot vary more than by p (1 - p).
      const double p = arm.mean_quality;
      model_.se_floor[j] =
          arm.rows > 0 ? static_cast<float>(
                             std::sqrt(std::max(p * (1 - p), 1e-4) / static_cast<double>(arm.rows)))
                       : 0.5f;
    }
  }

  const outcomes::Table& table_;
  TrainOptions options_;
  Progress progress_;
  std::size_t m_;
  Model model_;
  Matrix x_;
  Matrix encoded_;  // [rows, encoder dims + 1], the last column 1; empty without an encoder
  std::vector<std::uint32_t> fold_all_;
  std::vector<std::size_t> cv_rows_;
  Dataset data_;
};

}  // namespace

Result<Model> train(const outcomes::Table& table, const TrainOptions& options) {
  constexpr std::string_view kMethods[] = {"ensemble", "linear",  "neighbours", "knn",   "tasks",
                                           "clusters", "cluster", "lowrank",    "static"};
  if (std::find(std::begin(kMethods), std::end(kMethods), options.method) == std::end(kMethods))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("there is no method \"{}\"; known are {}", options.method,
                             fmt::join(kMethods, ", "))};
  if (options.folds == 1 || options.folds > 20)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} folds; expected 2 to 20, or 0 for a number that suits the rows",
                             options.folds)};
  if (options.encoder != nullptr && options.method != "ensemble")
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("an encoder is a member of the ensemble; method \"{}\" has no place "
                             "for it",
                             options.method)};
  return Trainer(table, options).run();
}

}  // namespace rung::predict
