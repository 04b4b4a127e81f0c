#include "outcomes/significance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/random.h"
#include "outcomes/table.h"

namespace rung::outcomes {
namespace {

// Two routers whose scores share a query's difficulty; a is better by `shift` in the mean.
struct Two {
  std::vector<double> a, b;
};

Two two(std::size_t n, double shift, std::uint64_t seed) {
  Two t;
  Rng rng(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double query = 3 * rng.normal();
    t.a.push_back(query + shift + rng.normal());
    t.b.push_back(query + rng.normal());
  }
  return t;
}

TEST(Bootstrap, OfAMeanHasTheTextbookStandardError) {
  const Two t = two(2000, 0.2, 3);
  auto got = bootstrap_mean(t.a, t.b);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_NEAR(got->se, std::sqrt(2.0 / 2000), 0.003) << "the queries' own spread cancels";
  EXPECT_NEAR(got->value, 0.2, 4 * got->se);
  EXPECT_NEAR(got->high - got->low, 2 * 1.96 * got->se, 0.01);
  EXPECT_TRUE(got->significant());
}

TEST(Bootstrap, CoversTheTruthAsOftenAsStated) {
  int covered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Two t = two(100, 0.3, seed);
    const auto got = bootstrap_mean(t.a, t.b, {.resamples = 300, .confidence = 0.9, .seed = seed});
    covered += got->low <= 0.3 && 0.3 <= got->high ? 1 : 0;
  }
  EXPECT_NEAR(covered / 300.0, 0.9, 0.05);
}

TEST(Bootstrap, DoesNotDependOnTheNumberOfThreads) {
  const Two t = two(300, 0.1, 5);
  const auto many = bootstrap_mean(t.a, t.b);
  const auto p_many = permutation_test(t.a, t.b, 999);
  setenv("RUNG_THREADS", "1", 1);
  const auto one = bootstrap_mean(t.a, t.b);
  const auto p_one = permutation_test(t.a, t.b, 999);
  unsetenv("RUNG_THREADS");
  EXPECT_EQ(many->low, one->low);
  EXPECT_EQ(many->high, one->high);
  EXPECT_EQ(*p_many, *p_one);
  EXPECT_NE(bootstrap_mean(t.a, t.b, {.seed = 2})->low, one->low) << "another seed, another draw";
}

TEST(Bootstrap, OfAnyStatisticLeavesOutWhereItIsUndefined) {
  const std::vector<double> cost{0, 0, 0, 4};
  const auto mean_if_any = [&](std::span<const std::size_t> rows) -> std::optional<double> {
    double sum = 0;
    for (const std::size_t row : rows) sum += cost[row];
    if (sum == 0) return std::nullopt;
    return sum / static_cast<double>(rows.size());
  };
  auto got = bootstrap_statistic(4, mean_if_any);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_DOUBLE_EQ(got->value, 1);
  EXPECT_NEAR(static_cast<double>(got->undefined) / 2000, std::pow(0.75, 4), 0.03);
  const auto never = [](std::span<const std::size_t>) { return std::optional<double>(); };
  EXPECT_EQ(bootstrap_statistic(4, never).error().code, ErrorCode::kInfeasible);
}

// Three arms whose scores one router sees and the other does not.
struct World {
  std::vector<float> score, cost, seeing, blind, price;
  Estimated of(const std::vector<float>& quality) const {
    return {score.size() / 3, 3, score, cost, quality, price};
  }
};

World world(std::size_t rows, std::uint64_t seed) {
  World w;
  Rng rng(seed);
  for (std::size_t r = 0; r < rows; ++r) {
    for (int arm = 0; arm < 3; ++arm) {
      const double p = 0.3 + 0.25 * arm;
      w.score.push_back(rng.uniform() < p ? 1.0f : 0.0f);
      w.cost.push_back(static_cast<float>(std::pow(4, arm)));
      w.price.push_back(w.cost.back());
      w.blind.push_back(static_cast<float>(p + 0.1 * rng.normal()));
      w.seeing.push_back(static_cast<float>(p + 0.5 * (static_cast<double>(w.score.back()) - p)));
    }
  }
  return w;
}

TEST(Bootstrap, OfHullGainsTellsASeeingRouterFromABlindOne) {
  const World w = world(400, 7);
  const BootstrapOptions how{.resamples = 300};
  auto got = bootstrap_hull_gain(w.of(w.seeing), w.of(w.blind), how);
  ASSERT_TRUE(got) << got.error().message;
  const auto a = hull_gain(w.of(w.seeing), {.bootstrap = 300}),
             b = hull_gain(w.of(w.blind), {.bootstrap = 300});
  EXPECT_NEAR(got->value, a->gain - b->gain, 1e-12);
  EXPECT_GT(got->low, 0);
  EXPECT_LT(got->se, a->se + b->se) << "paired";
  const auto none = bootstrap_hull_gain(w.of(w.blind), w.of(w.blind), how);
  EXPECT_DOUBLE_EQ(none->low, 0) << "a router does not differ from itself";
  EXPECT_DOUBLE_EQ(none->se, 0);
}

TEST(Bootstrap, RefusesHullGainsOnDifferentOutcomes) {
  const World w = world(50, 9), other = world(50, 10);
  EXPECT_EQ(bootstrap_hull_gain(w.of(w.seeing), other.of(other.seeing)).error().code,
            ErrorCode::kInvalidArgument);
  World missing = world(50, 9);
  missing.score[0] = kMissing;
  EXPECT_TRUE(bootstrap_hull_gain(missing.of(w.seeing), missing.of(w.blind), {.resamples = 10}))
      << "the same missing cell is the same";
}

TEST(PermutationTest, IsUniformWithoutADifferenceAndSmallWithOne) {
  int below = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Two t = two(60, 0, seed);
    below += *permutation_test(t.a, t.b, 199, seed) <= 0.1 ? 1 : 0;
  }
  EXPECT_NEAR(below / 300.0, 0.1, 0.05);
  const Two t = two(200, 0.5, 11);
  EXPECT_LT(*permutation_test(t.a, t.b), 0.001);
  EXPECT_DOUBLE_EQ(*permutation_test(t.a, t.a), 1);
  EXPECT_GE(*permutation_test(t.a, t.b, 9), 0.1) << "never below 1 / (1 + draws)";
}

TEST(PermutationTest, IsNearTheExactValueOfFewRows) {
  // All five signs alike happens in 2 of 32 ways.
  const std::vector<double> a{1, 2, 3, 4, 5}, b{0, 0, 0, 0, 0};
  EXPECT_NEAR(*permutation_test(a, b, 99999), 2.0 / 32, 0.004);
}

TEST(SignTest, IsTheExactBinomial) {
  const std::vector<double> a{1, 1, 1, 1, 1, 0, 3, 1}, b{0, 0, 0, 0, 0, 1, 3, 0};
  auto got = sign_test(a, b);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->a_better, 6u);
  EXPECT_EQ(got->b_better, 1u);
  EXPECT_EQ(got->ties, 1u);
  EXPECT_NEAR(got->p, 2 * 8.0 / 128, 1e-12);
  EXPECT_DOUBLE_EQ(sign_test(a, a)->p, 1);
  std::vector<double> many(3000, 1.0), none(3000, 0.0);
  EXPECT_LT(sign_test(many, none)->p, 1e-300) << "far below without failing";
  EXPECT_TRUE(std::isfinite(sign_test(many, none)->p));
}

TEST(Significance, RefusesRowsThatAreNotPaired) {
  const std::vector<double> one{1}, two_rows{1, 2}, none{std::nan("")};
  EXPECT_EQ(bootstrap_mean(one, two_rows).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(permutation_test({}, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sign_test(one, none).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(bootstrap_mean(one, one, {.resamples = 1}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(permutation_test(one, one, 0).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rung::outcomes
