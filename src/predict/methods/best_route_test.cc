#include "predict/methods/best_route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "predict/methods/match_labels.h"

namespace rung::predict {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(BestOfN, DrawsWithReplacementAsPublished) {
  const std::vector<double> proxy{0.2, 0.9, 0.5}, oracle{0.1, 0.6, 0.7};
  EXPECT_NEAR(*expected_best_of_n(proxy, oracle, 1), 0.466666667, 5e-10);
  EXPECT_NEAR(*expected_best_of_n(proxy, oracle, 2), 0.577777778, 5e-10);
  EXPECT_NEAR(*expected_best_of_n(proxy, oracle, 3), 0.607407407, 5e-10);
  Rng rng(1);
  double sum = 0;
  const ResponsePool pool{proxy, oracle, {10, 20, 30}};
  constexpr int kDraws = 40'000;
  for (int i = 0; i < kDraws; ++i) sum += draw_best_of_n(pool, 2, rng)->oracle;
  EXPECT_NEAR(sum / kDraws, 0.577777778, 0.005);  // without replacement it would be 0.633
}

/// The same by looking at every sequence of draws, equal rewards going to the earliest response.
double slow_best_of_n(const std::vector<double>& proxy, const std::vector<double>& oracle,
                      std::uint32_t n, double best) {
  if (n == 0)
    return oracle[static_cast<std::size_t>(std::ranges::find(proxy, best) - proxy.begin())];
  double sum = 0;
  for (const double p : proxy) sum += slow_best_of_n(proxy, oracle, n - 1, std::max(best, p));
  return sum / static_cast<double>(proxy.size());
}

TEST(BestOfN, IsTheMeanOverEverySequenceOfDraws) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    std::vector<double> proxy(1 + rng.below(4)), oracle(proxy.size());
    for (double& p : proxy) p = static_cast<double>(rng.below(3));  // with ties
    for (double& o : oracle) o = rng.normal();
    const auto n = static_cast<std::uint32_t>(1 + rng.below(4));
    EXPECT_NEAR(*expected_best_of_n(proxy, oracle, n), slow_best_of_n(proxy, oracle, n, -1), 1e-12)
        << "seed " << seed;
    double total = 0;
    for (const double w : best_of_n_weights(proxy, n)) total += w;
    EXPECT_NEAR(total, 1, 1e-12);
  }
}

TEST(BestOfN, GrowsWithNWhereTheProxyIsTheOracle) {
  Rng rng(3);
  std::vector<double> reward(8);
  for (double& r : reward) r = rng.normal();
  double before = -1e9;
  for (std::uint32_t n = 1; n <= 5; ++n) {
    const double now = *expected_best_of_n(reward, reward, n);
    EXPECT_GT(now, before);
    before = now;
  }
}

TEST(BestOfN, LeavesOutWhatIsMissingAndPaysForEveryDraw) {
  EXPECT_NEAR(*expected_best_of_n(std::vector<double>{0.2, kNan, 0.9},
                                  std::vector<double>{0.5, 0.6, kNan}, 3),
              0.5, 1e-12);
  EXPECT_EQ(expected_best_of_n({}, {}, 1), std::nullopt);
  EXPECT_EQ(expected_best_of_n(std::vector<double>{kNan}, std::vector<double>{1}, 1), std::nullopt);
  Rng rng(1);
  EXPECT_FALSE(draw_best_of_n({{kNan}, {1}, {5}}, 2, rng));
  EXPECT_EQ(draw_best_of_n({{1}, {1}, {5}}, 3, rng)->output_tokens, 15);
  EXPECT_EQ(draw_best_of_n({{1}, {1}, {kNan}}, 3, rng)->output_tokens, std::nullopt);
  EXPECT_EQ(draw_best_of_n({{1}, {1}, {}}, 3, rng)->output_tokens, std::nullopt);
}

ResponsePool random_pool(Rng& rng) {
  ResponsePool pool;
  for (std::size_t i = 0, n = 1 + rng.below(6); i < n; ++i) {
    pool.oracle.push_back(rng.normal());
    pool.proxy.push_back(pool.oracle.back() + rng.normal());
    pool.output_tokens.push_back(static_cast<double>(rng.below(500)));
  }
  return pool;
}

TEST(OptionMatch, OfOneSampleIsHybridLlms) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const auto pool = random_pool(rng);
    const auto reference = random_pool(rng).oracle;
    const double t = 0.5 * rng.normal();
    EXPECT_NEAR(*option_match(pool, 1, reference, t), *match_probability(pool.oracle, reference, t),
                1e-12);
  }
}

TEST(OptionMatch, IsWhereItsSampledFormGoes) {
  Rng rng(9);
  const auto pool = random_pool(rng);
  const auto reference = random_pool(rng).oracle;
  const double exact = *option_match(pool, 3, reference, 0.1);
  EXPECT_NEAR(*sampled_option_match(pool, 3, reference, 0.1, 20'000, rng), exact, 0.01);
  Rng one(4), two(4);
  EXPECT_EQ(sampled_option_match(pool, 2, reference, 0, 10, one),
            sampled_option_match(pool, 2, reference, 0, 10, two));
  EXPECT_EQ(option_match(pool, 2, {}, 0), std::nullopt);
  EXPECT_EQ(option_match({}, 2, reference, 0), std::nullopt);
}

TEST(OptionCost, ChargesThePromptOnceOrForEachSample) {
  EXPECT_NEAR(*option_cost(1000, 500, 1e-6, 4e-6, 5, PromptCharge::kOnce), 0.003, 1e-15);
  EXPECT_NEAR(*option_cost(1000, 500, 1e-6, 4e-6, 5, PromptCharge::kEachSample), 0.007, 1e-15);
  EXPECT_EQ(option_cost(kNan, 500, 1e-6, 4e-6, 5, PromptCharge::kOnce), std::nullopt);
}

TEST(CheapestAbove, PicksAsPublished) {
  const std::vector<double> cost{1.0, 1.9, 2.8, 3.7, 4.6, 12.0};
  const std::vector<double> confidence{-0.42, -0.10, 0.05, 0.16, 0.21, 1};
  EXPECT_EQ(cheapest_above(cost, confidence, -0.5, 5), 0u);
  EXPECT_EQ(cheapest_above(cost, confidence, -0.1, 5), 1u);
  EXPECT_EQ(cheapest_above(cost, confidence, 0.1, 5), 3u);
  EXPECT_EQ(cheapest_above(cost, confidence, 0.2, 5), 4u);
  EXPECT_EQ(cheapest_above(cost, confidence, 0.3, 5), 5u);
}

TEST(CheapestAbove, NeverGetsCheaperAsTheThresholdRises) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    const std::size_t n = 1 + rng.below(8);
    std::vector<double> cost(n + 1), confidence(n + 1, 1.0);
    for (std::size_t i = 0; i <= n; ++i) cost[i] = 0.1 + rng.uniform();
    for (std::size_t i = 0; i < n; ++i) confidence[i] = 2 * rng.uniform() - 1;
    double before = 0;
    std::size_t passing_before = n + 1;
    for (const double t : threshold_sweep(confidence)) {
      const std::size_t pick = cheapest_above(cost, confidence, t, n);
      EXPECT_GE(cost[pick], before) << "seed " << seed;
      before = cost[pick];
      const auto passing = static_cast<std::size_t>(
          std::ranges::count_if(confidence, [&](double c) { return c >= t; }));
      EXPECT_LE(passing, passing_before);
      passing_before = passing;
    }
  }
}

TEST(CheapestAbove, PassesOverWhatHasNoCostOrNoConfidence) {
  EXPECT_EQ(cheapest_above(std::vector<double>{kNan, 2, 9}, std::vector<double>{0.9, 0.9, 1}, 0, 2),
            1u);
  const std::vector<double> cost{1, 2, 9}, unsure{kNoConfidence, kNan, 1};
  EXPECT_EQ(cheapest_above(cost, unsure, kNoConfidence, 2), 2u);
  EXPECT_EQ(cheapest_above(std::vector<double>{1, kNan}, std::vector<double>{0, 1}, 0.5, 1), 1u);
  EXPECT_EQ(cheapest_above(std::vector<double>{2, 2, 9}, std::vector<double>{0, 1, 1}, 0, 2), 0u);
}

TEST(CheapestAbove, OfOneCheapOptionIsHybridLlm) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const double p = rng.uniform(), threshold = rng.uniform();
    const std::size_t pick = cheapest_above(
        std::vector<double>{1, 5}, std::vector<double>{2 * p - 1, 1}, 2 * threshold - 1, 1);
    EXPECT_EQ(pick == 0, picks_small(p, threshold));
    EXPECT_EQ(pick == 0, picks_small(p, threshold_of_margin(2 * threshold - 1)));
  }
}

TEST(ThresholdSweep, RunsFromTheLeastToTheGreatest) {
  const auto sweep = threshold_sweep(std::vector<double>{0.3, -0.5, kNoConfidence, kNan});
  ASSERT_EQ(sweep.size(), 21u);
  EXPECT_EQ(sweep.front(), -0.5);
  EXPECT_EQ(sweep.back(), 0.3);
  EXPECT_NEAR(sweep[10], -0.1, 1e-12);
  EXPECT_TRUE(threshold_sweep(std::vector<double>{kNoConfidence}).empty());
}

/// 120 queries with one feature and the intercept: the small model matches where it is high.
struct World {
  Matrix x{120, 2};
  MatrixD labels{120, 3};
  std::vector<RouteOption> options{{0, 1}, {0, 3}, {1, 1}};
  World() {
    Rng rng(6);
    for (Index i = 0; i < 120; ++i) {
      x.row(i) << static_cast<float>(rng.normal()), 1.0f;
      const double p = 1 / (1 + std::exp(-2.0 * static_cast<double>(x(i, 0))));
      labels.row(i) << p, 1 - (1 - p) * (1 - p) * (1 - p), kNan;
    }
  }
};

TEST(BestRoute, LearnsAHeadForEachOptionThatHasLabels) {
  const World w;
  const auto fit = fit_best_route(w.x, 2, w.options, w.labels, {.l2 = 0.1});
  ASSERT_TRUE(fit) << fit.error().message;
  std::vector<double> easy(4), hard(4);
  fit->confidences(std::vector<float>{2, 1}, easy);
  fit->confidences(std::vector<float>{-2, 1}, hard);
  EXPECT_GT(easy[0], 0.5);
  EXPECT_LT(hard[0], -0.5);
  EXPECT_GT(hard[1], hard[0]);  // three samples are surer than one
  EXPECT_EQ(easy[2], kNoConfidence);
  EXPECT_EQ(easy[3], 1);
  const std::vector<double> cost{1, 3, 0.1, 9};
  EXPECT_EQ(cheapest_above(cost, easy, 0.5, 3), 0u);
  EXPECT_EQ(cheapest_above(cost, hard, 0.5, 3), 3u);
}

TEST(BestRoute, OfOneOptionHasHybridLlmsHead) {
  const World w;
  const auto route = fit_best_route(w.x, 2, {w.options.data(), 1}, w.labels.leftCols(1));
  const auto hybrid = fit_logistic(w.x, 2, w.labels.col(0));
  ASSERT_TRUE(route && hybrid);
  EXPECT_EQ(route->heads[0]->weights, hybrid->weights);
}

TEST(BestRoute, RefusesWhatItCannotFit) {
  const World w;
  EXPECT_EQ(fit_best_route(w.x, 2, w.options, w.labels.leftCols(2)).error().message,
            "labels are [120, 2]; 120 rows and 3 options need [120, 3]");
  EXPECT_EQ(fit_best_route(w.x, 2, w.options, MatrixD::Constant(120, 3, kNan)).error().code,
            ErrorCode::kInvalidData);
  const auto bad = fit_best_route(w.x, 2, w.options, MatrixD::Constant(120, 3, 2));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "the head of option 0: target 0 is 2; a probability is expected");
}

}  // namespace
}  // namespace rung::predict
