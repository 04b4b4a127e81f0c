#include "predict/anchors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "outcomes/group.h"
#include "predict/embedding.h"

namespace rung::predict {
namespace {

constexpr std::size_t kMostCandidates = 20'000;  // bounds time and memory
constexpr Index kMostFactors = 8;
// What texts count beside scores: enough that topics on which the known models agree are covered
// too.
constexpr float kTextWeight = 0.5f;
constexpr float kWidth = 1;       // of the kernel, in the units of the factors
constexpr Index kSample = 2'000;  // rows that stand for all

/// One scored row for each group of near-duplicates, in seeded order.
std::vector<std::size_t> candidates(const outcomes::Table& table, std::uint64_t seed) {
  const outcomes::Groups groups = outcomes::group_by_text(table);
  std::vector<bool> seen(groups.count());
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (seen[groups.of_row[i]]) continue;
    for (std::size_t j = 0; j < table.arm_count(); ++j) {
      if (std::isnan(table.score[table.cell(i, j)])) continue;
      seen[groups.of_row[i]] = true;
      rows.push_back(i);
      break;
    }
  }
  Rng rng(mix64(seed ^ 0x616e63686f72ULL));
  rng.shuffle(std::span(rows));
  return rows;
}

/// Where each row stands in the strongest factors of the deviations from the arms' means, each
/// factor with variance 1 over the rows [n, <= kMostFactors]. A missing cell says nothing: it is 0.
Matrix factors(const outcomes::Table& table, const std::vector<std::size_t>& rows) {
  const auto n = static_cast<Index>(rows.size()), m = static_cast<Index>(table.arm_count());
  MatrixD deviation = MatrixD::Zero(n, m);
  for (Index j = 0; j < m; ++j) {
    double sum = 0, count = 0;
    for (Index i = 0; i < n; ++i) {
      const float s =
          table.score[table.cell(rows[static_cast<std::size_t>(i)], static_cast<std::size_t>(j))];
      if (std::isnan(s)) continue;
      deviation(i, j) = s;
      sum += s;
      count += 1;
    }
    for (Index i = 0; i < n; ++i)
      if (!std::isnan(table.score[table.cell(rows[static_cast<std::size_t>(i)],
                                             static_cast<std::size_t>(j))]))
        deviation(i, j) -= sum / count;
  }
  const Eigen::SelfAdjointEigenSolver<MatrixD> eigen(deviation.transpose() * deviation);
  const Index rank = std::min(m, kMostFactors);
  Matrix out = Matrix::Zero(n, rank);
  const double most = eigen.eigenvalues()(m - 1);
  for (Index r = 0; r < rank; ++r) {
    const double value = eigen.eigenvalues()(m - 1 - r);
    if (!(value > 1e-9 * most)) break;
    VectorD column = deviation * eigen.eigenvectors().col(m - 1 - r);
    column *= std::sqrt(static_cast<double>(n) / value);
    out.col(r) = column.cast<float>();
  }
  return out;
}

}  // namespace

Result<std::vector<std::size_t>> choose_anchors(const outcomes::Table& table,
                                                const AnchorOptions& options) {
  if (options.count == 0)
    return Error{ErrorCode::kInvalidArgument, "0 anchors were asked for; expected at least one"};
  std::vector<std::size_t> rows = candidates(table, options.seed);
  if (rows.size() < options.count)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("the outcomes hold {} different prompts with a score; {} anchors need "
                             "at least as many",
                             rows.size(), options.count)};
  if (options.at_random) {
    rows.resize(options.count);
    return rows;
  }
  rows.resize(std::min(rows.size(), std::max(kMostCandidates, options.count)));
  // 1. What each row says of models, and what it asks.
  const auto text_of = [&](std::size_t i) { return table.prompts[rows[i]]; };
  const Embedding embedding = fit_embedding(rows.size(), text_of, options.seed);
  const Matrix text = embed_all(embedding.view(), rows.size(), text_of)
                          .leftCols(static_cast<Index>(kEmbeddingDims));
  const Matrix factor = factors(table, rows);
  const Index f = factor.cols();
  Matrix z(static_cast<Index>(rows.size()), f + text.cols());
  z.leftCols(f) = factor / std::sqrt(static_cast<float>(std::max<Index>(f, 1)));
  z.rightCols(text.cols()) = kTextWeight * text;
  const Vector norms = z.rowwise().squaredNorm();
  const auto likeness = [&](Index j) {
    const Vector apart = norms.array() + norms(j) - 2 * (z * z.row(j).transpose()).array();
    return Vector((-apart.array().max(0.0f) / kWidth).exp());
  };
  // 2. How like all the rows each row is, and then, one by one, the row that is most like all of
  // them less what is like the anchors so far.
  const Index sample = std::min(z.rows(), kSample);  // the order is random, so the first do
  Vector all = Vector::Zero(z.rows());
  for (Index j = 0; j < sample; ++j) all += likeness(j);
  all /= static_cast<float>(sample);
  Vector covered = Vector::Zero(z.rows());
  std::vector<std::size_t> chosen;
  while (chosen.size() < options.count) {
    const Vector gain = all - covered / static_cast<float>(chosen.size() + 1);
    Index best = 0;
    gain.maxCoeff(&best);
    chosen.push_back(rows[static_cast<std::size_t>(best)]);
    covered += likeness(best);
    covered(best) = std::numeric_limits<float>::infinity();
  }
  return chosen;
}

}  // namespace rung::predict
