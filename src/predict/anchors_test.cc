#include "predict/anchors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "predict/placement.h"
#include "predict/testing.h"
#include "predict/train.h"

namespace rung::predict {
namespace {

/// Prompts of two kinds; the score is a skill in one of them and some chance: a low-rank world. The
/// last arm is the one to be placed.
constexpr double kSkill[][2] = {{0.9, 0.2}, {0.3, 0.9},  {0.6, 0.5}, {0.85, 0.8},
                                {0.2, 0.3}, {0.5, 0.95}, {0.8, 0.4}};
constexpr std::size_t kArms = std::size(kSkill), kNew = kArms - 1;

outcomes::Table world(std::size_t rows, std::size_t first, std::size_t last,
                      std::uint64_t seed = 5) {
  outcomes::Table table;
  for (std::size_t j = first; j <= last; ++j) table.arms.push_back("arm" + std::to_string(j));
  Rng rng(seed);
  for (std::size_t i = 0; i < rows; ++i) {
    const bool numbers = rng.below(2) == 1;
    const std::string prompt = testing::prompt_of_kind(numbers, rng);
    table.ids.push("q" + std::to_string(i));
    table.prompts.push(prompt);
    table.category.push_back(outcomes::kNoCategory);
    for (std::size_t j = 0; j < kArms; ++j) {
      const double score = kSkill[j][numbers ? 1 : 0] + 0.1 * rng.normal();
      if (j < first || j > last) continue;
      table.score.push_back(static_cast<float>(std::clamp(score, 0.0, 1.0)));
      table.cost.push_back(0.0001f * static_cast<float>(j + 1));
      table.prompt_tokens.push_back(30);
      table.completion_tokens.push_back(static_cast<std::int32_t>(50 * (j + 1)));
    }
  }
  return table;
}

AnchorRows rows_of(const Model& model, const outcomes::Table& known, const outcomes::Table& own,
                   const std::vector<std::size_t>& rows) {
  const auto n = static_cast<Index>(rows.size());
  AnchorRows out;
  out.x = embed_all(model.embedding.view(), rows.size(),
                    [&](std::size_t i) { return known.prompts[rows[i]]; });
  out.known.resize(n, static_cast<Index>(known.arm_count()));
  out.score.resize(n), out.cost.resize(n), out.completion_tokens.resize(n);
  for (Index i = 0; i < n; ++i) {
    const std::size_t row = rows[static_cast<std::size_t>(i)];
    for (std::size_t j = 0; j < known.arm_count(); ++j)
      out.known(i, static_cast<Index>(j)) = known.score[known.cell(row, j)];
    out.score(i) = own.score[row];
    out.cost(i) = own.cost[row];
    out.completion_tokens(i) = static_cast<float>(own.completion_tokens[row]);
  }
  return out;
}

struct Placed {
  outcomes::Table known = world(900, 0, kNew - 1), own = world(900, kNew, kNew);
  Model model;
  AnchorRows rows;
  Placed() {
    auto trained = train(known);
    EXPECT_TRUE(trained) << trained.error().message;
    model = *std::move(trained);
    auto anchors = choose_anchors(known);
    EXPECT_TRUE(anchors) << anchors.error().message;
    rows = rows_of(model, known, own, *anchors);
  }
};

TEST(Anchors, AreDifferentPromptsTheSameEachTimeAndAPrefixIsASmallerSet) {
  outcomes::Table table = world(300, 0, kNew);
  outcomes::Table twice = table;  // every prompt once more, under another id
  for (std::size_t i = 0; i < 300; ++i) {
    twice.ids.push("again" + std::to_string(i));
    twice.prompts.push(table.prompts[i]);
    twice.category.push_back(outcomes::kNoCategory);
  }
  const auto repeat = [](auto& column) {
    const auto copy = column;
    column.insert(column.end(), copy.begin(), copy.end());
  };
  repeat(twice.score), repeat(twice.cost), repeat(twice.prompt_tokens);
  repeat(twice.completion_tokens);
  const auto anchors = choose_anchors(twice, {.count = 200});
  ASSERT_TRUE(anchors) << anchors.error().message;
  std::set<std::string_view> texts;
  for (const std::size_t row : *anchors) texts.insert(twice.prompts[row]);
  EXPECT_EQ(texts.size(), 200u);
  EXPECT_EQ(*anchors, *choose_anchors(twice, {.count = 200}));
  EXPECT_NE(*anchors, *choose_anchors(twice, {.count = 200, .seed = 2}));
  const auto fewer = choose_anchors(twice, {.count = 50});
  EXPECT_TRUE(std::equal(fewer->begin(), fewer->end(), anchors->begin()));
  EXPECT_EQ(choose_anchors(twice, {.count = 301}).error().code, ErrorCode::kInvalidData);
  EXPECT_EQ(choose_anchors(twice, {.count = 0}).error().code, ErrorCode::kInvalidArgument);
}

TEST(Anchors, CoverAKindOfPromptInItsProportion) {
  const outcomes::Table table = world(600, 0, kNew);
  std::size_t numbers = 0;
  const auto anchors = choose_anchors(table, {.count = 60});
  for (const std::size_t row : *anchors) numbers += table.prompts[row].starts_with("Compute");
  EXPECT_GE(numbers, 22u);
  EXPECT_LE(numbers, 38u);
}

TEST(Placement, RecoversAnArmOfALowRankWorldFromAHundredScores) {
  Placed w;
  const auto how = place_arm(w.model, "new", w.rows);
  ASSERT_TRUE(how) << how.error().message;
  EXPECT_NEAR(how->base, 0.6, 0.06);
  EXPECT_LT(how->error, how->error_of_mean);
  EXPECT_GT(how->quality_se, how->base_se);
  double squares = 0;  // not surer of it than of the arms it was made of
  for (std::size_t j = 0; j < kNew; ++j) squares += w.model.se_floor[j] * w.model.se_floor[j];
  EXPECT_GT(how->quality_se, std::sqrt(squares / kNew));
  const std::string_view prompts[] = {"Describe nop qrs tuv xyz nrs ptu vwx yzn oqs",
                                      "Compute abc def ghi jkl mab cde fgh ijk lma"};
  const Matrix x =
      embed_all(w.model.embedding.view(), 2, [&](std::size_t i) { return prompts[i]; });
  const auto said = estimate_rows(w.model.view(), x);
  EXPECT_NEAR(said[kNew].quality, 0.8, 0.1);
  EXPECT_NEAR(said[kArms + kNew].quality, 0.4, 0.1);
  EXPECT_NEAR(said[kNew].completion_tokens, 350, 5);
  EXPECT_NEAR(said[kNew].cost_usd, 0.0007, 0.00002);
}

TEST(Placement, LeavesTheOtherArmsAsTheyWereAndSurvivesTheFile) {
  Placed w;
  const auto before = estimate_rows(w.model.view(), w.rows.x);
  ASSERT_TRUE(place_arm(w.model, "new", w.rows));
  const std::string bytes = write_artefact(w.model, {});
  const auto read = Artefact::read(bytes);
  ASSERT_TRUE(read) << read.error().message;
  const auto again = to_model(*read);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(write_artefact(*again, {}), bytes);
  const auto after = estimate_rows(again->view(), w.rows.x);
  for (std::size_t i = 0; i < static_cast<std::size_t>(w.rows.x.rows()); ++i)
    for (std::size_t j = 0; j < kNew; ++j) {
      EXPECT_NEAR(after[i * kArms + j].quality, before[i * kNew + j].quality, 0.02);
      EXPECT_EQ(after[i * kArms + j].cost_usd, before[i * kNew + j].cost_usd);
    }
}

TEST(Placement, OfNoiseClaimsNoMoreThanAConstant) {
  Placed w;
  Rng rng(8);
  for (Index i = 0; i < w.rows.score.size(); ++i) w.rows.score(i) = rng.below(2) == 1 ? 1.0f : 0.0f;
  const auto how = place_arm(w.model, "coin", w.rows);
  ASSERT_TRUE(how);
  EXPECT_GT(how->error, 0.95 * how->error_of_mean);
  EXPECT_NEAR(how->base, 0.5, 0.12);
}

TEST(Placement, AnUnknownCostStaysUnknown) {
  Placed w;
  w.rows.cost.setConstant(outcomes::kMissing);
  w.rows.completion_tokens.setConstant(outcomes::kMissing);
  ASSERT_TRUE(place_arm(w.model, "new", w.rows));
  EXPECT_FALSE(w.model.arms.back().has_cost);
  EXPECT_FALSE(w.model.arms.back().has_tokens);
  EXPECT_FALSE(estimate_rows(w.model.view(), w.rows.x)[kNew].has_cost);
  EXPECT_TRUE(Artefact::read(write_artefact(w.model, {})));
}

TEST(Placement, RefusesWhatItCannotPlaceAndLeavesTheModelAlone) {
  Placed w;
  EXPECT_EQ(place_arm(w.model, "arm2", w.rows).error().message,
            "the router already has an arm \"arm2\"; expected a new name");
  EXPECT_EQ(place_arm(w.model, "", w.rows).error().code, ErrorCode::kInvalidArgument);
  AnchorRows odd = w.rows;
  odd.score(3) = 1.5f;
  EXPECT_EQ(place_arm(w.model, "new", odd).error().message,
            "anchor 3 has the score 1.5; expected 0 to 1");
  AnchorRows few = rows_of(w.model, w.known, w.own, {1, 2, 3});
  EXPECT_NE(place_arm(w.model, "new", few).error().message.find("3 anchors have a score"),
            std::string::npos);
  EXPECT_EQ(w.model.arms.size(), kNew);
  EXPECT_EQ(w.model.base.size(), kNew);
}

}  // namespace
}  // namespace rung::predict
