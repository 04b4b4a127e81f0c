#include "predict/methods/soft_logistic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/random.h"
#include "predict/methods/match_labels.h"

namespace rung::predict {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Rows with two features and the intercept; targets are a known logistic function of them.
struct World {
  Matrix x{200, 3};
  VectorD target{200};
  std::vector<std::uint32_t> fold;
  explicit World(std::uint64_t seed = 1) {
    Rng rng(seed);
    for (Index i = 0; i < 200; ++i) {
      x.row(i) << static_cast<float>(rng.normal()), static_cast<float>(rng.normal()), 1.0f;
      target(i) = 1 / (1 + std::exp(-(1.5 * x(i, 0) - 0.5 * x(i, 1) + 0.3)));
      fold.push_back(static_cast<std::uint32_t>(rng.below(5)));
    }
  }
};

TEST(SoftCrossEntropy, IsThePublishedOne) {
  const std::vector<double> small{-3.2, -2.8, -3.5}, large{-3.0, -2.9, -3.4};
  EXPECT_NEAR(1 / (1 + std::exp(-0.6)), 0.645656306, 5e-10);
  EXPECT_NEAR(soft_cross_entropy(0.4, -0.2, *match_probability(small, large, 0.15)), 0.704154617,
              5e-10);
  EXPECT_NEAR(soft_cross_entropy(0.4, -0.2, *match_probability(small, large, 0.45)), 0.570821284,
              5e-10);
  EXPECT_NEAR(soft_cross_entropy(800, 0, 0), 800, 1e-9);  // and no overflow
  EXPECT_NEAR(soft_cross_entropy(-800, 0, 0), 0, 1e-9);
}

TEST(SoftLogistic, RecoversTheFunctionThatMadeTheTargets) {
  const World w;
  const auto head = fit_logistic(w.x, 3, w.target, {.l2 = 1e-9});
  ASSERT_TRUE(head);
  EXPECT_NEAR(head->weights(0), 1.5, 0.01);
  EXPECT_NEAR(head->weights(1), -0.5, 0.01);
  EXPECT_NEAR(head->weights(2), 0.3, 0.01);
}

TEST(SoftLogistic, StandsWhereItsSlopeIsZero) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const World w(seed);
    const double l2 = 0.01 + static_cast<double>(seed);
    const auto head = fit_logistic(w.x, 3, w.target, {.l2 = l2});
    ASSERT_TRUE(head);
    VectorD slope = l2 * head->weights;
    slope(2) = 1e-4 * 200 * head->weights(2);
    for (Index i = 0; i < 200; ++i)
      slope += (head->probability({w.x.row(i).data(), 3}) - w.target(i)) *
               w.x.row(i).transpose().cast<double>();
    EXPECT_LT(slope.cwiseAbs().maxCoeff(), 1e-6) << "seed " << seed;
  }
}

TEST(SoftLogistic, TakesASoftTargetForWeightedHardOnes) {
  const World w;
  Matrix twice(400, 3);
  VectorD hard(400);
  std::vector<double> weight(400);
  for (Index i = 0; i < 200; ++i) {
    twice.row(2 * i) = twice.row(2 * i + 1) = w.x.row(i);
    hard(2 * i) = 1, hard(2 * i + 1) = 0;
    weight[static_cast<std::size_t>(2 * i)] = w.target(i);
    weight[static_cast<std::size_t>(2 * i + 1)] = 1 - w.target(i);
  }
  const auto soft = fit_logistic(w.x, 3, w.target),
             split = fit_logistic(twice, 3, hard, {}, weight);
  ASSERT_TRUE(soft && split);
  EXPECT_TRUE(soft->weights.isApprox(split->weights, 1e-7));
}

TEST(SoftLogistic, SkipsRowsWithoutATarget) {
  World w;
  const auto half = fit_logistic(w.x.topRows(100), 3, w.target.head(100));
  w.target.tail(100).setConstant(kNan);
  const auto masked = fit_logistic(w.x, 3, w.target);
  ASSERT_TRUE(half && masked);
  EXPECT_TRUE(half->weights.isApprox(masked->weights, 1e-9));
}

TEST(SoftLogistic, StaysFiniteOnOneClassOneRowAndConstants) {
  World w;
  const auto one_class = fit_logistic(w.x, 3, VectorD::Ones(200));
  ASSERT_TRUE(one_class);
  EXPECT_GT(one_class->probability(std::vector<float>{0, 0, 1}), 0.99);
  EXPECT_LT(one_class->probability(std::vector<float>{0, 0, 1}), 1);
  const auto constant = fit_logistic(w.x, 3, VectorD::Constant(200, 0.25));
  ASSERT_TRUE(constant);
  EXPECT_NEAR(constant->probability(std::vector<float>{2, -1, 1}), 0.25, 0.001);
  const auto one_row = fit_logistic(w.x.topRows(1), 3, VectorD::Constant(1, 0.5));
  ASSERT_TRUE(one_row);
  EXPECT_NEAR(one_row->probability(std::vector<float>{2, -1, 1}), 0.5, 1e-9);
}

TEST(SoftLogistic, SeparatesWithoutRunningAway) {
  World w;
  for (Index i = 0; i < 200; ++i) w.target(i) = w.x(i, 0) > 0 ? 1 : 0;
  const auto head = fit_logistic(w.x, 3, w.target, {.l2 = 1e-3});
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->weights.allFinite());
  EXPECT_GT(head->probability(std::vector<float>{1, 0, 1}), 0.99);
}

TEST(SoftLogistic, OutOfFoldDoesNotSeeARowsOwnTarget) {
  World w;
  const auto before = logistic_out_of_fold(w.x, 3, w.target, w.fold, 5);
  ASSERT_TRUE(before);
  const std::uint32_t own = w.fold[7];
  for (Index i = 0; i < 200; ++i)
    if (w.fold[static_cast<std::size_t>(i)] == own) w.target(i) = 1 - w.target(i);
  const auto after = logistic_out_of_fold(w.x, 3, w.target, w.fold, 5);
  ASSERT_TRUE(after);
  int changed = 0;
  for (Index i = 0; i < 200; ++i) {
    if (w.fold[static_cast<std::size_t>(i)] == own)
      EXPECT_NEAR((*before)(i), (*after)(i), 1e-9);
    else
      changed += std::abs((*before)(i) - (*after)(i)) > 0.01;
  }
  EXPECT_GT(changed, 50);
}

TEST(SoftLogistic, IsTheSameOnAnyNumberOfThreads) {
  const World w;
  const auto many = logistic_out_of_fold(w.x, 3, w.target, w.fold, 5);
  ::setenv("RUNG_THREADS", "1", 1);
  const auto one = logistic_out_of_fold(w.x, 3, w.target, w.fold, 5);
  ::unsetenv("RUNG_THREADS");
  ASSERT_TRUE(many && one);
  EXPECT_EQ(*many, *one);
}

TEST(SoftLogistic, RefusesWhatItCannotFit) {
  const World w;
  const auto code = [](const auto& result) {
    return result ? ErrorCode::kInternal : result.error().code;
  };
  EXPECT_EQ(code(fit_logistic(w.x, 3, w.target, {.l2 = 0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(fit_logistic(w.x, 4, w.target)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(fit_logistic(w.x, 3, VectorD::Ones(3))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(fit_logistic(w.x, 3, VectorD::Constant(200, 1.5))), ErrorCode::kInvalidData);
  EXPECT_EQ(code(fit_logistic(w.x, 3, VectorD::Constant(200, kNan))), ErrorCode::kInvalidData);
  const std::vector<std::uint32_t> together(200, 1);
  const auto one_fold = logistic_out_of_fold(w.x, 3, w.target, together, 2);
  ASSERT_FALSE(one_fold);
  EXPECT_EQ(one_fold.error().message,
            "all 200 rows with a target are in fold 1; two folds need some");
}

}  // namespace
}  // namespace rung::predict
