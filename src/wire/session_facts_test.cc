#include "wire/session_facts.h"

#include <gtest/gtest.h>

namespace rung::wire {
namespace {

SessionFacts facts_of(const std::string& text) {
  static std::string kept;  // the facts may point into it
  kept = text;
  const auto parsed = json::parse(kept);
  EXPECT_TRUE(parsed) << text;
  return parsed ? read_session_facts(*parsed) : SessionFacts{};
}

std::string chat(const std::string& messages, const std::string& more = {}) {
  return R"({"model":"auto",)" + more + R"("messages":[)" + messages + "]}";
}
const std::string kSystem = R"({"role":"system","content":"be brief"})";
const std::string kUser = R"({"role":"user","content":"hello"})";
const std::string kAnswer = R"({"role":"assistant","content":"hi"})";

TEST(SessionFacts, AConversationKeepsItsPrefixWhileItGrows) {
  const SessionFacts first = facts_of(chat(kSystem + "," + kUser));
  const SessionFacts later = facts_of(
      chat(kSystem + "," + kUser + "," + kAnswer + R"(,{"role":"user","content":"and now?"})"));
  EXPECT_EQ(first.prefix, later.prefix);
  EXPECT_NE(first.prefix, 0u);
  EXPECT_FALSE(first.has_history);
  EXPECT_TRUE(later.has_history);
  EXPECT_NE(first.prefix, facts_of(chat(kUser)).prefix) << "other instructions are another one";
  EXPECT_NE(first.prefix,
            facts_of(chat(kSystem + "," + kUser, R"("prompt_cache_key":"a",)")).prefix);
}

TEST(SessionFacts, TheClientsOwnNameOfTheSessionComesFirst) {
  const SessionFacts own = facts_of(chat(kUser, R"("metadata":{"session_id":"s-1"},)"));
  EXPECT_EQ(own.id, "s-1");
  EXPECT_EQ(own.source, "metadata");
  const SessionFacts claude = facts_of(
      chat(kUser, R"("metadata":{"user_id":"user_ab12_account_77_session_6f9619ff-8b86"},)"));
  EXPECT_EQ(claude.id, "6f9619ff-8b86");
  EXPECT_EQ(session_of_user_id(R"({"device_id":"d","session_id":"s-2"})"), "s-2");
  EXPECT_EQ(session_of_user_id("user-123"), "") << "a person has many sessions";
  const SessionFacts conversation =
      facts_of(R"({"model":"m","input":"hi","conversation":{"id":"conv_1"}})");
  EXPECT_EQ(conversation.id, "conv_1");
}

TEST(SessionFacts, AToolsResultAtTheEndIsAnOpenCallInEveryDialect) {
  EXPECT_TRUE(
      facts_of(chat(kUser + R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"c"}]},)"
                            R"({"role":"tool","tool_call_id":"c","content":"42"})"))
          .tool_call_open);
  EXPECT_TRUE(
      facts_of(chat(kUser + R"(,{"role":"assistant","content":[{"type":"tool_use","id":"t"}]},)"
                            R"({"role":"user","content":[{"type":"tool_result"}]})"))
          .tool_call_open);
  EXPECT_TRUE(facts_of(R"({"input":[{"role":"user","content":"x"},{"type":"function_call"},)"
                       R"({"type":"function_call_output","output":"42"}]})")
                  .tool_call_open);
  EXPECT_FALSE(facts_of(chat(kUser + R"(,{"role":"tool","content":"42"},)" + kAnswer + "," + kUser))
                   .tool_call_open)
      << "the model has read it and answered";
}

TEST(SessionFacts, AToolsResultIsNotTheUsersFirstMessage) {
  const std::string result = R"({"role":"user","content":[{"type":"tool_result"}]})";
  EXPECT_EQ(facts_of(chat(result)).prefix, 0u);
}

TEST(SessionFacts, WhatOnlyItsProviderCanReadIsNamed) {
  EXPECT_EQ(facts_of(R"({"input":"x","previous_response_id":"resp_1"})").provider_state,
            "previous_response_id");
  EXPECT_EQ(facts_of(R"({"input":"x","previous_response_id":null})").provider_state, "");
  EXPECT_EQ(facts_of(chat(kUser + R"(,{"role":"assistant","content":[{"type":"thinking",)"
                                  R"("thinking":"hm","signature":"EqQ"}]})"))
                .provider_state,
            "a thinking signature");
  EXPECT_EQ(
      facts_of(R"({"input":[{"type":"reasoning","encrypted_content":"gAAA"}]})").provider_state,
      "encrypted reasoning");
  EXPECT_EQ(facts_of(chat(kUser + R"(,{"role":"assistant","tool_calls":[{"id":"c","extra_content":)"
                                  R"({"google":{"thought_signature":"x"}}}]})"))
                .provider_state,
            "a thought signature");
  EXPECT_EQ(facts_of(chat(R"({"role":"user","content":"my signature: encrypted_content"})"))
                .provider_state,
            "")
      << "words of a text are no state";
}

TEST(SessionFacts, OddShapesAreReadWithoutHarm) {
  for (const char* text :
       {"{}", R"({"messages":null})", R"({"messages":[1,"x",null,[]]})", R"({"messages":{}})",
        R"({"metadata":[],"input":7})", R"({"messages":[{"role":7,"content":[[]]}]})",
        R"({"metadata":{"user_id":"{"}})"}) {
    const SessionFacts facts = facts_of(text);
    EXPECT_EQ(facts.prefix, 0u) << text;
    EXPECT_EQ(facts.id, "") << text;
  }
}

}  // namespace
}  // namespace rung::wire
