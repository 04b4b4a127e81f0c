#include "predict/methods/sw_ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace rung::predict {
namespace {

double elo_gap(const BradleyTerry& fit, std::size_t a, std::size_t b) {
  return elo(fit.xi[a]) - elo(fit.xi[b]);
}

TEST(SimilarityWeights, AreThePublishedOnes) {
  const auto w = similarity_weights(std::vector<double>{0.9, 0.45, -0.3});
  EXPECT_NEAR(w[0], 100, 1e-9);
  EXPECT_NEAR(w[1], 31.6227766, 5e-8);
  EXPECT_NEAR(w[2], 4.64158883, 5e-9);
}

TEST(SimilarityWeights, AreEqualWhereNothingIsSimilar) {
  EXPECT_EQ(similarity_weights(std::vector<double>{-0.2, -0.9, 0}),
            (std::vector<double>{10, 10, 10}));
  EXPECT_TRUE(similarity_weights({}).empty());
}

TEST(TierRanking, OfTwoTiersAsPublished) {
  const auto w = similarity_weights(std::vector<double>{0.9, 0.45, -0.3});
  TierResults results(2);
  results.add(0, 1, Winner::kA, w[0]);
  results.add(0, 1, Winner::kB, w[1]);
  results.add(0, 1, Winner::kTie, w[2]);
  const auto fit = rank_tiers(results);
  EXPECT_NEAR(elo_gap(fit, 0, 1), 191.682549, 5e-7);
  EXPECT_NEAR(beats(fit.xi[0], fit.xi[1]), 0.750899137, 5e-10);
}

TEST(TierRanking, OfThreeTiersAsPublished) {
  TierResults results(3);
  results.add(0, 1, Winner::kA, 2);
  results.add(0, 1, Winner::kB, 1);
  results.add(1, 2, Winner::kA, 3);
  results.add(1, 2, Winner::kTie, 1);
  results.add(0, 2, Winner::kA, 1.5);
  results.add(2, 0, Winner::kA, 0.5);
  const auto fit = rank_tiers(results);
  EXPECT_NEAR(elo_gap(fit, 0, 1), 63.031233, 5e-7);
  EXPECT_NEAR(elo_gap(fit, 1, 2), 260.251658, 5e-7);
  EXPECT_NEAR(beats(fit.xi[0], fit.xi[2]), 0.865409494, 5e-10);
}

TEST(TierRanking, LeavesBattlesInsideATierOutUnlessTheReferenceIsAskedFor) {
  TierResults results(2);
  results.add(0, 1, Winner::kA, 3);
  results.add(0, 1, Winner::kB, 1);
  results.add(0, 0, Winner::kA, 1);
  results.add(0, 0, Winner::kB, 1);
  results.add(1, 1, Winner::kA, 2);
  results.add(1, 1, Winner::kB, 1);
  const auto ours = rank_tiers(results);
  EXPECT_NEAR(elo_gap(ours, 0, 1), 190.848502, 5e-7);
  EXPECT_NEAR(beats(ours.xi[0], ours.xi[1]), 0.75, 5e-10);
  const auto theirs = rank_tiers(results, /*same_tier_rows=*/true);
  EXPECT_NEAR(elo(theirs.xi[0]), 1029.19078, 5e-6);
  EXPECT_NEAR(elo(theirs.xi[1]), 857.248058, 5e-7);
  EXPECT_NEAR(elo_gap(theirs, 0, 1), 171.942719, 5e-7);
  EXPECT_NEAR(beats(theirs.xi[0], theirs.xi[1]), 0.729044832, 5e-10);
}

TEST(TierRanking, OfTwoTiersIsTheWeightedShareOfWins) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    TierResults results(2), scaled(2);
    double won = 0, all = 0;
    const double scale = std::exp(3 * rng.normal());
    for (int i = 0; i < 12; ++i) {
      const auto winner = i == 0 ? Winner::kTie : static_cast<Winner>(rng.below(3));
      const double weight = 0.1 + 100 * rng.uniform();
      results.add(0, 1, winner, weight);
      scaled.add(0, 1, winner, scale * weight);
      won += winner == Winner::kA ? weight : winner == Winner::kTie ? weight / 2 : 0;
      all += weight;
    }
    const auto fit = rank_tiers(results), same = rank_tiers(scaled);
    EXPECT_NEAR(beats(fit.xi[0], fit.xi[1]), won / all, 1e-10) << "seed " << seed;
    EXPECT_NEAR(fit.xi[0], same.xi[0], 1e-10) << "seed " << seed;  // weights scale freely
  }
}

TEST(TierRanking, DoesNotSeeTheScaleOfWeights) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    TierResults results(5), scaled(5);
    for (int i = 0; i < 40; ++i) {
      const auto a = static_cast<std::uint32_t>(rng.below(5));
      const auto b = static_cast<std::uint32_t>(rng.below(5));
      const auto winner = static_cast<Winner>(rng.below(3));
      const double weight = rng.uniform();
      results.add(a, b, winner, weight);
      scaled.add(a, b, winner, 1e4 * weight);
    }
    for (const bool same_rows : {false, true}) {
      const auto one = rank_tiers(results, same_rows), two = rank_tiers(scaled, same_rows);
      for (std::size_t t = 0; t < 5; ++t) EXPECT_NEAR(one.xi[t], two.xi[t], 1e-9);
    }
  }
}

/// Models 0 and 2 are good at prompts near (1, 0), models 1 and 3 near (0, 1).
struct World {
  Matrix embeddings{40, 2};
  std::vector<Battle> battles;
  World() {
    Rng rng(5);
    for (std::uint32_t i = 0; i < 40; ++i) {
      const bool first = i % 2 == 0;
      const float noise = static_cast<float>(0.1 * rng.normal());
      embeddings.row(i) << (first ? 1.0f : noise), (first ? noise : 1.0f);
      const bool upset = rng.below(8) == 0;
      battles.push_back({0, 1, first != upset ? Winner::kA : Winner::kB, i});
      battles.push_back({2, 3, first != upset ? Winner::kA : Winner::kB, i});
      battles.push_back({0, 2, rng.below(4) ? Winner::kA : Winner::kB, i});
      battles.push_back({1, 3, Winner::kTie, i});
    }
  }
};

TEST(SimilarityRanking, FollowsThePromptsThatAreSimilar) {
  const World world;
  const auto ranking = SimilarityRanking::fit(world.battles, world.embeddings, 5, {.tiers = 4});
  ASSERT_TRUE(ranking) << ranking.error().message;
  const auto near = ranking->strong_probability(std::vector<float>{1, 0}, 0, 1);
  const auto far = ranking->strong_probability(std::vector<float>{0, 1}, 0, 1);
  ASSERT_TRUE(near && far);
  EXPECT_GT(*near, *far + 0.1);
  // The length of a query does not matter, swapping the pair gives the rest, and a model equals
  // itself.
  EXPECT_NEAR(*ranking->strong_probability(std::vector<float>{7, 0}, 0, 1), *near, 1e-6);
  EXPECT_NEAR(*ranking->strong_probability(std::vector<float>{1, 0}, 1, 0), 1 - *near, 1e-12);
  EXPECT_EQ(*ranking->strong_probability(std::vector<float>{1, 0}, 2, 2), 0.5);
}

TEST(SimilarityRanking, SwappingThePairGivesTheRestForAnyQuery) {
  const World world;
  for (const bool same_rows : {false, true}) {
    const auto ranking = SimilarityRanking::fit(world.battles, world.embeddings, 4,
                                                {.tiers = 3, .same_tier_rows = same_rows});
    ASSERT_TRUE(ranking);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Rng rng(seed);
      const std::vector<float> q{static_cast<float>(rng.normal()),
                                 static_cast<float>(rng.normal())};
      const std::size_t a = rng.below(4), b = rng.below(4);
      EXPECT_NEAR(*ranking->strong_probability(q, a, b) + *ranking->strong_probability(q, b, a), 1,
                  1e-12);
    }
  }
}

TEST(SimilarityRanking, SendsFewerQueriesToTheStrongModelAsTheThresholdRises) {
  const World world;
  const auto ranking = SimilarityRanking::fit(world.battles, world.embeddings, 4, {.tiers = 4});
  ASSERT_TRUE(ranking);
  std::vector<double> s;
  for (Index i = 0; i < 40; ++i)
    s.push_back(*ranking->strong_probability({world.embeddings.row(i).data(), 2}, 0, 1));
  std::ptrdiff_t before = 41;
  for (double threshold = 0; threshold <= 1; threshold += 0.05) {
    const auto strong = std::ranges::count_if(s, [&](double p) { return p >= threshold; });
    EXPECT_TRUE(threshold > 0 || strong == 40);
    EXPECT_LE(strong, before);
    before = strong;
  }
  EXPECT_LT(before, 40);
}

TEST(SimilarityRanking, IsEvenWhenEveryBattleIsATie) {
  Matrix one_row = Matrix::Ones(1, 3);
  const std::vector<Battle> ties{{0, 1, Winner::kTie, 0}, {1, 2, Winner::kTie, 0}};
  const auto ranking = SimilarityRanking::fit(ties, one_row, 3);
  ASSERT_TRUE(ranking);
  EXPECT_NEAR(*ranking->strong_probability(std::vector<float>{1, 2, 3}, 0, 2), 0.5, 1e-12);
}

TEST(SimilarityRanking, StaysFiniteOnOneClassAndOnAZeroQuery) {
  const std::vector<Battle> wins{{0, 1, Winner::kA, 0}, {0, 1, Winner::kA, 1}};
  const auto ranking = SimilarityRanking::fit(wins, Matrix::Identity(2, 2), 2);
  ASSERT_TRUE(ranking);
  const double s = *ranking->strong_probability(std::vector<float>{0, 0}, 0, 1);
  EXPECT_GT(s, 0.99);
  EXPECT_LT(s, 1);
}

TEST(SimilarityRanking, RefusesWhatItDoesNotKnow) {
  const World world;
  const auto ranking = SimilarityRanking::fit(world.battles, world.embeddings, 5);
  ASSERT_TRUE(ranking);
  EXPECT_EQ(ranking->tier[4], -1);
  const auto unknown = ranking->strong_probability(std::vector<float>{1, 0}, 0, 4);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(unknown.error().message, "model 4 was in no battle that the ranking was fitted to");
  EXPECT_EQ(ranking->strong_probability(std::vector<float>{1, 0}, 9, 0).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(SimilarityRanking::fit(world.battles, world.embeddings, 3).error().code,
            ErrorCode::kInvalidData);
  EXPECT_EQ(SimilarityRanking::fit({}, world.embeddings, 1).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(SimilarityRanking::fit(world.battles, Matrix::Ones(2, 2), 4).error().code,
            ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace rung::predict
