#include "predict/methods/avengers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "predict/methods/kmeans.h"

namespace rung::predict {
namespace {

VectorD unit(std::span<const float> x) {
  VectorD v = Eigen::Map<const Vector>(x.data(), static_cast<Index>(x.size())).cast<double>();
  if (const double norm = v.norm(); norm > 0) v /= norm;
  return v;
}

Result<void> check_options(const AvengersOptions& o) {
  if (o.clusters > 0 && o.near > 0 && o.beta >= 0 && std::isfinite(o.beta) &&
      o.pseudo_counts >= 0 && std::isfinite(o.pseudo_counts))
    return {};
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("{} clusters, {} near, beta {}, pseudo-counts {}: the first two must be "
                           "above 0, the others at least 0",
                           o.clusters, o.near, o.beta, o.pseudo_counts)};
}

Result<void> check_costs(std::span<const float> cost) {
  for (const float c : cost)
    if (c < 0)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("a cost is {}; costs are at least 0, and missing where unknown", c)};
  return {};
}

/// Sums and counts by cluster of the finite values of one column.
void add_up(std::span<const float> values, const std::vector<std::uint32_t>& group,
            Eigen::Ref<VectorD> sum, Eigen::Ref<VectorD> count) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    sum(group[i]) += static_cast<double>(values[i]);
    count(group[i]) += 1;
  }
}

MatrixD shrunk_means(const MatrixD& sum, const MatrixD& count, double pseudo) {
  MatrixD out(sum.rows(), sum.cols());
  for (Index j = 0; j < sum.cols(); ++j) {
    const double overall = sum.col(j).sum() / count.col(j).sum();  // NaN: never seen
    for (Index c = 0; c < sum.rows(); ++c)
      out(c, j) = pseudo > 0 ? (sum(c, j) + pseudo * overall) / (count(c, j) + pseudo)
                             : sum(c, j) / count(c, j);
  }
  return out;
}

void drop_column(MatrixD& table, Index column) {
  const Index after = table.cols() - column - 1;
  table.middleCols(column, after) = table.rightCols(after).eval();
  table.conservativeResize(Eigen::NoChange, table.cols() - 1);
}

}  // namespace

AvengersOptions AvengersOptions::paper() {
  AvengersOptions o;
  o.pseudo_counts = 0;
  return o;
}

AvengersOptions AvengersOptions::rank_softmax() {
  AvengersOptions o;
  o.how = Aggregation::kRankSoftmax;
  o.scale = CostScale::kByMax;
  o.distance = ClusterDistance::kOneMinusDot;
  o.clusters = 25;
  o.near = 3;
  o.pseudo_counts = 0;
  return o;
}

AvengersOptions AvengersOptions::avengers() {
  AvengersOptions o = rank_softmax();
  o.how = Aggregation::kAvengers;
  o.clusters = 64;
  o.beta = 6;
  return o;
}

Result<Avengers> Avengers::fit(const Matrix& embeddings, const Matrix& score, const Matrix& cost,
                               const AvengersOptions& options) {
  if (auto ok = check_options(options); !ok) return ok.error();
  const Index n = embeddings.rows(), m = score.cols();
  if (n == 0 || m == 0 || score.rows() != n || cost.rows() != n || cost.cols() != m)
    return Error{
        ErrorCode::kInvalidData,
        fmt::format("{} embeddings, scores [{}, {}], costs [{}, {}]: all need the same rows, "
                    "at least one, and scores and costs the same arms, at least one",
                    n, score.rows(), m, cost.rows(), cost.cols())};
  if (auto ok = check_costs({cost.data(), static_cast<std::size_t>(cost.size())}); !ok)
    return ok.error();
  if (!score.array().isFinite().any())
    return Error{ErrorCode::kInvalidData,
                 fmt::format("none of {} rows has a score; clusters need some", n)};

  // 1. Clusters of the unit embeddings.
  Avengers out;
  out.pseudo_counts_ = options.pseudo_counts;
  ClusterRouter& router = out.router_;
  router.how = options.how;
  router.scale = options.scale;
  router.distance = options.distance;
  router.near = options.near;
  router.beta = options.beta;
  Matrix points = embeddings;
  for (Index i = 0; i < n; ++i)
    if (const float norm = points.row(i).norm(); norm > 0) points.row(i) /= norm;
  router.centroids = kmeans(points, {.clusters = options.clusters,
                                     .seed = options.seed,
                                     .spherical = false,
                                     .passes = 100,
                                     .restarts = options.restarts})
                         .cast<double>();
  const VectorD half = router.centroids.rowwise().squaredNorm() / 2;
  for (Index i = 0; i < n; ++i) {
    Index best = 0;
    (router.centroids * points.row(i).transpose().cast<double>() - half).maxCoeff(&best);
    out.group_.push_back(static_cast<std::uint32_t>(best));
  }
  // 2. Sums by cluster and arm.
  for (MatrixD* table : {&out.score_sum_, &out.score_count_, &out.cost_sum_, &out.cost_count_})
    *table = MatrixD::Zero(router.centroids.rows(), m);
  for (Index j = 0; j < m; ++j) {
    const Vector s = score.col(j), c = cost.col(j);
    add_up({s.data(), out.group_.size()}, out.group_, out.score_sum_.col(j),
           out.score_count_.col(j));
    add_up({c.data(), out.group_.size()}, out.group_, out.cost_sum_.col(j), out.cost_count_.col(j));
  }
  out.refresh();
  return out;
}

void Avengers::refresh() {
  router_.quality = shrunk_means(score_sum_, score_count_, pseudo_counts_);
  router_.cost = shrunk_means(cost_sum_, cost_count_, pseudo_counts_);
}

Result<std::size_t> Avengers::add_arm(std::span<const float> score, std::span<const float> cost) {
  if (score.size() != group_.size() || cost.size() != group_.size())
    return Error{
        ErrorCode::kInvalidData,
        fmt::format("a new arm with {} scores and {} costs; the clusters were made from {} "
                    "rows, and it needs those",
                    score.size(), cost.size(), group_.size())};
  if (auto ok = check_costs(cost); !ok) return ok.error();
  if (std::ranges::none_of(score, [](float s) { return std::isfinite(s); }))
    return Error{ErrorCode::kInvalidData,
                 fmt::format("a new arm without a score in {} rows; it needs some", score.size())};
  const Index at = score_sum_.cols();
  for (MatrixD* table : {&score_sum_, &score_count_, &cost_sum_, &cost_count_}) {
    table->conservativeResize(Eigen::NoChange, at + 1);
    table->col(at).setZero();
  }
  add_up(score, group_, score_sum_.col(at), score_count_.col(at));
  add_up(cost, group_, cost_sum_.col(at), cost_count_.col(at));
  refresh();
  return static_cast<std::size_t>(at);
}

Result<void> Avengers::retire_arm(std::size_t arm) {
  if (arm >= router_.arms())
    return Error{ErrorCode::kNotFound,
                 fmt::format("there is no arm {} among {}", arm, router_.arms())};
  if (router_.arms() == 1)
    return Error{ErrorCode::kInvalidArgument, "the only arm cannot be retired; add another first"};
  for (MatrixD* table : {&score_sum_, &score_count_, &cost_sum_, &cost_count_})
    drop_column(*table, static_cast<Index>(arm));
  refresh();
  return {};
}

ClusterRouter::Near ClusterRouter::nearest(std::span<const float> query) const {
  RUNG_CHECK(static_cast<Index>(query.size()) == centroids.cols(),
             "a query has the embeddings' dimensions");
  const VectorD x = unit(query);
  RUNG_CHECK(x.allFinite(), "an embedding is finite");
  std::vector<double> far(clusters());
  for (std::size_t c = 0; c < far.size(); ++c)
    far[c] = cluster_distance(x, centroids.row(static_cast<Index>(c)), distance);
  Near out;
  out.cluster.resize(far.size());
  std::iota(out.cluster.begin(), out.cluster.end(), std::size_t{0});
  const std::size_t count = std::min(near, far.size());
  std::ranges::partial_sort(
      out.cluster, out.cluster.begin() + static_cast<std::ptrdiff_t>(count),
      [&](auto a, auto b) { return far[a] < far[b] || (far[a] == far[b] && a < b); });
  out.cluster.resize(count);
  for (const std::size_t c : out.cluster) out.distance.push_back(far[c]);
  return out;
}

void ClusterRouter::expected_quality(std::span<const float> query, std::span<double> out) const {
  RUNG_CHECK(out.size() == arms(), "each arm has a place");
  const Near close = nearest(query);
  std::vector<double> weight(close.cluster.size(), 1.0);
  if (how != Aggregation::kPaper) weight = cluster_weights(close.distance, beta);
  for (std::size_t i = 0; i < arms(); ++i) {
    double sum = 0, total = 0;
    for (std::size_t k = 0; k < weight.size(); ++k) {
      const double q = quality(static_cast<Index>(close.cluster[k]), static_cast<Index>(i));
      if (!std::isfinite(q)) continue;
      sum += weight[k] * q;
      total += weight[k];
    }
    out[i] = sum / total;  // 0 / 0 is NaN: unknown
  }
}

void ClusterRouter::scores(std::span<const float> query, std::span<const std::uint8_t> capable,
                           const ScoreWeights& weights, std::span<double> out) const {
  RUNG_CHECK(out.size() == arms(), "each arm has a place");
  RUNG_CHECK(check_weights(weights).has_value(), "weights of scores are checked by the caller");
  // 1. The nearest clusters.
  const Near close = nearest(query);
  const std::size_t count = close.cluster.size();
  // 2. The arms in each.
  MatrixD table(static_cast<Index>(count), quality.cols());
  std::vector<double> q(arms()), c(arms()), row(arms());
  for (std::size_t k = 0; k < count; ++k) {
    const auto at = static_cast<Index>(close.cluster[k]);
    for (std::size_t i = 0; i < arms(); ++i) {
      q[i] = quality(at, static_cast<Index>(i));
      c[i] = cost(at, static_cast<Index>(i));
    }
    score_in_cluster(q, c, capable, weights, scale, row);
    for (std::size_t i = 0; i < arms(); ++i)
      table(static_cast<Index>(k), static_cast<Index>(i)) = row[i];
  }
  // 3. One score each.
  aggregate(table, cluster_weights(close.distance, beta), how, out);
}

bool Avengers::arm_is_known(std::size_t arm, bool with_cost) const {
  if (arm >= router_.arms()) return false;
  const auto j = static_cast<Index>(arm);
  return score_count_.col(j).sum() > 0 && (!with_cost || cost_count_.col(j).sum() > 0);
}

}  // namespace rung::predict
