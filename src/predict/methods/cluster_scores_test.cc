#include "predict/methods/cluster_scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace rung::predict {
namespace {

using Values = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const Values kQuality1{0.9, 0.6, 0.3}, kCost1{2.0, 0.5, 0.1};
const Values kQuality2{0.5, 0.8, 0.7}, kCost2{1.6, 0.6, 0.2};

Values scored(const Values& quality, const Values& cost, ScoreWeights weights, CostScale scale,
              const std::vector<std::uint8_t>& capable = {}) {
  Values out(quality.size());
  score_in_cluster(quality, cost, capable, weights, scale, out);
  return out;
}

void expect_near(const Values& got, const Values& expected, double within) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], within) << i;
}

TEST(ClusterScores, AreThePublishedOnesInBothScales) {
  const auto alpha = ScoreWeights::alpha(0.3);
  expect_near(scored(kQuality1, kCost1, alpha, CostScale::kMinMax), {0.3, 0.702631579, 0.7}, 5e-10);
  expect_near(scored(kQuality1, kCost1, alpha, CostScale::kByMax), {0.3, 0.675, 0.665}, 5e-10);
  expect_near(scored(kQuality1, kCost1, {0.7, 0.3}, CostScale::kByMax), {0.7, 0.575, 0.285}, 5e-10);
}

TEST(ClusterScores, AddUpOverClustersAsPublished) {
  const auto alpha = ScoreWeights::alpha(0.3);
  const Values one = scored(kQuality1, kCost1, alpha, CostScale::kMinMax);
  const Values two = scored(kQuality2, kCost2, alpha, CostScale::kMinMax);
  expect_near(two, {0, 0.8, 0.9}, 5e-10);
  MatrixD x(2, 3);
  x << one[0], one[1], one[2], two[0], two[1], two[2];
  Values sum(3);
  aggregate(x, {}, Aggregation::kPaper, sum);
  expect_near(sum, {0.3, 1.502631579, 1.6}, 5e-10);
  EXPECT_EQ(best_arm(sum), 2u);
  EXPECT_EQ(best_arm(one), 1u);  // the first cluster alone prefers another
}

TEST(ClusterScores, WeighRanksAsPublished) {
  const Values distance{0.10, 0.16, 0.30};
  const Values nine = cluster_weights(distance, 9), six = cluster_weights(distance, 6);
  expect_near(nine, {0.572066952, 0.333371017, 0.0945620312}, 5e-10);
  expect_near(six, {0.500282525, 0.349035274, 0.150682201}, 5e-10);
  MatrixD x(3, 3);
  x << 3, 2, 1, 1, 3, 2, 2, 1, 3;  // rankings m1 m2 m3; m2 m3 m1; m3 m1 m2
  Values pro(3), avengers(3);
  aggregate(x, nine, Aggregation::kRankSoftmax, pro);
  expect_near(pro, {0.730471640, 0.650925170, 0.451936524}, 5e-10);
  aggregate(x, nine, Aggregation::kAvengers, avengers);
  expect_near(avengers, {5.96538311, 3.8988006, 1.52109771}, 5e-8);
  EXPECT_EQ(top_arms(avengers, 2), (std::vector<std::size_t>{0, 1}));  // those that vote
}

TEST(ClusterScores, MakeTheHeadlineFiguresRelative) {
  EXPECT_NEAR(relative_change(66.66, 62.25), 0.0708433735, 5e-11);
  EXPECT_NEAR(-relative_change(35.05, 47.96), 0.269182652, 5e-10);
  EXPECT_NEAR(1 + relative_change(56.24, 62.25), 0.903453815, 5e-10);
  EXPECT_NEAR(-relative_change(17.81, 47.96), 0.628648874, 5e-10);
}

TEST(ClusterDistance, OrdersClustersDifferentlyByItsKind) {
  VectorD x(2), c1(2), c2(2);
  x << 1, 0;
  c1 << 0.6, 0;
  c2 << 0.65, 0.6;
  EXPECT_NEAR(cluster_distance(x, c1, ClusterDistance::kOneMinusDot), 0.40, 5e-10);
  EXPECT_NEAR(cluster_distance(x, c2, ClusterDistance::kOneMinusDot), 0.35, 5e-10);
  EXPECT_NEAR(cluster_distance(x, c1, ClusterDistance::kEuclidean), 0.4, 5e-10);
  EXPECT_NEAR(cluster_distance(x, c2, ClusterDistance::kEuclidean), 0.694622199, 5e-10);
  EXPECT_NEAR(cluster_distance(x, c1, ClusterDistance::kCosine), 0, 5e-10);
  EXPECT_NEAR(cluster_distance(x, c2, ClusterDistance::kCosine), 0.265196555, 5e-10);
  EXPECT_EQ(cluster_distance(x, VectorD::Zero(2), ClusterDistance::kCosine), 1);
}

struct Case {
  Values quality, cost;
  double alpha;
  explicit Case(std::uint64_t seed) {
    Rng rng(seed);
    const std::size_t m = 2 + rng.below(7);
    for (std::size_t i = 0; i < m; ++i) {
      quality.push_back(rng.uniform());
      cost.push_back(std::exp(2 * rng.normal()));
    }
    alpha = rng.uniform();
  }
};

TEST(ClusterScores, PickTheBestAtAlphaOneAndTheCheapestAtZero) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Case c(seed);
    for (const auto scale : {CostScale::kMinMax, CostScale::kByMax}) {
      EXPECT_EQ(best_arm(scored(c.quality, c.cost, ScoreWeights::alpha(1), scale)),
                std::ranges::max_element(c.quality) - c.quality.begin());
      EXPECT_EQ(best_arm(scored(c.quality, c.cost, ScoreWeights::alpha(0), scale)),
                std::ranges::min_element(c.cost) - c.cost.begin());
    }
  }
}

TEST(ClusterScores, StayInZeroToOneForWeightsThatSumToOne) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Case c(seed);
    for (const auto scale : {CostScale::kMinMax, CostScale::kByMax})
      for (const double x : scored(c.quality, c.cost, ScoreWeights::alpha(c.alpha), scale)) {
        EXPECT_GE(x, 0);
        EXPECT_LE(x, 1 + 1e-12);
      }
  }
}

TEST(ClusterScores, DoNotSeeUnitsOfQualityAndCost) {
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Case c(seed);
    Rng rng(seed + 1000);
    const double a = std::exp(rng.normal()), b = rng.normal(), scale = std::exp(rng.normal());
    Case moved = c, scaled = c;
    for (double& q : moved.quality) q = a * q + b;
    for (double& q : scaled.quality) q = a * q + b;
    for (double& q : moved.cost) q = scale * q + 5;  // affine: the paper's scale alone forgives it
    for (double& q : scaled.cost) q = scale * q;
    const auto alpha = ScoreWeights::alpha(c.alpha);
    const Values paper = scored(c.quality, c.cost, alpha, CostScale::kMinMax);
    const Values code = scored(c.quality, c.cost, alpha, CostScale::kByMax);
    expect_near(scored(moved.quality, moved.cost, alpha, CostScale::kMinMax), paper, 1e-9);
    expect_near(scored(scaled.quality, scaled.cost, alpha, CostScale::kByMax), code, 1e-9);
    const Values shifted = scored(moved.quality, moved.cost, alpha, CostScale::kByMax);
    for (std::size_t i = 0; i < code.size(); ++i) seen += std::abs(shifted[i] - code[i]) > 0.01;
  }
  EXPECT_GT(seen, 100);
}

TEST(ClusterScores, NeverMakeAnUnknownCostFree) {
  const Values cost{2.0, kNan, 0.1};
  const Values x = scored(kQuality1, cost, ScoreWeights::alpha(0), CostScale::kMinMax);
  EXPECT_EQ(x[1], kNotScored);
  EXPECT_EQ(best_arm(x), 2u);
  const Values quality_alone =
      scored({0.1, 0.9, 0.5}, cost, ScoreWeights::alpha(1), CostScale::kMinMax);
  EXPECT_EQ(best_arm(quality_alone), 1u);  // cost weighs nothing, so it need not be known
  const Values nothing =
      scored({kNan, kNan, kNan}, cost, ScoreWeights::alpha(1), CostScale::kMinMax);
  EXPECT_EQ(best_arm(nothing), std::nullopt);
  EXPECT_TRUE(top_arms(nothing, 3).empty());
}

TEST(ClusterScores, LeaveOutIncapableArmsBeforeScaling) {
  const auto alpha = ScoreWeights::alpha(0.3);
  for (const auto scale : {CostScale::kMinMax, CostScale::kByMax}) {
    const Values masked = scored(kQuality1, kCost1, alpha, scale, {0, 1, 1});
    EXPECT_EQ(masked[0], kNotScored);
    const Values alone = scored({0.6, 0.3}, {0.5, 0.1}, alpha, scale);
    EXPECT_EQ(masked[1], alone[0]);
    EXPECT_EQ(masked[2], alone[1]);
  }
}

TEST(ClusterScores, OfEqualQualitiesOrCostsLeaveTheOtherToDecide) {
  const auto alpha = ScoreWeights::alpha(0.4);
  expect_near(scored({0.5, 0.5}, {1, 3}, alpha, CostScale::kMinMax), {1, 0.4}, 1e-12);
  expect_near(scored({0.2, 0.7}, {2, 2}, alpha, CostScale::kMinMax), {0.6, 1}, 1e-12);
  expect_near(scored({0.2, 0.7}, {0, 0}, alpha, CostScale::kByMax), {0.6, 1}, 1e-12);
  expect_near(scored({0.5}, {2}, alpha, CostScale::kMinMax), {1}, 1e-12);  // a single arm
}

TEST(ClusterScores, WeighClustersToASumOfOne) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    Values distance(1 + rng.below(20));
    for (double& d : distance) d = 100 * rng.uniform();
    double sum = 0;
    for (const double w : cluster_weights(distance, 20 * rng.uniform())) sum += w;
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(ClusterScores, OfAnArmThatSomeClustersDoNotKnowAreTheMeanOfTheOthers) {
  MatrixD x(2, 3);
  x << 0.9, 0.5, kNotScored, 0.7, kNotScored, kNotScored;
  Values out(3);
  aggregate(x, {}, Aggregation::kPaper, out);
  expect_near({out[0], out[1]}, {1.6, 1.0}, 1e-12);
  EXPECT_EQ(out[2], kNotScored);
  aggregate(x, Values{0.25, 0.75}, Aggregation::kRankSoftmax, out);
  expect_near({out[0], out[1]}, {1.0, 0.5}, 1e-12);
  EXPECT_EQ(top_arms(out, 5), (std::vector<std::size_t>{0, 1}));
}

TEST(ScoreWeights, MustBeNotNegativeAndNotAllZero) {
  EXPECT_TRUE(check_weights({0.45, 0.55}));
  EXPECT_TRUE(check_weights({1, 1}));  // the code lets them sum to 2
  EXPECT_EQ(check_weights(ScoreWeights::alpha(1.2)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(check_weights({0, 0}));
  EXPECT_FALSE(check_weights({kNan, 1}));
}

}  // namespace
}  // namespace rung::predict
