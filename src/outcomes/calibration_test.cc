#include "outcomes/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace rung::outcomes {
namespace {

const std::vector<double> kEstimate{.95, .9, .8, .7, .6, .55, .4, .3, .2, .1};
const std::vector<double> kOutcome{1, 1, 1, 0, 1, 0, 1, 0, 0, 0};

TEST(Calibration, GoldenBrierEceAndLogLoss) {
  EXPECT_NEAR(*brier(kEstimate, kOutcome), 0.150500, 5e-10);
  EXPECT_NEAR(*expected_calibration_error(kEstimate, kOutcome, 5), 0.140000, 5e-10);
  EXPECT_NEAR(*log_loss(kEstimate, kOutcome), 0.449457323, 5e-10);
}

TEST(Calibration, BinsAreClosedOnTheRight) {
  const std::vector<double> estimate{0.5, 0.25}, outcome{0, 1};
  // Both in (0, 0.5]: |0.75 - 1| / 2. Were 0.5 in the upper bin, it would be 0.625.
  EXPECT_NEAR(*expected_calibration_error(estimate, outcome, 2), 0.125, 1e-12);
  const std::vector<double> ends{0, 1}, right{0, 1};
  EXPECT_NEAR(*expected_calibration_error(ends, right, 10), 0, 1e-12);
}

TEST(Calibration, IsNothingWithoutRowsAndNeverInfinite) {
  EXPECT_FALSE(brier({}, {}));
  EXPECT_FALSE(expected_calibration_error({}, {}));
  EXPECT_FALSE(expected_calibration_error(kEstimate, kOutcome, 0));
  EXPECT_FALSE(log_loss({}, {}));
  const std::vector<double> certain{0}, wrong{1};
  EXPECT_FALSE(log_loss(certain, wrong));
  EXPECT_NEAR(*log_loss(certain, wrong, 0.01), -std::log(0.01), 1e-12);
  EXPECT_DOUBLE_EQ(*log_loss(certain, certain), 0) << "certain and right";
}

TEST(Isotonic, GoldenPooling) {
  const std::vector<double> outcome{0, 0, 1, 0, 1, 1, 0, 1, 1, 1};
  const std::vector<double> wanted{0, 0, .5, .5, .666666667, .666666667, .666666667, 1, 1, 1};
  std::vector<double> score;
  for (int i = 0; i < 10; ++i) score.push_back(i);
  auto fitted = Isotonic::fit(score, outcome);
  ASSERT_TRUE(fitted) << fitted.error().message;
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(fitted->apply(score[i]), wanted[i], 5e-10);
  EXPECT_DOUBLE_EQ(fitted->apply(-5), 0);
  EXPECT_DOUBLE_EQ(fitted->apply(99), 1);
  EXPECT_NEAR(fitted->apply(1.5), 0.25, 1e-12) << "linear between two blocks";
  EXPECT_NEAR(fitted->apply(2.5), 0.5, 1e-12) << "constant within one";
}

TEST(Isotonic, PoolsEqualScoresAndMindsWeights) {
  const std::vector<double> score{1, 1, 2}, outcome{0, 1, 0}, weight{1, 3, 2};
  auto fitted = Isotonic::fit(score, outcome, weight);
  ASSERT_TRUE(fitted);
  EXPECT_NEAR(fitted->apply(1), 0.5, 1e-12);  // (0 + 3 + 0) / 6 after pooling with the row at 2
  const std::vector<double> rising{0, 1, 1};
  fitted = Isotonic::fit(score, rising, weight);
  EXPECT_NEAR(fitted->apply(1), 0.75, 1e-12);
  EXPECT_NEAR(fitted->apply(2), 1, 1e-12);
}

TEST(Isotonic, NeverFallsKeepsTheMeanAndBeatsEveryOtherRisingFit) {
  Rng rng(5);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> score, outcome;
    for (int i = 0; i < 40; ++i) {
      score.push_back(static_cast<double>(rng.below(20)));
      outcome.push_back(rng.uniform() < score.back() / 20 ? 1 : 0);
    }
    const auto fitted = Isotonic::fit(score, outcome);
    ASSERT_TRUE(fitted);
    double excess = 0, own = 0, line = 0;
    for (std::size_t i = 0; i < score.size(); ++i) {
      excess += fitted->apply(score[i]) - outcome[i];
      own += std::pow(fitted->apply(score[i]) - outcome[i], 2);
      line += std::pow(score[i] / 20 - outcome[i], 2);  // the truth is one of the rising functions
    }
    EXPECT_NEAR(excess, 0, 1e-9);
    EXPECT_LE(own, line + 1e-9);
    for (double s = -1; s < 21; s += 0.25)
      EXPECT_LE(fitted->apply(s), fitted->apply(s + 0.25) + 1e-12);
  }
}

TEST(Isotonic, RefusesWhatItCannotFit) {
  EXPECT_EQ(Isotonic::fit({}, {}).error().code, ErrorCode::kInvalidArgument);
  const std::vector<double> one{1}, two{1, 2}, none{std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(Isotonic::fit(one, two).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Isotonic::fit(none, one).error().code, ErrorCode::kInvalidData);
  const std::vector<double> zero{0};
  EXPECT_EQ(Isotonic::fit(one, one, zero).error().code, ErrorCode::kInvalidData);
}

TEST(Platt, FindsThePlantedSlopeAndOffset) {
  Rng rng(7);
  std::vector<double> score, outcome;
  for (int i = 0; i < 40000; ++i) {
    score.push_back(2 * rng.normal());
    outcome.push_back(rng.uniform() < 1 / (1 + std::exp(-(1.5 * score.back() - 0.7))) ? 1 : 0);
  }
  auto fitted = Platt::fit(score, outcome);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_NEAR(fitted->slope(), 1.5, 0.06);
  EXPECT_NEAR(fitted->offset(), -0.7, 0.06);
  EXPECT_NEAR(fitted->apply(0.7 / 1.5), 0.5, 0.02);
}

TEST(Platt, SettlesOnSoftOutcomesExactly) {
  // Two scores with means 0.2 and 0.6: without smoothing the fit goes through both.
  const std::vector<double> score{0, 1}, outcome{0.2, 0.6};
  auto fitted = Platt::fit(score, outcome, {.smoothed_targets = false});
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_NEAR(fitted->apply(0), 0.2, 1e-6);
  EXPECT_NEAR(fitted->apply(1), 0.6, 1e-6);
}

TEST(Platt, StaysFiniteWhereTheOutcomesPartCleanlyOrAreAllTheSame) {
  const std::vector<double> score{-2, -1, 1, 2}, clean{0, 0, 1, 1}, same{1, 1, 1, 1};
  auto fitted = Platt::fit(score, clean);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_TRUE(std::isfinite(fitted->slope()));
  EXPECT_GT(fitted->apply(2), 0.7);
  EXPECT_LT(fitted->apply(2), 1);
  fitted = Platt::fit(score, same);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_NEAR(fitted->apply(0), 5.0 / 6, 1e-6);
}

TEST(Platt, RefusesOutcomesOutsideTheUnitInterval) {
  const std::vector<double> score{0, 1}, outcome{0, 2};
  EXPECT_NE(Platt::fit(score, outcome).error().message.find("row 1"), std::string::npos);
}

}  // namespace
}  // namespace rung::outcomes
