#include "decide/session.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rung::decide {
namespace {

SessionPrices prices(double input, double cached, double write, double output) {
  return {UsdPerMillion{input}, UsdPerMillion{output}, UsdPerMillion{cached}, UsdPerMillion{write}};
}

// A strong model in use with 100,000 warm tokens, at 5 / 0.5 / 25 USD per million.
SessionArm strong(double answer) { return {"strong", 0.9, prices(5, 0.5, 5, 25), answer, 100'000}; }
SessionArm fifth(double answer) { return {"fifth", 0.9, prices(1, 0.1, 1.25, 5), answer, 0}; }
SessionArm tenth(double answer) { return {"tenth", 0.9, prices(0.5, 0.05, 0.5, 2.5), answer, 0}; }

TEST(SessionCost, OneTurnOnAFifthOfThePriceIsDearerThanStayingWarm) {
  const SessionQuestion turn{.prompt_tokens = 100'000, .turns = 1};
  EXPECT_NEAR(session_cost(turn, strong(300)).now, 0.0575, 1e-9);
  EXPECT_NEAR(session_cost(turn, fifth(300)).now, 0.1265, 1e-9);
  EXPECT_NEAR(session_cost(turn, strong(3000)).now, 0.125, 1e-9);
  EXPECT_NEAR(session_cost(turn, fifth(3000)).now, 0.140, 1e-9);
}

TEST(SessionCost, OneTurnOnATenthWithoutAWritePremiumIsCheaper) {
  const SessionQuestion turn{.prompt_tokens = 100'000, .turns = 1};
  EXPECT_NEAR(session_cost(turn, tenth(300)).now, 0.05075, 1e-9);
  EXPECT_NEAR(session_cost(turn, tenth(3000)).now, 0.0575, 1e-9);
}

TEST(SessionCost, LaterTurnsReadTheGrownPromptFromTheCache) {
  const SessionArm arm{"a", 0, prices(10, 1, 12, 100), 0, 0};
  // Three turns of 1,000,000 tokens that grow by 100,000: write 1 M; read 1 M and write 0.1 M; read
  // 1.1 M and write 0.1 M.
  const SessionCost cost =
      session_cost({.prompt_tokens = 1'000'000, .growth_tokens = 100'000, .turns = 3}, arm);
  EXPECT_NEAR(cost.now, 12, 1e-9);
  EXPECT_NEAR(cost.later, (1 + 1.2) + (1.1 + 1.2), 1e-9);
}

TEST(ChooseInSession, ACheaperModelPaysOnlyIfTheSessionGoesOn) {
  const SessionArm arms[] = {strong(300), fifth(300)};
  const auto picks = [&](double turns) {
    return choose_in_session({.prompt_tokens = 100'000, .growth_tokens = 500, .turns = turns}, arms,
                             0)
        .pick;
  };
  EXPECT_EQ(picks(1), 0u) << "0.127 USD against 0.058";
  EXPECT_EQ(picks(2), 0u);
  EXPECT_EQ(picks(10), 1u) << "nine turns at a fifth of the price pay for one cold read";
}

TEST(ChooseInSession, GoingBackToAModelThatIsStillWarmIsCheap) {
  SessionArm warm = fifth(300);
  warm.warm_tokens = 98'000;
  const SessionArm arms[] = {strong(300), warm};
  EXPECT_EQ(choose_in_session({.prompt_tokens = 100'000, .turns = 1}, arms, 0).pick, 1u);
}

TEST(ChooseInSession, QualityIsHeldAgainstThePriceOfTheChange) {
  SessionArm better = strong(300);
  better.warm_tokens = 0;
  better.quality = 0.95;
  SessionArm weak = tenth(300);
  weak.warm_tokens = 100'000;
  const SessionArm arms[] = {weak, better};
  // One turn: 5 points at 0.01 USD are worth 0.05; the cold read costs 0.5.
  const SessionQuestion turn{.prompt_tokens = 100'000, .turns = 1, .usd_per_point = 0.01};
  EXPECT_EQ(choose_in_session(turn, arms, 0).pick, 0u);
  SessionQuestion dear = turn;
  dear.usd_per_point = 0.2;
  EXPECT_EQ(choose_in_session(dear, arms, 0).pick, 1u) << "5 points are worth 1 USD";
}

TEST(ChooseInSession, TheDriftHoldsBackSmallAdvantages) {
  const SessionArm arms[] = {strong(300), tenth(300)};
  SessionQuestion turn{.prompt_tokens = 100'000, .turns = 1, .usd_per_point = 0.01};
  EXPECT_EQ(choose_in_session(turn, arms, 0).pick, 1u) << "0.051 against 0.058";
  turn.drift_points = 1;
  EXPECT_EQ(choose_in_session(turn, arms, 0).pick, 0u) << "0.007 saved, 0.01 lost in drift";
}

TEST(ChooseInSession, TheSentenceHoldsTheArithmetic) {
  const SessionArm arms[] = {strong(300), fifth(300)};
  const SessionAnswer answer = choose_in_session({.prompt_tokens = 100'000, .turns = 1}, arms, 0);
  for (const char* word : {"stays with strong", "0.0575", "0.1265", "100000 of 100000", "fifth"})
    EXPECT_NE(answer.why.find(word), std::string::npos) << answer.why;
  EXPECT_NEAR(answer.ahead_usd, 0.069, 1e-9);
}

TEST(ChooseInSession, NeverTakesWhatIsWorthLessThanWhatIsInUse) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<SessionArm> arms;
    for (int i = 0; i < 4; ++i) {
      const double input = 0.05 + 10 * rng.uniform();
      arms.push_back(
          {"x", rng.uniform(),
           prices(input, input * rng.uniform(), input * (1 + rng.uniform() / 4), input * 4),
           1 + 3000 * rng.uniform(), static_cast<std::int64_t>(rng.below(120'000))});
    }
    const SessionQuestion question{.prompt_tokens = static_cast<std::int64_t>(rng.below(100'000)),
                                   .growth_tokens = 2000 * rng.uniform(),
                                   .turns = 1 + 19 * rng.uniform(),
                                   .usd_per_point = 0.01 * rng.uniform(),
                                   .drift_points = rng.uniform()};
    const std::size_t current = rng.below(arms.size());
    const std::size_t pick = choose_in_session(question, arms, current).pick;
    const auto worth = [&](const SessionArm& arm) {
      return question.turns * 100 * arm.quality * question.usd_per_point -
             session_cost(question, arm).total();
    };
    EXPECT_GE(worth(arms[pick]), worth(arms[current]) - 1e-12);
    for (const SessionArm& arm : arms)
      EXPECT_GE(worth(arms[pick]) + question.drift_points * question.usd_per_point,
                worth(arm) - 1e-12)
          << "at most the drift is given up";
  }
}

TEST(WarmTokens, AreGoneAfterTheirTimeAndScaledByWhatWasFound) {
  EXPECT_EQ(warm_tokens(1000, 299, 300, {}, 5000), 1000);
  EXPECT_EQ(warm_tokens(1000, 300, 300, {}, 5000), 0);
  EXPECT_EQ(warm_tokens(1000, 1, 300, 0.5, 5000), 500);
  EXPECT_EQ(warm_tokens(1000, 1, 300, 0.0, 5000), 0) << "this host caches nothing";
  EXPECT_EQ(warm_tokens(9000, 1, 300, {}, 5000), 5000) << "a prompt that was cut short";
}

TEST(ExpectedTurns, AreAsManyAgainWithinBounds) {
  EXPECT_EQ(expected_turns(0), 1);
  EXPECT_EQ(expected_turns(7), 7);
  EXPECT_EQ(expected_turns(500), 20);
}

}  // namespace
}  // namespace rung::decide
