#include "predict/methods/kmeans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/random.h"

namespace rung::predict {
namespace {

/// 90 points around three corners.
Matrix corners(bool spherical) {
  Matrix points(90, 2);
  Rng rng(3);
  for (Index i = 0; i < 90; ++i) {
    const float noise_x = static_cast<float>(0.05 * rng.normal());
    const float noise_y = static_cast<float>(0.05 * rng.normal());
    points.row(i) << (i % 3 == 0   ? 1.0f
                      : i % 3 == 1 ? -1.0f
                                   : 0.0f) +
                         noise_x,
        (i % 3 == 2 ? 1.0f : 0.0f) + noise_y;
    if (spherical) points.row(i).normalize();
  }
  return points;
}

TEST(KMeans, FindsPlantedClusters) {
  for (const bool spherical : {false, true}) {
    const Matrix points = corners(spherical);
    const Matrix centroids =
        kmeans(points, {.clusters = 3, .seed = 8, .spherical = spherical, .restarts = 4});
    for (Index i = 0; i < 3; ++i) {  // one centroid is near each corner
      const Vector distance = (centroids.rowwise() - points.row(i)).rowwise().norm();
      EXPECT_LT(distance.minCoeff(), 0.2f);
    }
    for (Index c = 0; spherical && c < 3; ++c) EXPECT_NEAR(centroids.row(c).norm(), 1, 1e-5);
  }
}

TEST(KMeans, IsTheMeanForOneClusterAndThePointsForMany) {
  const Matrix points = corners(false).topRows(5);
  const Matrix one = kmeans(points, {.clusters = 1});
  EXPECT_TRUE(one.row(0).isApprox(points.colwise().mean(), 1e-5f));
  const Matrix many = kmeans(points, {.clusters = 50});
  ASSERT_EQ(many.rows(), 5);
  for (Index i = 0; i < 5; ++i)
    EXPECT_LT((many.rowwise() - points.row(i)).rowwise().norm().minCoeff(), 1e-5f);
}

TEST(KMeans, TakesTheTightestOfItsRestarts) {
  const Matrix points = corners(false);
  const auto spread = [&](const Matrix& centroids) {
    double sum = 0;
    for (Index i = 0; i < points.rows(); ++i)
      sum += (centroids.rowwise() - points.row(i)).rowwise().squaredNorm().minCoeff();
    return sum;
  };
  double best = 1e9;
  for (std::uint64_t r = 0; r < 6; ++r)
    best = std::min(best, spread(kmeans(points, {.clusters = 7, .seed = 20 + r})));
  EXPECT_NEAR(spread(kmeans(points, {.clusters = 7, .seed = 20, .restarts = 6})), best, 1e-3);
}

TEST(KMeans, GivesTheSameCentroidsOnAnyNumberOfThreads) {
  const Matrix points = corners(false);
  const KMeansOptions options{.clusters = 6, .seed = 2, .restarts = 5};
  const Matrix many = kmeans(points, options);
  ::setenv("RUNG_THREADS", "1", 1);
  const Matrix one = kmeans(points, options);
  ::unsetenv("RUNG_THREADS");
  EXPECT_EQ(many, one);
}

TEST(KMeans, StandsEqualPoints) {
  const Matrix centroids = kmeans(Matrix::Ones(4, 2), {.clusters = 3});
  EXPECT_TRUE(centroids.isApprox(Matrix::Ones(3, 2)));
}

}  // namespace
}  // namespace rung::predict
