#include "predict/ridge.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace rung::predict {
namespace {

constexpr Index kRows = 1300, kDims = 6, kOutputs = 3;  // more rows than one block of the sums
constexpr std::uint32_t kFolds = 4;

struct Problem {
  Matrix x{kRows, kDims}, y{kRows, kOutputs};
  std::vector<std::uint32_t> fold;
};

Problem problem() {
  Problem p;
  Rng rng(7);
  for (Index i = 0; i < kRows; ++i) {
    for (Index d = 0; d < kDims; ++d) p.x(i, d) = static_cast<float>(rng.normal());
    p.x(i, kDims - 1) = 1;
    for (Index k = 0; k < kOutputs; ++k)
      p.y(i, k) = p.x(i, k) - 0.5f * p.x(i, k + 1) + 0.1f * static_cast<float>(rng.normal());
    p.fold.push_back(static_cast<std::uint32_t>(rng.below(kFolds)));
  }
  return p;
}

TEST(FoldedRidge, FindsPlantedCoefficients) {
  const Problem p = problem();
  const MatrixD w = FoldedRidge(p.x, kDims, p.y, p.fold, kFolds).solve_all(1);
  for (Index k = 0; k < kOutputs; ++k) {
    EXPECT_NEAR(w(k, k), 1, 0.02);
    EXPECT_NEAR(w(k + 1, k), -0.5, 0.02);
  }
}

TEST(FoldedRidge, OfSomeRowsIsThatOfATableWithOnlyThem) {
  const Problem p = problem();
  std::vector<Index> rows;
  for (Index i = 0; i < kRows; ++i)
    if (i % 3 != 1) rows.push_back(i);
  const Matrix x = p.x(rows, Eigen::seqN(0, kDims)), y = p.y(rows, Eigen::seqN(0, kOutputs));
  std::vector<std::uint32_t> fold;
  for (const Index i : rows) fold.push_back(p.fold[static_cast<std::size_t>(i)]);
  const FoldedRidge some(p.x, kDims, p.y, p.fold, kFolds, rows), copy(x, kDims, y, fold, kFolds);
  EXPECT_EQ(some.gram(), copy.gram());
  for (std::uint32_t f = 0; f <= kFolds; ++f) EXPECT_EQ(some.solve(3, f), copy.solve(3, f));
  EXPECT_NE(some.gram(), FoldedRidge(p.x, kDims, p.y, p.fold, kFolds).gram());
}

TEST(FoldedRidge, IsTheSameWhenTargetsAreWrittenRowByRow) {
  const Problem p = problem();
  const Targets written(kOutputs, [&](Index row, std::span<float> out) {
    for (Index k = 0; k < kOutputs; ++k) out[static_cast<std::size_t>(k)] = p.y(row, k);
  });
  EXPECT_EQ(FoldedRidge(p.x, kDims, written, p.fold, kFolds).solve_all(3),
            FoldedRidge(p.x, kDims, p.y, p.fold, kFolds).solve_all(3));
}

TEST(FoldedRidge, LeavesAFoldOutOfItsOwnPredictions) {
  Problem p = problem();
  const Matrix before = FoldedRidge(p.x, kDims, p.y, p.fold, kFolds).out_of_fold(3, p.x, p.fold);
  for (Index i = 0; i < kRows; ++i)
    if (p.fold[static_cast<std::size_t>(i)] == 2) p.y.row(i).setConstant(100);
  const Matrix after = FoldedRidge(p.x, kDims, p.y, p.fold, kFolds).out_of_fold(3, p.x, p.fold);
  for (Index i = 0; i < kRows; ++i) {
    // The sums of the fold are added and taken away again: equal but for rounding.
    const float change = (after.row(i) - before.row(i)).cwiseAbs().maxCoeff();
    if (p.fold[static_cast<std::size_t>(i)] == 2)
      EXPECT_LT(change, 1e-3f);
    else
      EXPECT_GT(change, 1.0f);
  }
}

}  // namespace
}  // namespace rung::predict
