#include "outcomes/llmrouterbench_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rung::outcomes {
namespace {

TEST(LlmRouterBench, AverageAccuracyCountsEachDataSetOnce) {
  const std::vector<double> sets{0.9, 0.6, 0.3};
  EXPECT_NEAR(*average_accuracy(sets), 0.6, 1e-12);
  EXPECT_FALSE(average_accuracy({}));
}

TEST(LlmRouterBench, GainsAndGapsAreRelative) {
  EXPECT_NEAR(*relative_gain(0.6, 0.5), 0.2, 1e-12);
  EXPECT_NEAR(*relative_gain(0.4, 0.5), -0.2, 1e-12);
  EXPECT_NEAR(*oracle_gap(0.7194, 0.9222), 0.220, 5e-4) << "a published pair";
  EXPECT_NEAR(*oracle_gap(0.7310, 0.9222), 0.207, 5e-4) << "and another of the same oracle";
  EXPECT_FALSE(relative_gain(0.4, 0));
  EXPECT_FALSE(oracle_gap(0.4, 0));
}

TEST(LlmRouterBench, PerfGainIsTheBestOfAnyConfiguration) {
  const Point best{10, 0.5};
  const std::vector<Point> router{{2, 0.4}, {6, 0.55}, {9, 0.52}}, poor{{2, 0.4}, {3, 0.45}};
  EXPECT_NEAR(*perf_gain(router, best), 0.1, 1e-12);
  EXPECT_NEAR(*perf_gain(poor, best), -0.1, 1e-12) << "never silently 0";
  EXPECT_FALSE(perf_gain({}, best));
  EXPECT_FALSE(perf_gain(router, {10, 0}));
}

TEST(LlmRouterBench, CostSaveCountsOnlyConfigurationsThatScoreAsMuch) {
  const Point best{10, 0.5};
  const std::vector<Point> router{{1, 0.4}, {6, 0.55}, {4, 0.5}}, poor{{2, 0.4}}, dear{{12, 0.6}};
  EXPECT_NEAR(*cost_save(router, best), 0.6, 1e-12);
  EXPECT_FALSE(cost_save(poor, best));
  EXPECT_NEAR(*cost_save(dear, best), -0.2, 1e-12);
  EXPECT_FALSE(cost_save(router, {0, 0.5}));
}

TEST(LlmRouterBench, TheFrontierIsWhatNobodyBeats) {
  const std::vector<Point> points{{3, .6}, {1, .5}, {2, .4}, {3, .7}, {4, .7}, {5, .9}, {NAN, 1}};
  const auto frontier = pareto_frontier(points);
  ASSERT_EQ(frontier.size(), 3u);
  EXPECT_DOUBLE_EQ(frontier[0].cost, 1);
  EXPECT_DOUBLE_EQ(frontier[1].score, .7);
  EXPECT_DOUBLE_EQ(frontier[1].cost, 3);
  EXPECT_DOUBLE_EQ(frontier[2].cost, 5);
}

TEST(LlmRouterBench, ParetoDistIsTheMeanScaledDistanceToTheFrontier) {
  const std::vector<Point> on{{0, 0}, {10, 1}}, off{{10, 0}};
  const std::vector<Point> all{{0, 0}, {10, 1}, {10, 0}};
  EXPECT_DOUBLE_EQ(*pareto_distance(on, all), 0);
  EXPECT_DOUBLE_EQ(*pareto_distance(off, all), 1) << "a full side of the scaled square";
  EXPECT_NEAR(*pareto_distance(all, all), 1.0 / 3, 1e-12);
  EXPECT_FALSE(pareto_distance({}, all));
  EXPECT_FALSE(pareto_distance(on, std::span(on).first(1))) << "no extent to scale by";
}

}  // namespace
}  // namespace rung::outcomes
