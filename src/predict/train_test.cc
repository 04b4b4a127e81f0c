#include "predict/train.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "predict/testing.h"

namespace rung::predict {
namespace {

std::vector<float> qualities(const Model& model, std::string_view prompt) {
  const ModelView view = model.view();
  const Matrix x = embed_all(view.embedding, 1, [&](std::size_t) { return prompt; });
  std::vector<Estimate> out(view.arms);
  EstimateScratch scratch;
  estimate_arms(view, {x.data(), kDesignDims}, {}, out, scratch);
  return {out[0].quality, out[1].quality};
}

TEST(Train, FindsAPlantedSplitOfTasks) {
  const auto model = train(testing::two_kinds(true));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE(model->is_static);
  EXPECT_GT(model->hull_gain, 5);
  const auto words = qualities(*model, "Describe nop qrs tuv xyz nrs ptu vwx yzn oqs");
  const auto numbers = qualities(*model, "Compute abc def ghi jkl mab cde fgh ijk lma");
  EXPECT_GT(words[0], words[1] + 0.1f);
  EXPECT_GT(numbers[1], numbers[0] + 0.2f);
}

TEST(Train, IsStaticOnNoiseAndSaysWhy) {
  const auto model = train(testing::two_kinds(false));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->is_static);
  EXPECT_EQ(model->members.back().name, "static");
  EXPECT_EQ(qualities(*model, "Compute abc"), qualities(*model, "Describe xyz"));
}

TEST(Train, RoutesOnPredictedCostsWhereQualityDoesNotVary) {
  outcomes::Table table = testing::two_kinds(false);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    // The second arm is better by the same amount on all prompts, and dear on words alone.
    table.score[table.cell(i, 0)] = 0.5f;
    table.score[table.cell(i, 1)] = 0.6f;
    table.cost[table.cell(i, 1)] = table.prompts[i].starts_with("Compute") ? 0.0002f : 0.001f;
  }
  const auto model = train(table);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE(model->is_static);
  EXPECT_GT(model->hull_gain, 0.5);
  EXPECT_EQ(model->members.back().name, "costs");
  EXPECT_EQ(qualities(*model, "Compute abc"), qualities(*model, "Describe xyz"));
}

TEST(Train, SaysHowHardAPromptIsForAllArms) {
  outcomes::Table table = testing::two_kinds(true);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const bool hard = table.prompts[i].starts_with("Compute");
    table.score[table.cell(i, 0)] = hard ? 0.1f : 0.9f;
    table.score[table.cell(i, 1)] = hard ? 0.3f : 0.8f;
  }
  const auto model = train(table);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_GT(model->common, 0) << "weights are held back for the sake of the differences";
  float hard = 0, easy = 0;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::string_view prompt = table.prompts[i];
    const auto q = qualities(*model, prompt);
    (prompt.starts_with("Compute") ? hard : easy) += (q[0] + q[1]) / 2;
  }
  const auto half = static_cast<float>(table.rows()) / 2;
  EXPECT_NEAR(hard / half, 0.2, 0.05);
  EXPECT_NEAR(easy / half, 0.85, 0.05);
}

TEST(Train, LearnsWhereCellsAreMissingAtRandom) {
  outcomes::Table table = testing::two_kinds(true);
  Rng rng(3);
  for (float& score : table.score)
    if (rng.uniform() < 0.2) score = outcomes::kMissing;
  const auto model = train(table);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE(model->is_static);
  EXPECT_GT(model->hull_gain, 2);
}

TEST(Train, IsStaticWhereNoRowHasTwoArmsToCompare) {
  outcomes::Table table = testing::two_kinds(true);
  for (std::size_t i = 0; i < table.rows(); ++i)
    table.score[table.cell(i, i % 2)] = outcomes::kMissing;
  const auto model = train(table);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->is_static);
}

TEST(Train, GivesTheSameModelOnAnyNumberOfThreads) {
  const auto many = train(testing::two_kinds(true));
  ::setenv("RUNG_THREADS", "1", 1);
  const auto one = train(testing::two_kinds(true));
  ::unsetenv("RUNG_THREADS");
  ASSERT_TRUE(many && one);
  EXPECT_EQ(many->embedding.table, one->embedding.table);
  EXPECT_EQ(many->linear, one->linear);
  EXPECT_EQ(many->exemplars, one->exemplars);
  EXPECT_EQ(many->cost.weights, one->cost.weights);
  EXPECT_EQ(many->se_floor, one->se_floor);
}

TEST(Train, RefusesWhatItCannotLearnFrom) {
  EXPECT_EQ(train({}).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(train(testing::two_kinds(true), {.method = "magic"}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(train(testing::two_kinds(true), {.method = "linear", .folds = 1}).error().code,
            ErrorCode::kInvalidArgument);
  outcomes::Table free = testing::two_kinds(true);
  for (float& cost : free.cost) cost = outcomes::kMissing;
  EXPECT_EQ(train(free).error().code, ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace rung::predict
