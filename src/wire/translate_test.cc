#include <gtest/gtest.h>

#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::wire {
namespace {

Outgoing outgoing(Dialect client, const std::string& body, Target target) {
  const auto request = parse_request(client, body);
  EXPECT_TRUE(request) << request.error().message;
  auto out = make_outgoing(*request, body, target);
  EXPECT_TRUE(out) << out.error().message;
  EXPECT_TRUE(json::parse(out->body)) << out->body;
  return *std::move(out);
}

Outgoing to_chat(const std::string& body, Target target = {.model = "m"}) {
  target.dialect = Dialect::kChat;
  return outgoing(Dialect::kMessages, body, target);
}
Outgoing to_messages(const std::string& body, Target target = {.model = "m"}) {
  target.dialect = Dialect::kMessages;
  return outgoing(Dialect::kChat, body, target);
}
using Names = std::vector<std::string>;

TEST(MessagesToChat, CarriesAConversationWithToolsAndImages) {
  const Outgoing out = to_chat(R"({"model":"auto","max_tokens":99,"temperature":1.0,"stream":true,
    "system":[{"type":"text","text":"be \u00e9"},{"type":"text","text":"brief"}],"stop_sequences":["X"],
    "messages":[
     {"role":"user","content":[{"type":"text","text":"look"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
      {"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},
     {"role":"assistant","content":[{"type":"text","text":"ok"},
      {"type":"tool_use","id":"t1","name":"read","input":{"n":1.0}},
      {"type":"tool_use","id":"t2","name":"read","input":{}}]},
     {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","content":"one"},
      {"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"two"},
       {"type":"image","source":{"type":"base64","media_type":"image/gif","data":"Zw=="}}]},
      {"type":"text","text":"go on"}]}],
    "tools":[{"name":"read","description":"d","input_schema":{"type":"object"}}],
    "tool_choice":{"type":"any","disable_parallel_tool_use":true},
    "metadata":{"user_id":"u"}})");
  EXPECT_EQ(
      out.body,
      R"({"model":"m","messages":[{"role":"system","content":"be \u00e9\n\nbrief"},)"
      R"({"role":"user","content":[{"type":"text","text":"look"},)"
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},)"
      R"({"type":"image_url","image_url":{"url":"https://x/y.png"}}]},)"
      R"({"role":"assistant","content":"ok","tool_calls":[)"
      R"({"id":"t1","type":"function","function":{"name":"read","arguments":"{\"n\":1.0}"}},)"
      R"({"id":"t2","type":"function","function":{"name":"read","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"t1","content":"one"},)"
      R"({"role":"tool","tool_call_id":"t2","content":"two"},)"
      R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,Zw=="}},)"
      R"({"type":"text","text":"go on"}]}],)"
      R"("max_tokens":99,"temperature":1.0,"stop":["X"],)"
      R"("tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"}}}],)"
      R"("tool_choice":"required","parallel_tool_calls":false,"user":"u",)"
      R"("stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(out.dropped, Names{});
}

TEST(MessagesToChat, ReportsWhatIsLost) {
  const Outgoing out = to_chat(R"({"model":"a","max_tokens":9,"top_k":5,"x_own":1,
    "thinking":{"type":"enabled","budget_tokens":2000},
    "messages":[{"role":"user","content":[{"type":"text","text":"q","cache_control":{"type":"ephemeral"}}]},
     {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}]},
     {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true}]},
     {"role":"assistant","content":"{"}],
    "tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"f","input_schema":{}}]})");
  EXPECT_EQ(out.dropped, (Names{"thinking", "redacted_thinking", "tool_result.is_error", "prefill",
                                "top_k", "x_own", "tools.web_search_20250305", "cache_control"}));
}

TEST(MessagesToChat, ReportsPicturesAndTextsThatHoldNothing) {
  const auto request = parse_request(
      Dialect::kMessages,
      R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"},)"
      R"({"type":"text","text":7},{"type":"text","text":"hi"}]}]})");
  ASSERT_TRUE(request) << request.error().message;
  const auto made = make_outgoing(*request, "", {.dialect = Dialect::kChat, .model = "m"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->dropped, (std::vector<std::string>{"content.image", "content.text"}));
}

TEST(MessagesToChat, SendsReasoningBackOnlyWhereItIsTaken) {
  const std::string body = R"({"model":"a","messages":[{"role":"user","content":"q"},
     {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"tool_use","id":"t","name":"f","input":{}}]}]})";
  EXPECT_NE(to_chat(body, {.model = "m", .takes_reasoning = true})
                .body.find(R"("content":null,"reasoning_content":"hm","tool_calls")"),
            std::string::npos);
}

TEST(MessagesToChat, NamesEffortAndSchemaAsTheModelKnowsThem) {
  const Names efforts{"low", "high"};
  const auto with = [&](std::string_view fields) {
    return to_chat(R"({"model":"a","messages":[{"role":"user","content":"q"}],"max_tokens":5,)" +
                       std::string(fields) + "}",
                   {.model = "m", .efforts = efforts, .max_completion_tokens = true})
        .body;
  };
  EXPECT_NE(with(R"("output_config":{"effort":"max"})").find(R"("reasoning_effort":"high")"),
            std::string::npos);
  EXPECT_NE(with(R"("thinking":{"type":"enabled","budget_tokens":2000})")
                .find(R"("max_completion_tokens":5,"reasoning_effort":"low")"),
            std::string::npos);
  EXPECT_EQ(with(R"("thinking":{"type":"disabled"})").find("effort"), std::string::npos);
  EXPECT_NE(
      with(R"("output_config":{"format":{"type":"json_schema","schema":{"a":1.0}}})")
          .find(
              R"("response_format":{"type":"json_schema","json_schema":{"name":"output","schema":{"a":1.0},"strict":true}})"),
      std::string::npos);
}

TEST(ChatToMessages, CarriesAConversationWithToolsAndImages) {
  const Outgoing out = to_messages(R"({"model":"auto","max_completion_tokens":99,"stream":true,
    "messages":[{"role":"system","content":"be \u00e9"},{"role":"developer","content":[{"type":"text","text":"brief",
      "cache_control":{"type":"ephemeral"}}]},
     {"role":"user","content":[{"type":"text","text":"look"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"auto"}},
      {"type":"image_url","image_url":{"url":"https://x/y.png"}},
      {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,UA=="}}]},
     {"role":"assistant","content":"","tool_calls":[
      {"id":"functions.read:0","type":"function","function":{"name":"read","arguments":"{\"n\":1.0}"}},
      {"id":"c2","type":"function","function":{"name":"read","arguments":""}}]},
     {"role":"tool","tool_call_id":"functions.read:0","content":"one"},
     {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"two"}]},
     {"role":"user","content":"go on"}],
    "tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"},"strict":true}},
      {"type":"function","function":{"name":"now"}}],
    "tool_choice":{"type":"function","function":{"name":"read"}},"parallel_tool_calls":false,
    "stop":"X","user":"u","n":1,"frequency_penalty":0,"logprobs":false})");
  EXPECT_EQ(
      out.body,
      R"({"model":"m","max_tokens":99,"system":[{"type":"text","text":"be \u00e9"},)"
      R"({"type":"text","text":"brief","cache_control":{"type":"ephemeral"}}],)"
      R"("messages":[{"role":"user","content":[{"type":"text","text":"look"},)"
      R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},)"
      R"({"type":"image","source":{"type":"url","url":"https://x/y.png"}},)"
      R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"UA=="},"title":"a.pdf"}]},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"functions_read_0","name":"read","input":{"n":1.0}},)"
      R"({"type":"tool_use","id":"c2","name":"read","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_read_0","content":"one"},)"
      R"({"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"two"}]}]},)"
      R"({"role":"user","content":"go on"}],)"
      R"("tools":[{"name":"read","description":"d","input_schema":{"type":"object"},"strict":true},)"
      R"({"name":"now","input_schema":{"type":"object","properties":{}}}],)"
      R"("stop_sequences":["X"],"metadata":{"user_id":"u"},)"
      R"("tool_choice":{"type":"tool","name":"read","disable_parallel_tool_use":true},"stream":true})");
  EXPECT_EQ(out.dropped, Names{});
}

TEST(ChatToMessages, ReportsWhatIsLostAndGivesTheLimitThatAnthropicRequires) {
  const Outgoing out =
      to_messages(R"({"model":"a","temperature":1.5,"seed":7,"top_logprobs":3,"logprobs":true,
    "response_format":{"type":"json_object"},"logit_bias":{},"presence_penalty":0.5,
    "messages":[{"role":"user","content":"q","name":"bob"},
     {"role":"assistant","content":"a","reasoning_content":"hm"},{"role":"assistant","content":""},
     {"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{oops"}}]},
     {"role":"system","content":"late"}]})");
  EXPECT_EQ(out.dropped,
            (Names{"messages.name", "reasoning_content", "messages.empty", "tool_calls.arguments",
                   "messages.system.order", "temperature above 1", "seed", "top_logprobs",
                   "logprobs", "presence_penalty", "response_format"}));
  EXPECT_NE(out.body.find(R"("max_tokens":8192)"), std::string::npos);
  EXPECT_NE(out.body.find(R"("input":{"arguments":"{oops"})"), std::string::npos);
  EXPECT_NE(out.body.find(R"("temperature":1})"), std::string::npos) << out.body;
}

TEST(ChatToMessages, KeepsSignedThinkingAndAsksForEffortAndSchema) {
  const std::string body = R"({"model":"a","max_tokens":4000,"reasoning_effort":"minimal",
    "messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a","reasoning_content":"hm",
     "thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"sig"}]},{"role":"user","content":"r"}],
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"x":1.0},"strict":true}}})";
  const Outgoing out = to_messages(body);
  EXPECT_EQ(out.dropped, Names{});
  EXPECT_NE(
      out.body.find(
          R"("content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"a"}])"),
      std::string::npos);
  EXPECT_NE(
      out.body.find(
          R"("thinking":{"type":"adaptive"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"x":1.0}}}})"),
      std::string::npos)
      << out.body;
  const Outgoing budget = to_messages(body, {.model = "m", .thinking = Thinking::kBudget});
  EXPECT_NE(budget.body.find(R"("thinking":{"type":"enabled","budget_tokens":1024})"),
            std::string::npos)
      << budget.body;
}

TEST(ChatToMessages, AnEffortThatTheRestRulesOutIsReported) {
  const Outgoing out = to_messages(
      R"({"model":"a","reasoning_effort":"high","messages":[{"role":"user","content":"q"},
      {"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c","content":"r"}]})",
      {.model = "m", .thinking = Thinking::kBudget});
  EXPECT_EQ(out.dropped, Names{"reasoning_effort"});
  EXPECT_EQ(out.body.find("thinking"), std::string::npos);
}

TEST(ChatToMessages, WhatCannotBeCarriedAtAllIsRefused) {
  for (const char* field :
       {R"("n":2)", R"("modalities":["audio"])", R"("functions":[{"name":"f"}])"}) {
    const std::string body =
        R"({"model":"a","messages":[{"role":"user","content":"q"}],)" + std::string(field) + "}";
    const auto request = parse_request(Dialect::kChat, body);
    ASSERT_TRUE(request);
    EXPECT_NE(why_not(*request, Dialect::kMessages), "") << body;
    EXPECT_EQ(why_not(*request, Dialect::kChat), "") << body;
    EXPECT_EQ(make_outgoing(*request, body, {.dialect = Dialect::kMessages}).error().code,
              ErrorCode::kUnsupported);
  }
}

TEST(ChatToMessages, FreeTextToolsAreToolsWithOneText) {
  const std::string body = R"({"model":"a","messages":[{"role":"user","content":"q"},
    {"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"sh","input":"ls"}}]},
    {"role":"tool","tool_call_id":"c","content":"x"}],
    "tools":[{"type":"custom","custom":{"name":"sh","description":"d"}}]})";
  const Outgoing out = to_messages(body);
  EXPECT_NE(out.body.find(R"("name":"sh","input":{"input":"ls"})"), std::string::npos) << out.body;
  const auto request = parse_request(Dialect::kChat, body);
  Names dropped;
  const auto reply = translate_reply(
      *request, {.upstream = Dialect::kMessages},
      R"({"id":"i","model":"m","content":[{"type":"tool_use","id":"t","name":"sh","input":{"input":"a\"b"}}],
          "stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}})",
      dropped);
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->find(R"({"id":"t","type":"custom","custom":{"name":"sh","input":"a\"b"}})"),
            std::string::npos)
      << *reply;
}

TEST(MessagesToChat, LeavesOutTheBlockThatChangesWithEveryRequest) {
  const Outgoing out = to_chat(
      R"({"model":"m","messages":[{"role":"user","content":"q"}],"system":[
      {"type":"text","text":"x-anthropic-billing-header: cch=1"},{"type":"text","text":"be brief"}]})");
  EXPECT_NE(out.body.find(R"({"role":"system","content":"be brief"})"), std::string::npos);
  EXPECT_EQ(out.dropped, Names{"system.x-anthropic-billing-header"});
}

}  // namespace
}  // namespace rung::wire
