#include "predict/methods/kmeans.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/check.h"
#include "base/parallel.h"
#include "base/random.h"

namespace rung::predict {
namespace {

/// k-means++: each next seed far from those before it.
Matrix choose_seeds(const Matrix& e, std::size_t k, std::uint64_t seed, bool spherical) {
  const auto n = static_cast<std::size_t>(e.rows());
  Matrix centroids(static_cast<Index>(k), e.cols());
  const Vector norms = e.rowwise().squaredNorm();
  Rng rng(seed);
  centroids.row(0) = e.row(static_cast<Index>(rng.below(n)));
  const float far = spherical ? 4 : std::numeric_limits<float>::max();
  Vector distance = Vector::Constant(e.rows(), far);
  for (std::size_t c = 1; c < k; ++c) {
    const auto last = centroids.row(static_cast<Index>(c - 1));
    const Vector dot = e * last.transpose();
    Vector to_last;
    if (spherical)
      to_last = (2 - 2 * dot.array()).max(0).matrix();
    else
      to_last = (norms.array() + last.squaredNorm() - 2 * dot.array()).max(0).matrix();
    distance = distance.cwiseMin(to_last);
    double target = rng.uniform() * distance.cast<double>().sum();
    Index pick = static_cast<Index>(n) - 1;
    for (Index i = 0; i < static_cast<Index>(n); ++i) {
      target -= distance(i);
      if (target <= 0) {
        pick = i;
        break;
      }
    }
    centroids.row(static_cast<Index>(c)) = e.row(pick);
  }
  return centroids;
}

struct Clustering {
  Matrix centroids;
  double spread = 0;  // sum of squared distances, up to a constant
};

Clustering lloyd(const Matrix& e, Matrix centroids, int passes, bool spherical) {
  std::vector<Index> group(static_cast<std::size_t>(e.rows()), -1);
  std::vector<float> members(static_cast<std::size_t>(centroids.rows()));
  double spread = 0;
  for (int pass = 0; pass < passes; ++pass) {
    // Nearest: the greatest e.c, less |c|^2 / 2 where lengths differ.
    Matrix closeness = e * centroids.transpose();
    if (!spherical)
      closeness.rowwise() -= (centroids.rowwise().squaredNorm() / 2).transpose().eval();
    Matrix sums = Matrix::Zero(centroids.rows(), e.cols());
    std::ranges::fill(members, 0.0f);
    bool moved = false;
    spread = 0;
    for (Index i = 0; i < e.rows(); ++i) {
      Index best = 0;
      spread -= closeness.row(i).maxCoeff(&best);
      moved = moved || group[static_cast<std::size_t>(i)] != best;
      group[static_cast<std::size_t>(i)] = best;
      sums.row(best) += e.row(i);
      members[static_cast<std::size_t>(best)] += 1;
    }
    if (!moved) break;
    for (Index c = 0; c < centroids.rows(); ++c) {
      const float norm = spherical ? sums.row(c).norm() : members[static_cast<std::size_t>(c)];
      if (norm > 1e-6f) centroids.row(c) = sums.row(c) / norm;
    }
  }
  return {std::move(centroids), spread};
}

}  // namespace

Matrix kmeans(const Matrix& points, const KMeansOptions& options) {
  RUNG_CHECK(points.rows() > 0 && options.clusters > 0, "k-means needs a point and a cluster");
  const std::size_t k = std::min(options.clusters, static_cast<std::size_t>(points.rows()));
  std::vector<Clustering> tries(std::max<std::size_t>(options.restarts, 1));
  parallel_for(tries.size(), [&](std::size_t r) {
    tries[r] = lloyd(points, choose_seeds(points, k, options.seed + r, options.spherical),
                     options.passes, options.spherical);
  });
  std::size_t best = 0;
  for (std::size_t r = 1; r < tries.size(); ++r)
    if (tries[r].spread < tries[best].spread) best = r;
  return std::move(tries[best].centroids);
}

}  // namespace rung::predict
