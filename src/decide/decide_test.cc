#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "decide/eligibility.h"
#include "decide/policy.h"

namespace rung::decide {
namespace {

const std::vector<Candidate> kPool{
    {"small", 0.71, 0.02, 0.0002}, {"middle", 0.80, 0.02, 0.0010}, {"large", 0.93, 0.02, 0.0030}};

std::string_view pick(const PolicySpec& spec, std::span<const Candidate> pool = kPool) {
  EXPECT_TRUE(validate(spec));
  return pool[make_policy(spec)->choose(pool, {}).pick].name;
}

TEST(Tradeoff, PaysForAPointWhatItIsTold) {
  EXPECT_EQ(pick({PolicyKind::kTradeoff, 0.001}), "large");
  EXPECT_EQ(pick({PolicyKind::kTradeoff, 0.0001}), "middle");
  EXPECT_EQ(pick({PolicyKind::kTradeoff, 0.00001}), "small");
}

TEST(Tradeoff, SaysSmallSumsWithoutAnExponent) {
  const std::vector<Candidate> pool{{"a", 0.5, 0.1, 0.00000115}, {"b", 0.9, 0.1, 0.0047704}};
  EXPECT_EQ(make_policy({PolicyKind::kTradeoff, 0.00007})->choose(pool, {}).reason,
            "a (quality 0.500 ± 0.100, 0.00000115 USD) has the best quality for its cost at "
            "0.00007 USD a point, 28.13 points ahead of b (quality 0.900 ± 0.100, 0.00477 USD)");
}

TEST(Tradeoff, LeavesTheDefaultArmOnlyForMoreThanTheMargin) {
  // At 0.001 USD a point: middle is best on average (79 points; small 60.8, large 77), large is
  // best on this request (90 points), 11 ahead of middle.
  std::vector<Candidate> pool = kPool;
  for (auto [i, quality] : {std::pair{0u, 0.61}, {1u, 0.80}, {2u, 0.80}})
    pool[i].prior_quality = quality, pool[i].prior_cost_usd = pool[i].cost_usd;
  const auto with = [&](double margin) {
    return PolicySpec{.kind = PolicyKind::kTradeoff, .parameter = 0.001, .margin = margin};
  };
  EXPECT_EQ(pick(with(0), pool), "large");
  EXPECT_EQ(pick(with(10.9), pool), "large");
  EXPECT_EQ(pick(with(11.1), pool), "middle");
  const Decision stays = make_policy(with(11.1))->choose(pool, {});
  EXPECT_EQ(pool[*stays.runner_up].name, "large");
  EXPECT_NE(stays.reason.find("within the margin of 11.1"), std::string::npos) << stays.reason;
  pool[1].prior_quality.reset();  // then the default is the best of those with means: large
  EXPECT_EQ(pick(with(50), pool), "large");
  EXPECT_EQ(pick(with(50), kPool), "large") << "without means there is no default";
}

TEST(TargetQuality, TakesTheCheapestThatPassesElseTheBest) {
  EXPECT_EQ(pick({PolicyKind::kTargetQuality, 0.70}), "small");
  EXPECT_EQ(pick({PolicyKind::kTargetQuality, 0.75}), "middle");
  EXPECT_EQ(pick({PolicyKind::kTargetQuality, 0.99}), "large");
}

TEST(MaxCost, TakesTheBestThatFitsElseTheCheapest) {
  EXPECT_EQ(pick({PolicyKind::kMaxCost, 0.01}), "large");
  EXPECT_EQ(pick({PolicyKind::kMaxCost, 0.0010}), "middle");
  EXPECT_EQ(pick({PolicyKind::kMaxCost, 0.0001}), "small");
}

TEST(Threshold, IsInclusiveAsInRouteLlm) {
  const double win = (1 + 0.93 - 0.71) / 2;
  EXPECT_EQ(pick({PolicyKind::kThreshold, win, "large", "small"}), "large");
  EXPECT_EQ(pick({PolicyKind::kThreshold, std::nextafter(win, 1.0), "large", "small"}), "small");
  EXPECT_EQ(pick({PolicyKind::kThreshold, 0.9, "gone", "small"}), "small");
  EXPECT_EQ(pick({PolicyKind::kThreshold, 0, "gone", "away"}), "large");
}

TEST(Threshold, ItsScoreIsTheChanceOfAWinWithTiesCountedHalf) {
  // Independent scores of 0 or 1: P(strong wins) + P(tie) / 2.
  for (const double s : {0.0, 0.3, 0.93, 1.0}) {
    for (const double w : {0.0, 0.4, 0.71, 1.0})
      EXPECT_NEAR(win_chance(s, w), s * (1 - w) + 0.5 * (s * w + (1 - s) * (1 - w)), 1e-12);
  }
  EXPECT_NEAR(win_chance(0.9, 0.4), 1 - win_chance(0.4, 0.9), 1e-12);
}

TEST(Alpha, TakesTheGreatestScoreOfTheRoutersOwnRule) {
  std::vector<Candidate> pool = kPool;
  pool[0].utility = 0.4, pool[1].utility = 0.7, pool[2].utility = 0.6;
  EXPECT_EQ(pick({PolicyKind::kAlpha, 0.5}, pool), "middle");
  const auto decision = make_policy({PolicyKind::kAlpha, 0.5})->choose(pool, {});
  EXPECT_EQ(pool[*decision.runner_up].name, "large");
  EXPECT_EQ(
      decision.reason,
      "middle (quality 0.800) has the greatest score at alpha 0.5, 0.700, ahead of large with "
      "0.600");
  pool[0].utility = 0.7;  // ties go to the cheaper
  EXPECT_EQ(pick({PolicyKind::kAlpha, 1}, pool), "small");
  EXPECT_FALSE(validate({PolicyKind::kAlpha, 1.01}));
  EXPECT_FALSE(validate({PolicyKind::kAlpha, std::nan("")}));
}

TEST(Policy, BreaksTiesByPriceThenByOrder) {
  const std::vector<Candidate> pool{{"a", 0.5, 0, 0.2}, {"b", 0.5, 0, 0.1}, {"c", 0.5, 0, 0.1}};
  EXPECT_EQ(pick({PolicyKind::kMaxCost, 1}, pool), "b");
  EXPECT_EQ(pick({PolicyKind::kTargetQuality, 0.9}, pool), "b");
  const auto decision = make_policy({PolicyKind::kMaxCost, 1})->choose(pool, {});
  EXPECT_EQ(pool[*decision.runner_up].name, "c");
}

TEST(Policy, OneCandidateHasNoRunnerUpAndIsCertain) {
  for (const PolicyKind kind : {PolicyKind::kTradeoff, PolicyKind::kTargetQuality,
                                PolicyKind::kMaxCost, PolicyKind::kThreshold, PolicyKind::kAlpha}) {
    const auto decision = make_policy({kind, 0.5, "small", "large"})
                              ->choose(std::span(kPool).first(1), {.seed = 1, .explore = 0.5});
    EXPECT_EQ(decision.pick, 0u);
    EXPECT_FALSE(decision.runner_up);
    EXPECT_EQ(decision.propensity, 1);
    EXPECT_FALSE(decision.reason.empty());
  }
}

TEST(Policy, ExplorationHasTheStatedPropensities) {
  const auto policy = make_policy({PolicyKind::kMaxCost, 0.01});
  std::vector<int> picks(3);
  std::vector<double> propensity(3);
  for (std::uint64_t seed = 0; seed < 30000; ++seed) {
    const Decision d = policy->choose(kPool, {.seed = seed, .explore = 0.3});
    ++picks[d.pick];
    propensity[d.pick] = d.propensity;
  }
  EXPECT_NEAR(propensity[0] + propensity[1] + propensity[2], 1, 1e-12);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(picks[i] / 30000.0, propensity[i], 0.01);
  const Decision once = policy->choose(kPool, {.seed = 9, .explore = 0.3});
  EXPECT_EQ(once.reason, policy->choose(kPool, {.seed = 9, .explore = 0.3}).reason);
}

TEST(PolicySpec, RefusesWhatCannotBeMeant) {
  EXPECT_FALSE(validate({PolicyKind::kTradeoff, 0}));
  EXPECT_FALSE(validate({PolicyKind::kTradeoff, std::nan("")}));
  EXPECT_FALSE(validate({PolicyKind::kTargetQuality, 1.5}));
  EXPECT_FALSE(validate({PolicyKind::kMaxCost, -1}));
  EXPECT_FALSE(validate({PolicyKind::kThreshold, 0.5, "a", "a"}));
  EXPECT_FALSE(validate({.kind = PolicyKind::kTradeoff, .margin = -1}));
  EXPECT_FALSE(validate({.kind = PolicyKind::kTradeoff, .margin = std::nan("")}));
  EXPECT_FALSE(validate({.kind = PolicyKind::kMaxCost, .parameter = 1, .margin = 1}));
}

TEST(Eligibility, FailsClosed) {
  EXPECT_EQ(why_not({}, {}), "");
  EXPECT_NE(why_not({}, {.tools = true}), "");
  EXPECT_NE(why_not({.tools = true}, {.json_schema = true}), "");
  EXPECT_NE(why_not({.tools = true}, {.vision = true}), "");
  EXPECT_NE(why_not({}, {.audio = true}), "");
  EXPECT_EQ(why_not({.context_tokens = 100}, {.prompt_tokens = 60, .max_tokens = 40}), "");
  EXPECT_EQ(why_not({.context_tokens = 100}, {.prompt_tokens = 60, .max_tokens = 41}),
            "about 101 tokens are needed; the context holds 100");
}

TEST(Eligibility, NoRandomRequestReachesAModelThatLacksWhatItNeeds) {
  Rng rng(3);
  for (int i = 0; i < 5000; ++i) {
    const auto flip = [&] { return rng.below(2) == 1; };
    const Abilities model{flip(), flip(), flip(), flip(), std::nullopt};
    const Needs need{.tools = flip(),
                     .json_schema = flip(),
                     .vision = flip(),
                     .audio = flip(),
                     .prompt_tokens = 5,
                     .max_tokens = {}};
    const bool lacks = (need.tools && !model.tools) || (need.json_schema && !model.json_schema) ||
                       (need.vision && !model.vision) || (need.audio && !model.audio);
    EXPECT_EQ(why_not(model, need).empty(), !lacks);
  }
}

}  // namespace
}  // namespace rung::decide
