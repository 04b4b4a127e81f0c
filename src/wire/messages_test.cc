#include <gtest/gtest.h>

#include "wire/anthropic_messages.h"
#include "wire/error_reply.h"
#include "wire/exchange.h"
#include "wire/stream_relay.h"
#include "wire/thinking.h"

namespace rung::wire {
namespace {

TEST(MessagesRequest, RoutesOnTheLastWordsOfTheUserAndTheTools) {
  const std::string body = R"({"model":"claude[1m]","max_tokens":100,"stream":true,
    "system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}],
    "messages":[{"role":"user","content":"old"},
     {"role":"user","content":[{"type":"text","text":"read"},{"type":"text","text":"it"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]},
     {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"tool_use","id":"t1","name":"read","input":{}}]},
     {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"text of the file"}]}],
    "tools":[{"name":"read","description":"reads","input_schema":{"properties":{"path":{}}}}],
    "output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}}})";
  const auto request = parse_messages_request(body);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->model, "claude");
  EXPECT_EQ(request->prompt, "read\nit\n\nTools:\n- read(path): reads");
  EXPECT_TRUE(request->stream && request->has_tools && request->has_images);
  EXPECT_TRUE(request->has_json_schema);
  EXPECT_FALSE(request->has_foreign_thinking);
  EXPECT_EQ(request->effort, "low");
  EXPECT_EQ(request->max_tokens, 100);
  EXPECT_EQ(request->only_native, "");
}

TEST(MessagesRequest, SaysWhatOnlyAnthropicCanDo) {
  const auto why = [](std::string_view rest) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":"x"}],)" + std::string(rest) + "}";
    const auto request = parse_messages_request(body);
    EXPECT_TRUE(request) << body;
    return why_not(*request, Dialect::kChat);
  };
  EXPECT_EQ(why(R"("tools":[{"type":"web_search_20250305","name":"web_search"}])"),
            "tools[0] is of type web_search_20250305, which Chat Completions has no form for");
  EXPECT_EQ(why(R"("tools":[{"type":"web_search_20250305","name":"w"},{"name":"f"}])"), "");
  EXPECT_NE(why(R"("container":"c")"), "");
  EXPECT_EQ(why(R"("mcp_servers":[])"), "");
}

TEST(MessagesRequest, RefusalsNameTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":[7]})", "messages[0]"},
      {R"({"model":"m","messages":[{"content":"x"}]})", "messages[0].role"},
      {R"({"model":"m","messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":[7]}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"system":7})", "system"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":1})", "stream"}};
  for (const auto& [body, field] : cases) {
    const auto request = parse_messages_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().field, field) << request.error().message;
  }
}

TEST(MessagesEdits, TouchOnlyModelAndEffort) {
  const std::string body =
      R"({ "max_tokens":4000, "model":"auto","messages":[{"role":"user","content":"\ud83d"}],"x":1e21})";
  const auto request = parse_messages_request(body);
  EXPECT_EQ(
      edit_messages_request(*request, body, {.model = "claude-9"}).body,
      R"({ "max_tokens":4000, "model":"claude-9","messages":[{"role":"user","content":"\ud83d"}],"x":1e21})");
  EXPECT_EQ(edit_messages_request(*request, body, {.model = "auto"}).body, body);
  EXPECT_EQ(
      edit_messages_request(*request, body, {.model = "auto", .effort = "high"}).body,
      R"({ "max_tokens":4000, "model":"auto","messages":[{"role":"user","content":"\ud83d"}],"x":1e21,)"
      R"("thinking":{"type":"adaptive"},"output_config":{"effort":"high"}})");
  EXPECT_EQ(
      edit_messages_request(*request, body,
                            {.model = "auto", .effort = "high", .thinking = Thinking::kBudget})
          .body,
      R"({ "max_tokens":4000, "model":"auto","messages":[{"role":"user","content":"\ud83d"}],"x":1e21,)"
      R"("thinking":{"type":"enabled","budget_tokens":2000}})");
}

TEST(MessagesEdits, ReportAnEffortThatTheRequestRulesOut) {
  const std::string body =
      R"({"model":"m","max_tokens":1000,"messages":[{"role":"user","content":"x"}]})";
  const auto request = parse_messages_request(body);
  const Outgoing out = edit_messages_request(
      *request, body, {.model = "m", .effort = "low", .thinking = Thinking::kBudget});
  EXPECT_EQ(out.body, body);
  EXPECT_EQ(out.dropped, std::vector<std::string>{"effort"});
}

TEST(MessagesEdits, TakeOutThinkingThatWeSigned) {
  const std::string body =
      R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[)"
      R"({"type":"thinking","thinking":"a","signature":"rung:unsigned"},{"type":"text","text":"1.0"}]},)"
      R"({"role":"assistant","content":[{"type":"thinking","thinking":"b","signature":"rung:unsigned"}]},)"
      R"({"role":"assistant","content":[{"type":"thinking","thinking":"c","signature":"real"}]}]})";
  const auto request = parse_messages_request(body);
  ASSERT_TRUE(request->has_foreign_thinking);
  EXPECT_EQ(
      edit_messages_request(*request, body, {.model = "m"}).body,
      R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[)"
      R"({"type":"text","text":"1.0"}]},)"
      R"({"role":"assistant","content":[{"type":"thinking","thinking":"c","signature":"real"}]}]})");
}

TEST(MessagesUsage, CountsCacheReadsAndWritesAsPrompt) {
  const auto reply =
      read_reply(Dialect::kMessages,
                 R"({"model":"m","usage":{"input_tokens":10,"cache_read_input_tokens":200,
          "cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":20,
          "ephemeral_5m_input_tokens":10},"output_tokens":7}})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->usage->prompt_tokens, 240);
  EXPECT_EQ(reply->usage->cached_tokens, 200);
  EXPECT_EQ(reply->usage->cache_write_tokens, 30);
  EXPECT_EQ(reply->usage->cache_write_1h_tokens, 20);
  EXPECT_EQ(reply->usage->completion_tokens, 7);
  EXPECT_FALSE(read_reply(Dialect::kMessages, R"({"usage":{}})")->usage->prompt_tokens);
}

StreamEvent event(std::string_view name, std::string_view data) {
  return {.raw = data, .name = name, .data = data, .has_data = true};
}

TEST(MessagesStream, PassesAndCounts) {
  Request request;
  request.dialect = Dialect::kMessages;
  const auto relay = make_stream_relay(request, {.upstream = Dialect::kMessages});
  std::string out;
  relay->take(
      event("message_start",
            R"({"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}})"),
      out);
  EXPECT_EQ(relay->facts().usage->prompt_tokens, 9);
  EXPECT_FALSE(relay->facts().usage->completion_tokens);  // only its beginning
  relay->take(event("", R"({"type":"content_block_delta","index":0})"), out);
  relay->take(event("ping", "{}"), out);
  EXPECT_FALSE(relay->facts().is_whole);
  relay->take(
      event("message_delta", R"({"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}})"),
      out);
  EXPECT_TRUE(relay->facts().is_whole);
  EXPECT_EQ(relay->facts().usage->prompt_tokens, 9);
  EXPECT_EQ(relay->facts().usage->completion_tokens, 5);
  EXPECT_EQ(relay->facts().usage->raw, R"({"input_tokens":9,"output_tokens":5})");
  EXPECT_EQ(relay->facts().produced, 1);
}

TEST(MessagesStream, AnErrorEventIsAnEnd) {
  Request request;
  request.dialect = Dialect::kMessages;
  const auto relay = make_stream_relay(request, {.upstream = Dialect::kMessages});
  std::string out;
  relay->take(event("error", R"({"type":"error","error":{"type":"overloaded_error"}})"), out);
  EXPECT_TRUE(relay->facts().has_error && relay->facts().is_whole);
  out.clear();
  relay->break_off({ErrorCode::kUpstream, "it broke"}, out);
  EXPECT_EQ(out,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"
            "\"it broke\"}}\n\n");
}

TEST(ErrorTranslation, KeepsTheSentence) {
  EXPECT_EQ(
      translate_error(Dialect::kMessages, 429,
                      R"({"error":{"message":"slow down","type":"x","code":"y"}})", "r1"),
      R"({"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"r1"})");
  EXPECT_EQ(translate_error(
                Dialect::kChat, 529,
                R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})", ""),
            R"({"error":{"message":"busy","type":"overloaded_error","param":null,"code":null}})");
  EXPECT_NE(translate_error(Dialect::kChat, 502, "<html>", "").find("status 502"),
            std::string::npos);
}

}  // namespace
}  // namespace rung::wire
