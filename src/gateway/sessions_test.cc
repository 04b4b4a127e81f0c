#include "gateway/sessions.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/hash.h"
#include "gateway/session_hold.h"
#include "state/testing.h"

namespace rung::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

SessionTurn turn(std::int64_t at_us, std::int64_t tokens = 5'000) {
  SessionTurn made;
  made.arm = hash64("small");
  made.model = hash64("small");
  made.now_us = at_us;
  made.estimated_tokens = tokens;
  made.prompt_tokens = tokens;
  return made;
}

TEST(Sessions, ATurnIsFoundFromAnywhereUntilTheSessionIsIdleForTooLong) {
  Sessions sessions({.idle_s = 100});
  EXPECT_FALSE(sessions.find(7, 0));
  sessions.note(7, turn(kSecond));
  const auto found = sessions.find(7, 2 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->arm, hash64("small"));
  EXPECT_EQ(found->turns, 1);
  EXPECT_FALSE(sessions.find(8, 2 * kSecond));
  EXPECT_FALSE(sessions.find(7, 102 * kSecond)) << "it has ended";
  sessions.note(7, turn(200 * kSecond));
  EXPECT_EQ(sessions.find(7, 200 * kSecond)->turns, 1) << "a new one under the old name";
}

TEST(Sessions, TheNumberOfThemHasABoundAndTheOldestGoFirst) {
  Sessions sessions({.most = 8});
  for (std::uint64_t key = 1; key <= 8; ++key)
    sessions.note(key, turn(static_cast<std::int64_t>(key) * kSecond));
  sessions.note(1, turn(20 * kSecond));
  sessions.note(9, turn(21 * kSecond));
  EXPECT_TRUE(sessions.find(1, 22 * kSecond)) << "it was heard of a moment ago";
  EXPECT_TRUE(sessions.find(9, 22 * kSecond));
  EXPECT_FALSE(sessions.find(2, 22 * kSecond)) << "the one that was longest not heard of";
  for (std::uint64_t key = 3; key <= 8; ++key) EXPECT_TRUE(sessions.find(key, 22 * kSecond)) << key;
}

TEST(Sessions, WhatTheProviderFoundInItsCacheIsRemembered) {
  Sessions sessions;
  sessions.note(7, turn(kSecond, 4'000));
  SessionTurn second = turn(2 * kSecond, 5'000);
  second.expected_warm = 4'000;
  second.cached_tokens = 3'000;
  sessions.note(7, second);
  const auto found = sessions.find(7, 3 * kSecond);
  const WarmModel* warm = found->find(hash64("small"));
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->tokens, 5'000);
  EXPECT_FLOAT_EQ(warm->hit_share, 0.75f);
  EXPECT_FLOAT_EQ(found->growth, 1'000);
  EXPECT_EQ(found->find(hash64("other")), nullptr);
}

TEST(Sessions, WhoIsAboutToAnswerIsKnownBeforeTheTurnHasEnded) {
  Sessions sessions;
  sessions.claim(7, hash64("small"), kSecond);
  ASSERT_TRUE(sessions.find(7, kSecond));
  EXPECT_EQ(sessions.find(7, kSecond)->arm, hash64("small"));
  EXPECT_EQ(sessions.find(7, kSecond)->turns, 0);
  sessions.note(7, turn(2 * kSecond));
  EXPECT_EQ(sessions.find(7, 2 * kSecond)->turns, 1);
}

TEST(Sessions, AConversationThatBeginsAnewKeepsOnlyWhatIsWarm) {
  Sessions sessions;
  for (int i = 1; i <= 3; ++i) sessions.note(7, turn(i * kSecond, 1'000 * i));
  SessionTurn first = turn(4 * kSecond, 900);
  first.begins = true;
  first.model = hash64("large");
  sessions.note(7, first);
  const auto found = sessions.find(7, 5 * kSecond);
  EXPECT_EQ(found->turns, 1);
  EXPECT_LT(found->growth, 0) << "not seen";
  EXPECT_NE(found->find(hash64("small")), nullptr) << "the same words are warm there still";
}

TEST(Sessions, OnlyTheLatestModelsAreRemembered) {
  Sessions sessions;
  for (int i = 0; i < 6; ++i) {
    SessionTurn made = turn((i + 1) * kSecond);
    made.model = hash64(std::to_string(i));
    sessions.note(7, made);
  }
  const auto found = sessions.find(7, 7 * kSecond);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(found->find(hash64(std::to_string(i))) != nullptr, i >= 2) << i;
}

TEST(Sessions, ManyThreadsLoseNoTurn) {
  Sessions sessions;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&sessions] {
      for (int i = 0; i < 5'000; ++i)
        sessions.note(static_cast<std::uint64_t>(i % 50) + 1, turn(kSecond));
    });
  for (std::thread& thread : threads) thread.join();
  std::int64_t turns = 0;
  for (std::uint64_t key = 1; key <= 50; ++key) turns += sessions.find(key, kSecond)->turns;
  EXPECT_EQ(turns, 20'000);
}

/// A route of two arms, and conversations with it.
class HoldTest : public testing::Test {
 protected:
  HoldTest() {
    small_.name = "small";
    large_.name = "large";
    small_.price.emplace();
    small_.price->input = UsdPerMillion{1};
    small_.price->output = UsdPerMillion{5};
    small_.price->cached_input = UsdPerMillion{0.1};
    large_.price.emplace();
    large_.price->input = UsdPerMillion{5};
    large_.price->output = UsdPerMillion{25};
    large_.price->cached_input = UsdPerMillion{0.5};
    route_.name = "auto";
    route_.arms.resize(2);
    route_.arms[0].label = "small";
    route_.arms[0].model = &small_;
    route_.arms[1].label = "large";
    route_.arms[1].model = &large_;
  }

  /// One turn: the policy wants `wanted`; gives the choice after the session was asked.
  Choice turn(const std::string& messages, std::size_t wanted, std::int64_t at_s,
              const std::string& named = {}, const std::string& key = {},
              std::int64_t prompt_tokens = 100'000) {
    body_ = R"({"messages":[)" + messages + "]}";
    wire::Request request;
    request.root = *json::parse(body_);
    Choice choice;
    choice.route = &route_;
    choice.policy = policy_;
    choice.policy_parameter = parameter_;
    choice.prompt_tokens = prompt_tokens;
    for (std::size_t i = 0; i < 2; ++i) {
      ArmOutlook look;
      look.arm = &route_.arms[i];
      look.is_scored = look.has_tokens = true;
      look.quality = quality_[i];
      look.completion_tokens = 300;
      look.why_not = why_not_[i];
      choice.outlook.push_back(look);
    }
    choice.arm = &route_.arms[wanted];
    choice.model = choice.arm->model;
    choice.reason = "the policy's";
    SessionHold hold;
    hold.apply(&sessions_, request, named, key, is_pinned_, at_s * kSecond, choice);
    state::DecisionIdSource ids{1};
    state::RequestRecord record = state::testing::answered(ids);
    record.arm = choice.arm->label;
    record.served_model = choice.model->name;
    record.calls[0].prompt_tokens = prompt_tokens;
    record.calls[0].cached_tokens = cached_tokens_;
    hold.note(record, at_s * kSecond);
    return choice;
  }

  static constexpr const char* kFirst = R"({"role":"user","content":"hello"})";
  static constexpr const char* kSecondTurn =
      R"({"role":"user","content":"hello"},{"role":"assistant","content":"hi"},{"role":"user","content":"and?"})";
  static constexpr const char* kTool =
      R"({"role":"user","content":"hello"},{"role":"assistant","tool_calls":[{"id":"c"}]},{"role":"tool","content":"42"})";
  static constexpr const char* kThought =
      R"({"role":"user","content":"hello"},{"role":"assistant","content":[{"type":"thinking","signature":"x"}]},{"role":"user","content":"and?"})";

  ModelConfig small_, large_;
  Route route_;
  Sessions sessions_;
  std::string body_, policy_ = "tradeoff", why_not_[2];
  double parameter_ = 0.0001, quality_[2] = {0.9, 0.9};
  bool is_pinned_ = false;
  std::optional<std::int64_t> cached_tokens_;
};

TEST_F(HoldTest, TheFirstTurnIsThePolicysOwn) {
  EXPECT_EQ(turn(kFirst, 1, 1).reason, "the policy's");
  EXPECT_EQ(turn(kFirst, 0, 2).reason, "the policy's") << "the same words again, but no history";
}

TEST_F(HoldTest, AnOpenToolCallHoldsTheModelThatAsked) {
  turn(kFirst, 1, 1);
  const Choice held = turn(kTool, 0, 2);
  EXPECT_EQ(held.arm->label, "large");
  EXPECT_NE(held.reason.find("a tool call is open"), std::string::npos) << held.reason;
  EXPECT_EQ(held.propensity, 1);
  EXPECT_EQ(held.runner_up, 0u);
  EXPECT_EQ(sessions_.stats().locked, 1u);
}

TEST_F(HoldTest, StateThatOnlyItsProviderReadsHoldsTheModel) {
  turn(kFirst, 1, 1);
  EXPECT_NE(turn(kThought, 0, 2).reason.find("a thinking signature"), std::string::npos);
}

TEST_F(HoldTest, AnArmThatCannotServeTheRequestIsLeftAlsoWithAToolCallOpen) {
  turn(kFirst, 1, 1);
  why_not_[1] = "the request has an image, and this model supports none";
  const Choice left = turn(kTool, 0, 2);
  EXPECT_EQ(left.arm->label, "small");
  EXPECT_NE(left.reason.find("the session leaves large"), std::string::npos);
}

TEST_F(HoldTest, AWarmPromptHoldsTheModelAndAColdOneLetsItGo) {
  turn(kFirst, 1, 1);
  const Choice warm = turn(kSecondTurn, 0, 2);
  EXPECT_EQ(warm.arm->label, "large") << "0.058 USD against 0.102: " << warm.reason;
  EXPECT_NE(warm.reason.find("100000 of 100000 prompt tokens warm"), std::string::npos)
      << warm.reason;
  EXPECT_EQ(sessions_.stats().held, 1u);
  const Choice cold = turn(kSecondTurn, 0, 2 + 400);
  EXPECT_EQ(cold.arm->label, "small") << "after five minutes nothing is warm: " << cold.reason;
  EXPECT_EQ(sessions_.stats().left, 1u);
}

TEST_F(HoldTest, AHostThatWasSeenToCacheNothingHoldsNobody) {
  turn(kFirst, 1, 1);
  cached_tokens_ = 0;  // of 100,000 that should have been there
  EXPECT_EQ(turn(kSecondTurn, 0, 2).arm->label, "large") << "nobody knows yet";
  EXPECT_EQ(turn(kSecondTurn, 0, 3).arm->label, "small") << "nothing is warm there";
}

TEST_F(HoldTest, SessionsOfTwoKeysNeverMeet) {
  turn(kFirst, 1, 1, "mine", "alice");
  EXPECT_EQ(turn(kTool, 0, 2, "mine", "bob").reason, "the policy's");
  EXPECT_EQ(turn(kTool, 0, 2, "mine", "alice").arm->label, "large");
}

TEST_F(HoldTest, ANamedSessionGoesOnWithoutAHistory) {
  turn(kFirst, 1, 1, "s-1");
  EXPECT_EQ(turn(kFirst, 0, 2, "s-1").arm->label, "large");
}

TEST_F(HoldTest, APinnedArmIsNotHeldButRemembered) {
  turn(kFirst, 0, 1);
  is_pinned_ = true;
  EXPECT_EQ(turn(kTool, 1, 2).reason, "the policy's");
  is_pinned_ = false;
  EXPECT_EQ(turn(kTool, 0, 3).arm->label, "large");
}

TEST_F(HoldTest, AnArmBelowTheTargetIsNotHeld) {
  policy_ = "target_quality";
  parameter_ = 0.85;
  quality_[1] = 0.8;
  turn(kFirst, 1, 1);
  EXPECT_EQ(turn(kSecondTurn, 0, 2).reason, "the policy's");
  quality_[1] = 0.9;
  turn(kFirst, 1, 3, "b");
  EXPECT_EQ(turn(kSecondTurn, 0, 4, "b").arm->label, "large") << "it keeps the target, and is warm";
}

TEST_F(HoldTest, PoliciesWithoutMoneyKeepTheirChoiceButNotPastALock) {
  policy_ = "threshold";
  parameter_ = 0.5;
  turn(kFirst, 1, 1);
  EXPECT_EQ(turn(kSecondTurn, 0, 2).reason, "the policy's");
  turn(kFirst, 1, 3);
  EXPECT_EQ(turn(kTool, 0, 4).arm->label, "large");
}

TEST_F(HoldTest, AFailedTurnIsNoTurn) {
  body_ = std::string(R"({"messages":[)") + kFirst + "]}";
  wire::Request request;
  request.root = *json::parse(body_);
  Choice choice = turn(kFirst, 0, 1, "other-session");
  SessionHold hold;
  hold.apply(&sessions_, request, "", "", false, kSecond, choice);
  state::DecisionIdSource ids{1};
  state::RequestRecord record = state::testing::answered(ids);
  record.outcome = state::Outcome::kUpstreamError;
  hold.note(record, kSecond);
  EXPECT_EQ(turn(kTool, 1, 2).reason, "the policy's");
}

}  // namespace
}  // namespace rung::gateway
