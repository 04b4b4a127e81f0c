#include "outcomes/routerarena_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rung::outcomes {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(ArenaScore, GoldenScoresOfPublishedEntries) {
  struct Case {
    double accuracy, cost, score;
  };
  for (const Case& c : std::initializer_list<Case>{{.6688, .15, 0.668993667},
                                                   {.6809, .54, 0.666679051},
                                                   {.6634, .21, 0.661159753},
                                                   {.7396, 10.02, 0.643157254},
                                                   {.7851, .4905, 0.757498754},
                                                   {0.7518957671, 8.5434721952, 0.658646832},
                                                   {.7, .0044, 0.719626168},
                                                   {.7, 250, -0.325683397}}) {
    EXPECT_NEAR(*arena_score(c.accuracy, c.cost), c.score, 5e-10) << c.accuracy << " " << c.cost;
  }
  EXPECT_NEAR(*arena_score(0.7518957671, 8.5434721952), 0.6586468316, 5e-11) << "as published";
  EXPECT_NEAR(*arena_cost_score(.15), 0.670936524, 5e-10);
  EXPECT_NEAR(*arena_cost_score(.54), 0.551496209, 5e-10);
}

TEST(ArenaScore, CostScoreIsOneAtTheLeastZeroAtTheMostAndGoesPastBoth) {
  EXPECT_NEAR(*arena_cost_score(0.0044), 1, 1e-12);
  EXPECT_NEAR(*arena_cost_score(200), 0, 1e-12);
  EXPECT_LT(*arena_cost_score(250), 0);
  EXPECT_GT(*arena_cost_score(0.001), 1);
  EXPECT_DOUBLE_EQ(*arena_cost_score_clamped(250), 0);
  EXPECT_DOUBLE_EQ(*arena_cost_score_clamped(0.001), 1);
  EXPECT_DOUBLE_EQ(*arena_cost_score_clamped(0), 1);
  EXPECT_DOUBLE_EQ(*arena_score_clamped(.7, 250), 0);
  EXPECT_NEAR(*arena_score_clamped(.6688, .15), 0.668993667, 5e-10) << "the same within the ends";
}

TEST(ArenaScore, IsNothingWhereItIsNotDefined) {
  EXPECT_FALSE(arena_cost_score(0));
  EXPECT_FALSE(arena_score(.7, 0));
  EXPECT_FALSE(arena_score(.7, -1));
  EXPECT_FALSE(arena_score(.7, kNaN));
  EXPECT_FALSE(arena_score(kNaN, 1));
  EXPECT_FALSE(arena_score(1.2, 1));
  EXPECT_FALSE(arena_score(0, 200)) << "0 / 0";
  EXPECT_FALSE(arena_score(.7, 1e9)) << "past the pole the sign would turn again";
  EXPECT_DOUBLE_EQ(*arena_score(0, 1), 0);
}

TEST(ArenaMeans, CostIsOverAllEntriesAndAccuracyOverThoseThatHaveOne) {
  const std::vector<double> accuracy{1, 0, kNaN, 1}, cost{.002, 0, .006, kNaN};
  const ArenaMeans means = arena_means(accuracy, cost);
  EXPECT_NEAR(*means.accuracy, 2.0 / 3, 1e-12);
  EXPECT_NEAR(*means.usd_per_1000, 2.0, 1e-12);
  EXPECT_EQ(means.entries, 4u);
  EXPECT_EQ(means.scored, 3u);
  EXPECT_EQ(means.unpriced, 2u) << "said, since they make the cost look low";
  EXPECT_FALSE(arena_means({}, {}).accuracy);
  const std::vector<double> none{kNaN};
  EXPECT_FALSE(arena_means(none, none).usd_per_1000);
}

// The four queries of the golden case: A, B, C on each.
const std::vector<double> kAccuracy{1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0};
const std::vector<double> kCost{.02, .005, .001, .03, .004, .001, .02, .006, .002, .02, .006, .002};
const std::vector<std::size_t> kPicks{0, 1, 2, 2};

TEST(OptimalMetrics, GoldenConditionalAndUnconditional) {
  const ArenaOutcomes data{4, 3, kAccuracy, kCost, kPicks};
  const OptimalMetrics all = optimal_metrics(data);
  EXPECT_EQ(all.queries, 3u);
  EXPECT_NEAR(*all.selection, 0.333333333, 5e-10);
  EXPECT_NEAR(*all.cost, 1.11538462, 5e-9);
  EXPECT_NEAR(*all.accuracy, 0.666666667, 5e-10);
  const OptimalMetrics right = optimal_metrics(data, Optimality::kConditional);
  EXPECT_EQ(right.queries, 2u);
  EXPECT_NEAR(*right.selection, 0.5, 1e-12);
  EXPECT_NEAR(*right.cost, 0.375, 1e-12);
  EXPECT_NEAR(*right.accuracy, 1, 1e-12);
}

TEST(OptimalMetrics, LeavesOutWhatCannotBeJudged) {
  std::vector<double> accuracy = kAccuracy, cost = kCost;
  std::vector<std::size_t> picks = kPicks;
  picks[0] = kNoPick;
  accuracy[4] = kNaN;  // the pick of the second query; A is optimal there now
  EXPECT_EQ(optimal_metrics({4, 3, accuracy, cost, picks}).queries, 1u);
  cost[6] = kNaN;  // the only right arm of the third query has no cost: it is no optimal arm
  const OptimalMetrics none = optimal_metrics({4, 3, accuracy, cost, picks});
  EXPECT_EQ(none.queries, 0u);
  EXPECT_FALSE(none.selection || none.cost || none.accuracy);
  const std::vector<double> free{0.0}, right{1.0};
  const std::vector<std::size_t> first{0};
  EXPECT_FALSE(optimal_metrics({1, 1, right, free, first}).cost) << "0 / 0";
  EXPECT_DOUBLE_EQ(*optimal_metrics({1, 1, right, free, first}).selection, 1);
}

TEST(ArenaRobustness, CountsFlipsOverMatchedPairs) {
  const std::vector<std::size_t> clean{0, 1, 2, 0, kNoPick}, perturbed{0, 2, 2, kNoPick, 1};
  EXPECT_NEAR(*arena_robustness(clean, perturbed), 2.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(*arena_robustness(clean, clean), 1) << "a constant router is fully robust";
  const std::vector<std::size_t> nobody{kNoPick};
  EXPECT_FALSE(arena_robustness(nobody, nobody));
}

}  // namespace
}  // namespace rung::outcomes
