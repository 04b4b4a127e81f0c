#include <gtest/gtest.h>

#include "wire/error_reply.h"
#include "wire/exchange.h"
#include "wire/openai_chat.h"

namespace rung::wire {
namespace {

TEST(ChatRequest, RoutesOnTheLastUserMessageAndTheTools) {
  const std::string body = R"({"model":"auto","messages":[
    {"role":"system","content":"be brief"},{"role":"user","content":"old"},{"role":"assistant","content":null,
     "tool_calls":[{"id":"1"}]},{"role":"user","content":[{"type":"text","text":"add"},{"type":"text","text":"2"},
     {"type":"image_url","image_url":{"url":"data:x"}}]},{"role":"tool","content":"4"}],
    "tools":[{"type":"function","function":{"name":"sum","description":"adds","parameters":
     {"type":"object","properties":{"a":{},"b":{}}}}}],"stream":true,"stream_options":{"include_usage":true},
    "max_tokens":5,"n":2,"response_format":{"type":"json_schema"},"reasoning_effort":"low"})";
  const auto request = parse_chat_request(body);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->prompt, "add\n2\n\nTools:\n- sum(a, b): adds");
  EXPECT_EQ(request->model, "auto");
  EXPECT_TRUE(request->stream && request->wants_usage && request->has_tools && request->has_images);
  EXPECT_TRUE(request->has_json_schema);
  EXPECT_FALSE(request->has_audio);
  EXPECT_EQ(request->max_tokens, 5);
  EXPECT_EQ(request->choices, 2);
  EXPECT_EQ(request->effort, "low");
}

TEST(ChatRequest, TakesEmptyTextAndDuplicateKeysAndLoneSurrogates) {
  for (const char* body :
       {R"({"model":"m","messages":[{"role":"user","content":""}]})",
        R"({"model":"a","model":"m","messages":[{"role":"developer","content":"\ud83d"}]})",
        R"({"model":"m","messages":[{"role":"user"}],"stream":null,"tools":[]})"}) {
    const auto request = parse_chat_request(body);
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->model, "m");
    EXPECT_FALSE(request->stream || request->has_tools);
  }
}

TEST(ChatRequest, RefusalsNameTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":7,"messages":[]})", "model"},
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":"hi"})", "messages"},
      {R"({"model":"m","messages":["hi"]})", "messages[0]"},
      {R"({"model":"m","messages":[{"content":"x"}]})", "messages[0].role"},
      {R"({"model":"m","messages":[{"role":"user","content":7}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"})", "stream"}};
  for (const auto& [body, field] : cases) {
    const auto request = parse_chat_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().field, field) << request.error().message;
    EXPECT_EQ(error_reply(request.error().code).status, 400);
  }
  EXPECT_EQ(parse_chat_request("{\"model\":").error().code, ErrorCode::kInvalidJson);
  EXPECT_EQ(parse_chat_request("[]").error().code, ErrorCode::kInvalidArgument);
}

TEST(ChatEdits, TouchOnlyTheirFields) {
  const std::string body =
      R"({"seed":9007199254740993,"model":"auto","messages":[{"role":"user","content":"\ud83d"}],"x":1e21})";
  const auto request = parse_chat_request(body);
  EXPECT_EQ(
      edit_chat_request(*request, body, {.model = "gpt \"x\""}),
      R"({"seed":9007199254740993,"model":"gpt \"x\"","messages":[{"role":"user","content":"\ud83d"}],"x":1e21})");
  EXPECT_EQ(edit_chat_request(*request, body, {}), body);
  const std::string streaming =
      R"({"model":"a","messages":[{"role":"user"}],"stream_options":{"k":1}})";
  EXPECT_EQ(
      edit_chat_request(*parse_chat_request(streaming), streaming,
                        {.effort = "low", .ask_usage = true}),
      R"({"model":"a","messages":[{"role":"user"}],"stream_options":{"k":1,"include_usage":true},)"
      R"("reasoning_effort":"low"})");
}

TEST(Usage, UnknownIsNotZero) {
  const auto reply = read_reply(
      Dialect::kChat,
      R"({"model":"m-1","usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":3}}})");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->model, "m-1");
  EXPECT_EQ(reply->usage->prompt_tokens, 9);
  EXPECT_EQ(reply->usage->cached_tokens, 3);
  EXPECT_FALSE(reply->usage->completion_tokens);
  EXPECT_FALSE(read_reply(Dialect::kChat, R"({"usage":null})")->usage);
  EXPECT_FALSE(read_reply(Dialect::kChat, "<html>"));
}

TEST(ChatChunk, TellsUsageOnlyChunksFromContent) {
  EXPECT_TRUE(read_chat_chunk("[DONE]").is_done);
  EXPECT_TRUE(read_chat_chunk(R"({"choices":[{"delta":{"content":"hi"}}]})").has_choices);
  const auto usage =
      read_chat_chunk(R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  EXPECT_FALSE(usage.has_choices);
  EXPECT_EQ(usage.usage->completion_tokens, 2);
  const auto both = read_chat_chunk(R"({"choices":[{"index":0}],"usage":{"prompt_tokens":1}})");
  EXPECT_TRUE(both.has_choices && both.usage);
  EXPECT_FALSE(read_chat_chunk(R"({"choices":[{"index":0}],"usage":null})").usage);
  EXPECT_TRUE(read_chat_chunk(R"({"error":{"message":"x"}})").is_error);
  EXPECT_TRUE(
      read_chat_chunk(R"({"choices":[{"delta":{"content":"the \"error\" word"}}]})").has_choices);
}

TEST(ErrorBody, IsWhatOpenAiClientsParse) {
  EXPECT_EQ(
      openai_error_body(Error{ErrorCode::kInvalidArgument, "model: found nothing", "model"}),
      R"({"error":{"message":"model: found nothing","type":"invalid_request_error","param":"model","code":null}})");
}

}  // namespace
}  // namespace rung::wire
