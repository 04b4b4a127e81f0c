#include "outcomes/routerbench_metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/random.h"

namespace rung::outcomes {
namespace {

const std::vector<Point> kA{{1, .5}, {2, .52}, {4, .7}, {6, .66}, {8, .75}};
const std::vector<Point> kB{{.5, .4}, {3, .65}, {10, .72}};

// The reference's way, word by word: at each x, all pairs that bracket it.
std::vector<Point> slow_ndch(const std::vector<Point>& points) {
  std::set<double> costs;
  for (const Point& p : points) costs.insert(p.cost);
  std::vector<Point> hull;
  for (const double x : costs) {
    double best = -std::numeric_limits<double>::infinity();
    for (const Point& a : points) {
      if (a.cost == x) best = std::max(best, a.score);
      for (const Point& b : points) {
        if (a.cost >= x || b.cost <= x) continue;
        best = std::max(best, a.score + (b.score - a.score) * (x - a.cost) / (b.cost - a.cost));
      }
    }
    hull.push_back({x, best});
  }
  std::vector<Point> kept;
  for (std::size_t i = 0; i < hull.size(); ++i)
    if (i == 0 || hull[i].score >= hull[i - 1].score - 1e-12) kept.push_back(hull[i]);
  return kept;
}

void expect_same(const std::vector<Point>& got, const std::vector<Point>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_DOUBLE_EQ(got[i].cost, wanted[i].cost);
    EXPECT_NEAR(got[i].score, wanted[i].score, 5e-10);
  }
}

TEST(Ndch, GoldenHulls) {
  expect_same(ndch(kA), {{1, .5}, {2, .566666667}, {4, .7}, {6, .725}, {8, .75}});
  expect_same(ndch(kB), kB);
}

TEST(Ndch, IsTheReferencesHullOnManyPoints) {
  Rng rng(3);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Point> points(1 + rng.below(12));
    for (Point& p : points)
      p = {static_cast<double>(rng.below(9)), static_cast<double>(rng.below(9))};
    const auto got = ndch(points);
    expect_same(got, slow_ndch(points));
    for (std::size_t i = 1; i < got.size(); ++i) EXPECT_GE(got[i].score, got[i - 1].score);
  }
}

TEST(Ndch, LeavesOutWhatIsNotFiniteAndDropsWhatFalls) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_same(ndch(std::vector<Point>{{1, .5}, {nan, .9}, {2, .8}, {3, .7}, {4, .6}}),
              {{1, .5}, {2, .8}});
  expect_same(ndch(std::vector<Point>{{1, .5}, {2, .8}, {3, .7}, {4, .8}}),
              {{1, .5}, {2, .8}, {3, .8}, {4, .8}});
  EXPECT_TRUE(ndch({}).empty());
}

TEST(Aiq, GoldenInBothNorms) {
  EXPECT_NEAR(*aiq(ndch(kA), 10, AiqNorm::kMaxCost), 0.620000, 5e-10);
  EXPECT_NEAR(*aiq(ndch(kB), 10, AiqNorm::kMaxCost), 0.610750, 5e-10);
  EXPECT_NEAR(*aiq(ndch(kA), 8, AiqNorm::kMaxCost), 0.587500, 5e-10);
  EXPECT_NEAR(*aiq(ndch(kA), 10, AiqNorm::kCostRange), 0.688888889, 5e-10);
}

TEST(Aiq, IsNothingWhereItIsNotDefined) {
  EXPECT_FALSE(aiq({}, 10, AiqNorm::kMaxCost));
  EXPECT_FALSE(aiq(ndch(kA), 7, AiqNorm::kMaxCost)) << "x_max leaves part of the hull out";
  const std::vector<Point> one{{4, .7}}, free{{0, .7}};
  EXPECT_FALSE(aiq(one, 4, AiqNorm::kCostRange)) << "no range";
  EXPECT_NEAR(*aiq(one, 8, AiqNorm::kMaxCost), 0.35, 1e-12);
  EXPECT_FALSE(aiq(free, 0, AiqNorm::kMaxCost)) << "nothing costs anything";
}

}  // namespace
}  // namespace rung::outcomes
