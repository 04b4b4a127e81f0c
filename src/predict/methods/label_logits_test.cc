#include "predict/methods/label_logits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace rung::predict {
namespace {

TEST(LabelLogits, ScoreAsPublished) {
  EXPECT_NEAR(bert_strong_probability({1.2, 0.3, -0.5}), 0.629226363, 5e-10);
  EXPECT_NEAR(causal_strong_probability({{0.1, 0.4, 1.0, 0.2, -0.3}}), 0.730371501, 5e-10);
}

TEST(LabelLogits, CountATieForTheWeakModel) {
  EXPECT_LT(bert_strong_probability({1, 5, 0}), 0.1);
  EXPECT_GT(bert_strong_probability({5, 1, 0}), 0.9);
}

TEST(LabelLogits, TakeFourAndFiveAsGoodEnough) {
  EXPECT_LT(causal_strong_probability({{0, 0, 0, 9, 0}}), 0.01);
  EXPECT_GT(causal_strong_probability({{0, 0, 9, 0, 0}}), 0.99);
}

TEST(LabelLogits, FailToTheStrongModel) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(causal_strong_probability(std::nullopt), 1);
  EXPECT_EQ(causal_strong_probability({{0, 0, 0, nan, 9}}), 1);
  EXPECT_EQ(bert_strong_probability({0, nan, 9}), 1);
  EXPECT_EQ(bert_strong_probability({-inf, 0, inf}), 1);
}

TEST(LabelLogits, DoNotOverflow) {
  EXPECT_EQ(bert_strong_probability({-1e300, 0, 1e300}), 0);
  EXPECT_NEAR(bert_strong_probability({800, 800, 800}), 1.0 / 3, 1e-12);
}

TEST(LabelLogits, StandWhereTheFirstNewTokenIs) {
  const std::vector<std::int64_t> ids{17, 128'000, 128'003, 128'001};
  EXPECT_EQ(first_label(ids, 128'001), 2u);
  EXPECT_EQ(first_label(ids, 17), 0u);
  EXPECT_EQ(first_label(ids, 200'000), std::nullopt);
  EXPECT_EQ(first_label({}, 1), std::nullopt);
}

}  // namespace
}  // namespace rung::predict
