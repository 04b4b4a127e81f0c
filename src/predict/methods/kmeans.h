#pragma once
// k-means: Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007), on the sphere or
// in the plane. Seeded; the same on any number of threads.

#include <cstdint>
#include <vector>

#include "predict/matrix.h"

namespace rung::predict {

struct KMeansOptions {
  std::size_t clusters = 60;
  std::uint64_t seed = 1;
  bool spherical = false;    // unit points, unit centroids, nearest by cosine
  int passes = 20;           // at most; ends early once no point changes its cluster
  std::size_t restarts = 1;  // seeded seed, seed + 1, ...: the tightest, the first of equals
};

/// Centroids [min(clusters, n), d] of `points` [n, d], finite, n and clusters at least 1; for
/// `spherical`, unit rows. A cluster that loses all its points keeps its centroid (scikit-learn
/// moves it to a far point).
Matrix kmeans(const Matrix& points, const KMeansOptions& options);

}  // namespace rung::predict
