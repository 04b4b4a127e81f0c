#include "outcomes/score_map.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "outcomes/calibration.h"

namespace rung::outcomes {
namespace {

/// Estimates that are too sure: the truth is nearer to a half.
struct Sure {
  std::vector<double> estimate, outcome;
  explicit Sure(std::size_t n, std::uint64_t seed = 5) {
    Rng rng(seed);
    for (std::size_t i = 0; i < n; ++i) {
      const double z = 2 * rng.normal();
      estimate.push_back(1 / (1 + std::exp(-2 * z)));
      outcome.push_back(rng.uniform() < 1 / (1 + std::exp(-z)) ? 1 : 0);
    }
  }
};

TEST(ScoreMap, GoldenIsotonicIsTheOneOfCalibration) {
  const std::vector<double> outcome{0, 0, 1, 0, 1, 1, 0, 1, 1, 1};
  const std::vector<double> wanted{0, 0, .5, .5, .666666667, .666666667, .666666667, 1, 1, 1};
  std::vector<double> score;
  for (int i = 0; i < 10; ++i) score.push_back(i / 10.0);
  const auto map = ScoreMap::fit(ScoreMapKind::kIsotonic, score, outcome);
  const auto isotonic = Isotonic::fit(score, outcome);
  ASSERT_TRUE(map && isotonic);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(map->apply(score[i]), wanted[i], 5e-10);
  for (double x = -0.2; x < 1.2; x += 0.013)
    EXPECT_NEAR(map->apply(x), isotonic->apply(x), 1e-12) << x;
}

TEST(ScoreMap, BothKindsRiseStayWithinTheirRangeAndMendWhatIsTooSure) {
  const Sure train(4000), test(4000, 7);
  for (const ScoreMapKind kind : {ScoreMapKind::kIsotonic, ScoreMapKind::kPlatt}) {
    const auto map = ScoreMap::fit(kind, train.estimate, train.outcome);
    ASSERT_TRUE(map) << map.error().message;
    for (double x = 0; x < 1; x += 0.01) {
      EXPECT_LE(map->apply(x), map->apply(x + 0.01) + 1e-12);
      EXPECT_GE(map->apply(x), 0);
      EXPECT_LE(map->apply(x), 1);
    }
    EXPECT_TRUE(std::isnan(map->apply(std::nan(""))));
    std::vector<double> mapped;
    for (const double x : test.estimate) mapped.push_back(map->apply(x));
    EXPECT_GT(*expected_calibration_error(test.estimate, test.outcome), 0.08);
    EXPECT_LT(*expected_calibration_error(mapped, test.outcome), 0.025) << name(kind);
    EXPECT_LT(*brier(mapped, test.outcome), *brier(test.estimate, test.outcome));
  }
}

TEST(ScoreMap, PlattOfLogOddsFindsThePlantedTemperature) {
  const Sure data(40000);
  const auto map = ScoreMap::fit(ScoreMapKind::kPlatt, data.estimate, data.outcome);
  ASSERT_TRUE(map);
  EXPECT_NEAR(map->apply(0.9), 1 / (1 + std::exp(-0.5 * std::log(9.0))), 0.01);
  EXPECT_NEAR(map->apply(0.5), 0.5, 0.01);
}

TEST(ScoreMap, EstimatesThatAreUpsideDownBecomeTheMean) {
  std::vector<double> estimate, outcome;
  for (int i = 0; i < 100; ++i) {
    estimate.push_back(i / 100.0);
    outcome.push_back(i < 30 ? 1 : 0);
  }
  for (const ScoreMapKind kind : {ScoreMapKind::kIsotonic, ScoreMapKind::kPlatt}) {
    const auto map = ScoreMap::fit(kind, estimate, outcome);
    ASSERT_TRUE(map);
    EXPECT_NEAR(map->apply(0.05), 0.3, 1e-9);
    EXPECT_NEAR(map->apply(0.95), 0.3, 1e-9);
  }
}

TEST(ScoreMap, IsWrittenAndReadBackTheSame) {
  const Sure data(500);
  for (const ScoreMapKind kind : {ScoreMapKind::kIsotonic, ScoreMapKind::kPlatt}) {
    const auto map = ScoreMap::fit(kind, data.estimate, data.outcome);
    const std::string text = map->json();
    const auto value = json::parse(text);
    ASSERT_TRUE(value);
    const auto back = ScoreMap::parse(*value);
    ASSERT_TRUE(back) << back.error().message;
    for (double x = 0; x <= 1; x += 0.01) EXPECT_EQ(back->apply(x), map->apply(x));
    EXPECT_EQ(back->json(), text);
  }
  EXPECT_EQ(ScoreMap().apply(0.3), 0.3);
}

TEST(ScoreMap, AFormThatIsNoneIsRefused) {
  for (const char* text :
       {"7", "[]", "[[0.1]]", "[[0.1,0.2,0.3]]", "[[0.1,2]]", "[[0.1,\"x\"]]", "[7]",
        "[[0.1,0.5],[0.1,0.6]]", "[[0.1,0.5],[0.2,0.4]]", "{}", R"({"slope":-1,"offset":0})",
        R"({"slope":1})", R"({"slope":1e999,"offset":0})"}) {
    const auto value = json::parse(text);
    ASSERT_TRUE(value) << text;
    const auto map = ScoreMap::parse(*value);
    ASSERT_FALSE(map) << text;
    EXPECT_EQ(map.error().code, ErrorCode::kCorruptFile);
  }
}

TEST(ScoreMap, CrossMappingNeverShowsAMapItsOwnRows) {
  // The outcome of each row is chance: a map that saw it would fit it, one that did not cannot.
  Rng rng(3);
  std::vector<float> estimate, score;
  std::vector<std::uint32_t> fold;
  for (int i = 0; i < 400; ++i) {
    estimate.push_back(static_cast<float>(rng.uniform()));
    score.push_back(rng.uniform() < 0.5 ? 1.0f : 0.0f);
    fold.push_back(static_cast<std::uint32_t>(i % 2));
  }
  const auto mapped = cross_mapped(ScoreMapKind::kIsotonic, 1, estimate, score, fold);
  // Turning the scores of fold 0 around changes what fold 1 is mapped by, and nothing of fold 0.
  auto turned = score;
  for (std::size_t i = 0; i < turned.size(); i += 2) turned[i] = 1 - turned[i];
  const auto again = cross_mapped(ScoreMapKind::kIsotonic, 1, estimate, turned, fold);
  bool other = false;
  for (std::size_t i = 0; i < mapped.size(); ++i) {
    if (fold[i] == 0)
      EXPECT_EQ(mapped[i], again[i]);
    else
      other = other || mapped[i] != again[i];
  }
  EXPECT_TRUE(other);
}

TEST(ScoreMap, AnArmWithFewScoresKeepsItsEstimates) {
  std::vector<float> estimate, score;
  std::vector<std::uint32_t> fold;
  for (int i = 0; i < 200; ++i) {
    estimate.insert(estimate.end(), {0.9f, 0.9f});
    score.insert(score.end(), {i % 2 == 0 ? 1.0f : 0.0f, i < 40 ? 0.0f : std::nanf("")});
    fold.push_back(static_cast<std::uint32_t>(i % 4 / 2));
  }
  const auto mapped = cross_mapped(ScoreMapKind::kIsotonic, 2, estimate, score, fold);
  EXPECT_NEAR(mapped[0], 0.5, 1e-6);
  EXPECT_EQ(mapped[1], 0.9f);
  const auto maps = fit_maps(ScoreMapKind::kPlatt, 2, estimate, score);
  EXPECT_TRUE(maps[0]);
  EXPECT_FALSE(maps[1]);
}

}  // namespace
}  // namespace rung::outcomes
