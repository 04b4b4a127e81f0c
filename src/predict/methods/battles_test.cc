#include "predict/methods/battles.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rung::predict {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

TEST(Battles, PairEveryTwoArmsThatARowHas) {
  Matrix score(2, 3);
  score << 0.9f, 0.2f, 0.9f, kMissing, 0.1f, 0.4f;
  const auto battles = battles_from_scores(score);
  ASSERT_EQ(battles.size(), 4u);
  EXPECT_EQ(battles[0].winner, Winner::kA);
  EXPECT_EQ(battles[1].winner, Winner::kTie);
  EXPECT_EQ(battles[1].model_b, 2u);
  EXPECT_EQ(battles[2].winner, Winner::kB);
  EXPECT_EQ(battles[3].row, 1u);
  EXPECT_EQ(battles[3].model_a, 1u);
  EXPECT_EQ(battles[3].winner, Winner::kB);
}

TEST(Battles, NeedTwoScoresInARow) {
  Matrix score(2, 2);
  score << 0.5f, kMissing, kMissing, kMissing;
  EXPECT_TRUE(battles_from_scores(score).empty());
  EXPECT_TRUE(battles_from_scores(Matrix::Ones(3, 1)).empty());
}

TEST(Battles, OfScoresMadeFromDeviationsKeepTheirTies) {
  int rounded = 0;
  for (int i = 1; i < 50; ++i) {
    const float score = static_cast<float>(i) / 50.0f;
    Vector mean(2);
    mean << 0.37f, 0.81f;
    Matrix deviation(1, 2);
    deviation << score - mean(0), score - mean(1);
    const Matrix whole = whole_scores(deviation, mean);
    EXPECT_NEAR(whole(0, 0), score, 1e-6f);
    EXPECT_EQ(battles_from_scores(whole).at(0).winner, Winner::kTie);
    EXPECT_EQ(battles_from_scores(deviation).at(0).winner, Winner::kA);  // why scores are needed
    rounded += battles_from_scores(whole, 0).at(0).winner != Winner::kTie;
  }
  EXPECT_GT(rounded, 0);  // why the margin is needed
}

TEST(Battles, OfUnknownModelsOrRowsAreNamed) {
  const std::vector<Battle> battles{{0, 1, Winner::kA, 0}, {0, 7, Winner::kA, 3}};
  EXPECT_TRUE(check_battles(battles, 8, 4));
  const auto model = check_battles(battles, 7, 4);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(model.error().message, "battle 1 is between models 0 and 7; only 0 to 6 are known");
  const auto row = check_battles(battles, 8, 3);
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().message, "battle 1 is about row 3; there are 3 rows of embeddings");
}

}  // namespace
}  // namespace rung::predict
