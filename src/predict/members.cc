#include "predict/members.h"

#include <fmt/format.h>

#include <cmath>

#include "base/parallel.h"
#include "predict/tables.h"

namespace rung::predict {
namespace {

constexpr double kAlphas[] = {1, 3, 10, 30, 100, 300};
constexpr double kTaskAlphas[] = {1, 10};
// On few rows the best of the alphas is the luckiest: log(alpha) is expected within 1 of this
// one's, which no set is far from.
constexpr double kUsualAlpha = 10;
constexpr double kLinearPart = 0.5;  // of the weight that is expected

/// Ridge predictions of the deviations, pool by pool; cells outside the pools stay 0.
Matrix ridge_out_of_fold(const Dataset& learn, const Matrix& x, Index dims,
                         const std::vector<FoldedRidge>& ridges, double alpha, Index rank = 0) {
  Matrix out = Matrix::Zero(learn.rows(), learn.arms());
  for (std::size_t p = 0; p < learn.pools.size(); ++p) {
    const Pool& pool = learn.pools[p];
    std::vector<Matrix> weights(learn.folds);
    parallel_for(learn.folds, [&](std::size_t f) {
      MatrixD w = ridges[p].solve(alpha, static_cast<std::uint32_t>(f));
      if (rank > 0) w = reduce_rank(w, ridges[p].gram(), rank);
      weights[f] = w.cast<float>();
    });
    for (Index i = 0; i < learn.rows(); ++i) {
      const Eigen::RowVectorXf row =
          x.row(i).head(dims) * weights[learn.fold[static_cast<std::size_t>(i)]];
      for (std::size_t a = 0; a < pool.arms.size(); ++a)
        out(i, pool.arms[a]) = row(static_cast<Index>(a));
    }
  }
  return out;
}

class Chooser {
 public:
  Chooser(const Dataset& learn, const Matrix& target, const Matrix& encoded,
          const TrainOptions& options, const std::function<Result<void>()>& step)
      : learn_(learn),
        target_(target),
        encoded_(encoded),
        options_(options),
        step_(step),
        noise_(noise_of_differences(target, learn.deviation)),
        ridges_(make_ridges(learn)) {}

  Result<std::vector<Candidate>> run() {
    const double alpha = linear();
    if (auto ok = step_(); !ok) return ok.error();
    if (wanted("lowrank")) lowrank(alpha);
    if (wanted("neighbours")) neighbours();
    if (auto ok = step_(); !ok) return ok.error();
    if (wanted("tasks") && learn_.categories >= 2) tasks();
    if (wanted("clusters")) clusters();
    if (options_.encoder != nullptr)
      for (const auto kind : {Candidate::Kind::kEncoder, Candidate::Kind::kEncoderBeside})
        encoder(kind);
    if (auto ok = step_(); !ok) return ok.error();
    return std::move(found_);
  }

 private:
  bool wanted(std::string_view name) const {
    // Clusters earn no weight beside tasks and neighbours on any set measured; alone they are a
    // method of their own.
    return (options_.method == "ensemble" && name != "clusters") || options_.method == name ||
           (name == "neighbours" && options_.method == "knn") ||
           (name == "clusters" && options_.method == "cluster");
  }

  /// The best of several hyper-parameters of one kind.
  struct Best {
    double value = 0;
    Candidate candidate;
  };
  double value_of(const Matrix& prediction) const {
    return explained(centred(prediction, learn_.deviation), target_);
  }
  void consider(Candidate candidate, Best& best) const {
    const double value = value_of(candidate.out_of_fold);
    if (value > best.value) best = {value, std::move(candidate)};
  }
  void keep(Best best) {
    if (best.value > 0) found_.push_back(std::move(best.candidate));
  }

  /// Ridge on the columns of `x` over all alphas; more of them than the rows can tell apart are
  /// held to the usual one.
  Best ridge(const Matrix& x, Index dims, const std::vector<FoldedRidge>& ridges,
             const Candidate& like) const {
    Best best;
    double best_evidence = 0;
    for (const double alpha : kAlphas) {
      Candidate candidate = like;
      candidate.alpha = alpha;
      candidate.out_of_fold = ridge_out_of_fold(learn_, x, dims, ridges, alpha);
      const double value = value_of(candidate.out_of_fold);
      if (value <= 0 || noise_ <= 0) continue;
      const double off = std::log(alpha / kUsualAlpha), evidence = value / noise_ - off * off;
      if (best.value > 0 && evidence <= best_evidence) continue;
      best_evidence = evidence;
      best = {value, std::move(candidate)};
    }
    return best;
  }

  double linear() {
    Candidate like;
    like.kind = Candidate::Kind::kLinear;
    like.name = "linear";
    Best best = ridge(learn_.x, static_cast<Index>(kQualityDims), ridges_, like);
    if (best.value <= 0) return kUsualAlpha;
    const double alpha = best.candidate.alpha;
    best.candidate.detail = fmt::format("alpha {:g}", alpha);
    if (wanted("linear")) keep(std::move(best));
    return alpha;
  }

  void lowrank(double alpha) {
    Best best;
    for (const Index rank : {1, 2, 3, 5}) {
      if (rank >= learn_.arms()) continue;
      Candidate candidate;
      candidate.kind = Candidate::Kind::kLowRank;
      candidate.name = "lowrank";
      candidate.detail = fmt::format("rank {}, alpha {:g}", rank, alpha);
      candidate.out_of_fold = ridge_out_of_fold(learn_, learn_.x, static_cast<Index>(kQualityDims),
                                                ridges_, alpha, rank);
      candidate.alpha = alpha;
      candidate.rank = rank;
      consider(std::move(candidate), best);
    }
    keep(std::move(best));
  }

  void neighbours() {
    std::vector<NeighbourConfig> configs;
    for (const std::uint32_t k : {20u, 50u, 100u, 200u})
      for (const float beta : {5.0f, 20.0f}) configs.push_back({k, beta});
    std::vector<Matrix> predictions = neighbours_out_of_fold(learn_, configs);
    Best best;
    for (std::size_t c = 0; c < configs.size(); ++c) {
      Candidate candidate;
      candidate.kind = Candidate::Kind::kNeighbours;
      candidate.name = "neighbours";
      candidate.detail = fmt::format("k {}, beta {:g}", configs[c].k, configs[c].beta);
      candidate.out_of_fold = std::move(predictions[c]);
      candidate.neighbours = configs[c];
      consider(std::move(candidate), best);
    }
    keep(std::move(best));
  }

  void tasks() {
    Best best;
    const auto attempt = [&](const Matrix& x, Index dims, bool with_encoder) {
      const FoldedRidge ridge(x, dims, one_hot(learn_), learn_.fold, learn_.folds);
      for (const double alpha : kTaskAlphas) {
        Candidate candidate;
        candidate.kind = Candidate::Kind::kTasks;
        candidate.name = "tasks";
        candidate.detail = fmt::format("{} tasks{}, alpha {:g}", learn_.categories,
                                       with_encoder ? " by the encoder" : "", alpha);
        candidate.out_of_fold = tasks_out_of_fold(learn_, x, ridge, alpha);
        candidate.alpha = alpha;
        candidate.with_encoder = with_encoder;
        consider(std::move(candidate), best);
      }
    };
    attempt(learn_.x, static_cast<Index>(kQualityDims), false);
    if (options_.encoder != nullptr) {
      const Matrix x = encoder_design(encoded_, learn_.x, Candidate::Kind::kEncoderBeside);
      attempt(x, x.cols(), true);
    }
    keep(std::move(best));
  }

  void clusters() {
    Best best;
    for (const std::size_t k : {16u, 48u}) {
      Candidate candidate;
      candidate.kind = Candidate::Kind::kClusters;
      candidate.name = "clusters";
      candidate.centroids = fit_clusters(learn_, k, options_.seed);
      candidate.detail = fmt::format("{} clusters", candidate.centroids.rows());
      candidate.out_of_fold = clusters_out_of_fold(learn_, candidate.centroids);
      consider(std::move(candidate), best);
    }
    keep(std::move(best));
  }

  void encoder(Candidate::Kind kind) {
    const Matrix x = encoder_design(encoded_, learn_.x, kind);
    Candidate like;
    like.kind = kind;
    like.name = kind == Candidate::Kind::kEncoder ? "encoder" : "encoder+text";
    Best best = ridge(x, x.cols(), make_ridges(learn_, x, x.cols()), like);
    best.candidate.detail =
        fmt::format("{}, alpha {:g}", options_.encoder->name(), best.candidate.alpha);
    keep(std::move(best));
  }

  const Dataset& learn_;
  const Matrix& target_;
  const Matrix& encoded_;
  const TrainOptions& options_;
  const std::function<Result<void>()>& step_;
  double noise_;
  std::vector<FoldedRidge> ridges_;
  std::vector<Candidate> found_;
};

}  // namespace

Result<std::vector<Candidate>> choose_members(const Dataset& learn, const Matrix& target,
                                              const Matrix& encoded, const TrainOptions& options,
                                              const std::function<Result<void>()>& step) {
  return Chooser(learn, target, encoded, options, step).run();
}

std::vector<double> expected_weights(const std::vector<Candidate>& members) {
  std::vector<double> weights(members.size(), 0);
  std::vector<std::size_t> linear, similar;
  for (std::size_t i = 0; i < members.size(); ++i) {
    switch (members[i].kind) {
      case Candidate::Kind::kLinear:
        linear.push_back(i);
        break;
      case Candidate::Kind::kNeighbours:
      case Candidate::Kind::kTasks:
      case Candidate::Kind::kClusters:
        similar.push_back(i);
        break;
      case Candidate::Kind::kLowRank:
      case Candidate::Kind::kEncoder:
      case Candidate::Kind::kEncoderBeside:
        break;  // where they help, the rows must say so
    }
  }
  const double part = linear.empty() ? 0 : similar.empty() ? 1 : kLinearPart;
  for (const std::size_t i : linear) weights[i] = part / static_cast<double>(linear.size());
  for (const std::size_t i : similar) weights[i] = (1 - part) / static_cast<double>(similar.size());
  return weights;
}

std::vector<FoldedRidge> make_ridges(const Dataset& learn, const Matrix& x, Index dims) {
  std::vector<FoldedRidge> ridges;
  for (const Pool& pool : learn.pools) {
    const auto write = [&](Index row, std::span<float> out) {
      for (std::size_t a = 0; a < out.size(); ++a) out[a] = learn.deviation(row, pool.arms[a]);
    };
    const Targets deviations(static_cast<Index>(pool.arms.size()), write);
    ridges.emplace_back(x, dims, deviations, learn.fold, learn.folds, pool.rows);
  }
  return ridges;
}

std::vector<FoldedRidge> make_ridges(const Dataset& learn) {
  return make_ridges(learn, learn.x, static_cast<Index>(kQualityDims));
}

MatrixD reduce_rank(const MatrixD& w, const MatrixD& gram, Index rank) {
  if (rank >= w.cols()) return w;
  const Eigen::SelfAdjointEigenSolver<MatrixD> eigen(w.transpose() * gram * w);
  const MatrixD top = eigen.eigenvectors().rightCols(rank);
  return w * top * top.transpose();
}

Matrix encoder_design(const Matrix& encoded, const Matrix& x, Candidate::Kind kind) {
  if (kind == Candidate::Kind::kEncoder) return encoded;
  const Index dims = encoded.cols() - 1;
  Matrix out(encoded.rows(), dims + static_cast<Index>(kQualityDims));
  out << encoded.leftCols(dims), x.leftCols(static_cast<Index>(kQualityDims));
  return out;
}

}  // namespace rung::predict
