#include "outcomes/hull_gain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <string>

#include "base/random.h"
#include "outcomes/report_html.h"
#include "outcomes/significance.h"

namespace rung::outcomes {
namespace {

// Arms of rising cost; easy and hard queries, which `signal` in [0, 1] lets the estimates see.
struct World {
  std::size_t rows, arms;
  std::vector<float> score, cost, quality, price;
  Estimated data() const { return {rows, arms, score, cost, quality, price}; }
};

World world(std::size_t rows, std::size_t arms, double signal, std::uint64_t seed) {
  World w{rows, arms, {}, {}, {}, {}};
  Rng rng(seed);
  for (std::size_t r = 0; r < rows; ++r) {
    const double hard = rng.uniform();
    for (std::size_t a = 0; a < arms; ++a) {
      const double base = 0.3 + 0.6 * static_cast<double>(a) / static_cast<double>(arms);
      const double p = std::clamp(base + 0.6 * (0.5 - hard), 0.0, 1.0);
      w.score.push_back(rng.uniform() < p ? 1.0f : 0.0f);
      w.cost.push_back(
          static_cast<float>(std::pow(3.0, static_cast<double>(a)) * (0.5 + rng.uniform())));
      const double mood = 0.5 * std::sin(static_cast<double>(a) + 6 * hard) * signal;
      w.quality.push_back(static_cast<float>(base + mood));
      w.price.push_back(
          static_cast<float>(std::pow(3.0, static_cast<double>(a)) * (1 + 0.3 * signal * hard)));
    }
  }
  return w;
}

// The definition, word by word and slowly: every lambda between two changes, every budget, every
// pair of points.
double envelope(const std::vector<Point>& points, double budget) {
  double best = -1;
  for (const Point& a : points) {
    if (a.cost > budget) continue;
    best = std::max(best, a.score);
    for (const Point& b : points) {
      if (b.cost <= budget) continue;
      best = std::max(best, a.score + (b.score - a.score) * (budget - a.cost) / (b.cost - a.cost));
    }
  }
  return best;
}

double slow_gain(const Estimated& d) {
  std::set<double> changes{0};
  for (std::size_t r = 0; r < d.rows; ++r) {
    for (std::size_t a = 0; a < d.arms; ++a) {
      for (std::size_t b = 0; b < d.arms; ++b) {
        const double dc = static_cast<double>(d.est_cost[d.cell(r, b)]) -
                          static_cast<double>(d.est_cost[d.cell(r, a)]);
        const double dq = static_cast<double>(d.est_quality[d.cell(r, b)]) -
                          static_cast<double>(d.est_quality[d.cell(r, a)]);
        if (dc > 0 && dq > 0) changes.insert(dq / dc);
      }
    }
  }
  std::vector<double> lambdas{*changes.rbegin() * 2 + 1};
  for (auto it = changes.begin(); std::next(it) != changes.end(); ++it)
    lambdas.push_back(0.5 * (*it + *std::next(it)));
  std::vector<Point> points;
  for (const double lambda : lambdas) {
    Point mean;
    const auto picked = picks(d, lambda);
    for (std::size_t r = 0; r < d.rows; ++r) {
      mean.cost += static_cast<double>(d.cost[d.cell(r, picked[r])]) / static_cast<double>(d.rows);
      mean.score +=
          static_cast<double>(d.score[d.cell(r, picked[r])]) / static_cast<double>(d.rows);
    }
    points.push_back(mean);
  }
  std::vector<Point> singles(d.arms);
  for (std::size_t i = 0; i < d.score.size(); ++i) {
    singles[i % d.arms].cost += static_cast<double>(d.cost[i]) / static_cast<double>(d.rows);
    singles[i % d.arms].score += static_cast<double>(d.score[i]) / static_cast<double>(d.rows);
  }
  const auto by_cost = [](const Point& a, const Point& b) { return a.cost < b.cost; };
  const Point first = *std::min_element(singles.begin(), singles.end(), by_cost);
  const Point last =
      *std::max_element(singles.begin(), singles.end(),
                        [](const Point& a, const Point& b) { return a.score < b.score; });
  const Point start = *std::min_element(points.begin(), points.end(), by_cost);
  double sum = 0;
  for (int i = 0; i < 100; ++i) {
    const double budget = first.cost + (last.cost - first.cost) * i / 99.0;
    const double router = budget >= start.cost
                              ? envelope(points, budget)
                              : first.score + (start.score - first.score) * (budget - first.cost) /
                                                  (start.cost - first.cost);
    sum += router - envelope(singles, budget);
  }
  return sum / 100;
}

TEST(Hull, IsConcaveRisingAndAboveEveryPoint) {
  Rng rng(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<Point> points(1 + rng.below(12));
    for (Point& p : points)
      p = {static_cast<double>(rng.below(8)), static_cast<double>(rng.below(8))};
    const Hull hull(points);
    const auto v = hull.vertices();
    for (std::size_t i = 1; i < v.size(); ++i)
      EXPECT_TRUE(v[i].cost > v[i - 1].cost && v[i].score > v[i - 1].score);
    for (std::size_t i = 2; i < v.size(); ++i) {
      EXPECT_LT((v[i].score - v[i - 1].score) / (v[i].cost - v[i - 1].cost),
                (v[i - 1].score - v[i - 2].score) / (v[i - 1].cost - v[i - 2].cost));
    }
    for (const Point& p : points) {
      EXPECT_GE(*hull.at(p.cost), p.score - 1e-12);
      EXPECT_NEAR(*hull.at(p.cost), envelope(points, p.cost), 1e-12);
    }
    EXPECT_FALSE(hull.at(hull.cheapest().cost - 1));
    EXPECT_NEAR(*hull.cost_of(hull.best().score), hull.best().cost, 1e-12);
    EXPECT_FALSE(hull.cost_of(hull.best().score + 1));
  }
}

TEST(Hull, MixtureBuysWhatTheHullPromises) {
  const std::vector<Point> points{{1, 0.2}, {2, 0.1}, {3, 0.8}, {9, 0.9}};
  const auto mixture = Hull(points).mixture(2);
  ASSERT_TRUE(mixture);
  EXPECT_EQ(mixture->low, 0u);
  EXPECT_EQ(mixture->high, 2u);
  EXPECT_DOUBLE_EQ(mixture->weight, 0.5);
}

TEST(HullGain, AgreesWithTheSlowDefinition) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const World w = world(25, 2 + seed % 4, 1.0, seed);
    auto got = hull_gain(w.data(), {.lambdas = 0, .bootstrap = 0});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_NEAR(got->gain, slow_gain(w.data()), 1e-6) << "seed " << seed;
  }
}

TEST(HullGain, OfTheStaticMixtureIsZero) {
  World w = world(2000, 5, 0.0, 7);
  auto got = hull_gain(w.data());
  ASSERT_TRUE(got);
  EXPECT_LE(std::abs(got->gain), 2 * got->se + 1e-6);
}

TEST(HullGain, OfTheOracleIsPositiveAndOfThePerverseOneNegative) {
  World w = world(1000, 4, 0.0, 9);
  w.quality = w.score;
  w.price = w.cost;
  auto oracle = hull_gain(w.data());
  ASSERT_TRUE(oracle);
  EXPECT_GT(oracle->low, 0.05);
  for (float& q : w.quality) q = 1 - q;
  auto perverse = hull_gain(w.data());
  ASSERT_TRUE(perverse);
  EXPECT_LT(perverse->high, -0.05);
}

TEST(HullGain, DoesNotDependOnTheOrderOfArms) {
  const World w = world(500, 5, 1.0, 11);
  World turned = w;
  const std::vector<std::size_t> order{3, 0, 4, 2, 1};
  for (std::size_t r = 0; r < w.rows; ++r) {
    for (std::size_t a = 0; a < w.arms; ++a) {
      const std::size_t to = r * w.arms + a, from = r * w.arms + order[a];
      turned.score[to] = w.score[from];
      turned.cost[to] = w.cost[from];
      turned.quality[to] = w.quality[from];
      turned.price[to] = w.price[from];
    }
  }
  EXPECT_NEAR(hull_gain(w.data())->gain, hull_gain(turned.data())->gain, 1e-9);
}

TEST(HullGain, ASweepOf256PointsIsCloseToTheWholeOne) {
  const World w = world(3000, 6, 1.0, 13);
  EXPECT_NEAR(hull_gain(w.data(), {.bootstrap = 0})->gain,
              hull_gain(w.data(), {.lambdas = 0, .bootstrap = 0})->gain, 1e-3);
}

TEST(HullGain, NeverPicksAMissingCellAndCountsIt) {
  World w = world(300, 3, 1.0, 17);
  for (std::size_t r = 0; r < 300; r += 3) {
    w.score[r * 3 + 2] = kMissing;
    w.quality[r * 3 + 2] = kMissing;  // may be unknown there
  }
  for (std::size_t a = 0; a < 3; ++a) w.cost[5 * 3 + a] = kMissing;
  auto got = hull_gain(w.data());
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->rows_used, 299u);
  EXPECT_EQ(got->missing_cells, 100u);
  EXPECT_TRUE(std::isfinite(got->gain) && std::isfinite(got->se));
  const auto picked = picks(w.data(), 0);
  for (std::size_t r = 0; r < 300; r += 3) EXPECT_NE(picked[r], 2u);
  EXPECT_EQ(picked[5], 3u) << "no usable arm";
}

TEST(HullGain, RefusesWhatCannotBeCompared) {
  World w = world(10, 2, 1.0, 19);
  w.quality[3] = kMissing;
  EXPECT_NE(hull_gain(w.data()).error().message.find("row 1, arm 1"), std::string::npos);
  w = world(10, 2, 1.0, 19);
  std::fill(w.cost.begin(), w.cost.end(), kMissing);
  EXPECT_NE(hull_gain(w.data()).error().message.find("both a score and a cost"), std::string::npos);
  w.quality.pop_back();
  EXPECT_EQ(hull_gain(w.data()).error().code, ErrorCode::kInvalidArgument);
}

Table table_of(const World& w) {
  Table t;
  for (std::size_t a = 0; a < w.arms; ++a) t.arms.push_back("arm<" + std::to_string(a) + ">");
  t.categories = {"one", "two"};
  for (std::size_t r = 0; r < w.rows; ++r) {
    t.ids.push(std::to_string(r));
    t.prompts.push("p");
    t.category.push_back(static_cast<std::int32_t>(r % 2));
  }
  return t;
}

TEST(Compare, FindsAPlantedTaskLabelAndReportsIt) {
  World w = world(800, 2, 0.0, 23);
  for (std::size_t r = 0; r < w.rows; ++r) {  // the dear arm helps in category two only
    w.score[r * 2] = r % 2 == 0 ? 1.0f : 0.0f;
    w.score[r * 2 + 1] = 1.0f;
  }
  auto c = compare(table_of(w), w.data());
  ASSERT_TRUE(c) << c.error().message;
  ASSERT_TRUE(c->task_label);
  EXPECT_GT(c->task_label->low, 0.1);
  EXPECT_FALSE(worth_routing(*c));
  EXPECT_NEAR(c->oracle.score, 1.0, 1e-9);
  EXPECT_NEAR(c->random.score, 0.75, 1e-9);
  const ReportContext context{"r<b>", {"f"}, {"a & b"}};
  const std::string page = report_html(*c, context);
  EXPECT_NE(page.find("arm&lt;0&gt;"), std::string::npos);
  EXPECT_EQ(page.find("r<b>"), std::string::npos) << "names are escaped";
  EXPECT_EQ(page.find("http"), std::string::npos) << "nothing from outside";
  EXPECT_NE(report_text(*c, context).find("Not distinguishable"), std::string::npos);
  EXPECT_EQ(report_json(*c, context).find("nan"), std::string::npos);
  EXPECT_NE(page.find("<title>router, 95 % band"), std::string::npos);
  EXPECT_NE(page.find("class='router' cx="), std::string::npos) << "where it operates";
}

TEST(Compare, AnArmWithoutAnyOutcomeIsADashInReportsAndComesLast) {
  const World w = world(400, 3, 0.3, 31);
  auto c = compare(table_of(w), w.data());
  ASSERT_TRUE(c) << c.error().message;
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  c->arms[0].mean = {nothing, nothing};
  for (const std::string& report : {report_text(*c, {}), report_html(*c, {})}) {
    EXPECT_EQ(report.find("nan"), std::string::npos) << report;
    EXPECT_NE(report.find("–"), std::string::npos);
  }
  EXPECT_EQ(by_cost(*c), (std::vector<std::size_t>{1, 2, 0}));
}

TEST(Compare, TheBandStaysInsideTheChart) {
  const World w = world(60, 3, 0.3, 37);
  const auto c = compare(table_of(w), w.data());
  ASSERT_TRUE(c) << c.error().message;
  const std::string page = report_html(*c, {});
  const std::size_t band = page.find("class='band' d='");
  ASSERT_NE(band, std::string::npos);
  std::istringstream path(page.substr(band + 16, page.find('\'', band + 16) - band - 16));
  double x = 0, y = 0;
  char letter = 0;
  int points = 0;
  for (; path >> letter && letter != 'Z' && path >> x >> y; ++points) {
    EXPECT_TRUE(x >= 64 && x <= 936 && y >= 20 && y <= 484) << x << ' ' << y;
  }
  EXPECT_GT(points, 100);
}

TEST(Compare, MatchBestCostIsNullWhereTheRouterNeverGetsThere) {
  World w = world(400, 3, 0.0, 29);
  for (std::size_t r = 0; r < w.rows; ++r) w.quality[r * 3] = 2;  // sticks to the cheapest
  auto c = compare(table_of(w), w.data());
  ASSERT_TRUE(c);
  EXPECT_FALSE(c->match_best_cost);
  EXPECT_NE(report_json(*c, {}).find("\"match_best_cost\":null"), std::string::npos);
}

// The picks of the sweep of lambda, as if lambda were a knob of the router's own.
PickCurve lambda_curve(const Estimated& data, const HullGain& gain) {
  PickCurve curve{.knob = "lambda", .settings = {}, .picks = {}, .rows = data.rows};
  for (const SweepPoint& point : gain.sweep) {
    curve.settings.push_back(point.lambda);
    for (const std::size_t arm : picks(data, point.lambda))
      curve.picks.push_back(static_cast<std::uint32_t>(arm));
  }
  return curve;
}

TEST(PickCurve, OfTheSweepOfLambdaIsTheSameMeasure) {
  World w = world(300, 4, 1, 3);
  for (std::size_t i = 0; i < w.score.size(); i += 17)  // cells that cannot be picked
    w.score[i] = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t a = 0; a < 4; ++a) w.cost[8 + a] = std::numeric_limits<float>::quiet_NaN();
  const HullGainOptions options{.lambdas = 0, .bootstrap = 20};
  const auto swept = hull_gain(w.data(), options);
  ASSERT_TRUE(swept);
  const auto curve = lambda_curve(w.data(), *swept);
  const auto judged = hull_gain(w.data(), curve, options);
  ASSERT_TRUE(judged) << judged.error().message;
  EXPECT_NEAR(judged->gain, swept->gain, 1e-9);
  EXPECT_NEAR(judged->se, swept->se, 1e-9);
  EXPECT_EQ(judged->rows_used, 299u);
  EXPECT_EQ(judged->missing_cells, swept->missing_cells);
  ASSERT_EQ(judged->resampled.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_NEAR(judged->resampled[i], swept->resampled[i], 1e-9);
  const auto paired = paired_difference(*judged, *swept);
  ASSERT_TRUE(paired);
  EXPECT_NEAR(paired->high, 0, 1e-9);
}

TEST(PickCurve, OfOneSettingGetsTheLineToTheCheapestArm) {
  const World w = world(300, 3, 1, 5);
  PickCurve curve{"none", {1}, std::vector<std::uint32_t>(300, 1), 300};
  const auto middle = hull_gain(w.data(), curve, {.bootstrap = 0});
  ASSERT_TRUE(middle);
  EXPECT_LE(middle->gain, 0);  // a single arm is not above the hull that it helps to make
  curve.picks.assign(300, 0);
  EXPECT_LT(hull_gain(w.data(), curve, {.bootstrap = 0})->gain, middle->gain);
}

TEST(PickCurve, PicksThatCannotBeMadeAreRefused) {
  World w = world(10, 2, 1, 1);
  PickCurve curve{"alpha", {0.5}, std::vector<std::uint32_t>(10, 1), 10};
  EXPECT_TRUE(hull_gain(w.data(), curve, {.bootstrap = 0}));
  w.score[7] = std::numeric_limits<float>::quiet_NaN();
  const auto refused = hull_gain(w.data(), curve, {.bootstrap = 0});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("alpha 0.5 picks arm 1 on row 3"), std::string::npos);
  curve.picks.pop_back();
  EXPECT_EQ(hull_gain(w.data(), curve).error().code, ErrorCode::kInvalidArgument);
  curve.settings.clear();
  curve.picks.clear();
  EXPECT_EQ(hull_gain(w.data(), curve).error().code, ErrorCode::kInvalidArgument);
}

TEST(PairedDifference, NeedsGainsOfTheSameRows) {
  const World a = world(40, 2, 1, 1), b = world(41, 2, 1, 1);
  const auto one = hull_gain(a.data(), {.bootstrap = 10}),
             other = hull_gain(b.data(), {.bootstrap = 10}),
             less = hull_gain(a.data(), {.bootstrap = 9});
  EXPECT_FALSE(paired_difference(*one, *other));
  EXPECT_FALSE(paired_difference(*one, *less));
  EXPECT_EQ(paired_difference(*one, *one)->value, 0);
}

}  // namespace
}  // namespace rung::outcomes
