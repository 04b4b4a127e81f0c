#include "wire/reply_check.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace rung::wire {
namespace {

Opening chat(const std::string& choice, const std::string& more = "") {
  return read_opening(Dialect::kChat, R"({"model":"m","choices":[)" + choice + "]" + more + "}")
      .kind;
}

TEST(ReadOpening, TellsContentOfAChatStreamFromItsBeginning) {
  EXPECT_EQ(chat(R"({"delta":{"role":"assistant","content":""},"finish_reason":null})"),
            Opening::kNothing);
  EXPECT_EQ(chat(R"({"delta":{"role":"assistant","content":null,"tool_calls":[]}})"),
            Opening::kNothing);
  EXPECT_EQ(chat("", R"(,"usage":{"prompt_tokens":1})"), Opening::kNothing);
  EXPECT_EQ(chat(R"({"delta":{"content":"H"}})"), Opening::kContent);
  EXPECT_EQ(chat(R"({"delta":{"reasoning_content":"Hm"}})"), Opening::kContent);
  EXPECT_EQ(chat(R"({"delta":{"tool_calls":[{"index":0}]}})"), Opening::kContent);
  EXPECT_EQ(chat(R"({"delta":{"content":"H"},"finish_reason":"stop"})"), Opening::kContent);
  EXPECT_EQ(chat(R"({"text":"H"})"), Opening::kContent) << "legacy completions";
  EXPECT_EQ(read_opening(Dialect::kChat, "{half").kind, Opening::kMalformed);
}

TEST(ReadOpening, TellsWhyAChatStreamEndedWithoutContent) {
  const auto stop =
      read_opening(Dialect::kChat, R"({"choices":[{"delta":{},"finish_reason":"stop"}]})");
  EXPECT_EQ(stop.kind, Opening::kEnd);
  EXPECT_TRUE(stop.stopped);
  const auto length =
      read_opening(Dialect::kChat, R"({"choices":[{"delta":{},"finish_reason":"length"}]})");
  EXPECT_EQ(length.kind, Opening::kEnd);
  EXPECT_FALSE(length.stopped);
  EXPECT_EQ(read_opening(Dialect::kChat, "[DONE]").kind, Opening::kEnd);
}

TEST(ReadOpening, GivesAnErrorEventTheStatusThatItWouldHaveHad) {
  const auto status = [](const std::string& error) {
    const auto event = read_opening(Dialect::kChat, R"({"error":)" + error + "}");
    return event.kind == Opening::kError ? event.status : 0;
  };
  EXPECT_EQ(status(R"({"code":502,"message":"x"})"), 502);
  EXPECT_EQ(status(R"({"type":"rate_limit_error","code":null})"), 429);
  EXPECT_EQ(status(R"({"type":"invalid_request_error"})"), 400);
  EXPECT_EQ(status(R"({"code":"context_length_exceeded"})"), 400);
  EXPECT_EQ(status(R"("boom")"), 500);
  EXPECT_EQ(
      read_opening(Dialect::kMessages, R"({"type":"error","error":{"type":"overloaded_error"}})")
          .status,
      529);
  EXPECT_EQ(
      read_opening(Dialect::kResponses,
                   R"({"type":"response.failed","response":{"error":{"code":"server_error"}}})")
          .status,
      500);
  EXPECT_EQ(
      read_opening(Dialect::kResponses, R"({"type":"error","code":"rate_limit_exceeded"})").status,
      429);
}

TEST(ReadOpening, KnowsTheOtherDialects) {
  const auto messages = [](const char* data) { return read_opening(Dialect::kMessages, data); };
  EXPECT_EQ(messages(R"({"type":"message_start","message":{"model":"claude"}})").model, "claude");
  EXPECT_EQ(messages(R"({"type":"ping"})").kind, Opening::kNothing);
  EXPECT_EQ(
      messages(R"({"type":"content_block_start","content_block":{"type":"text","text":""}})").kind,
      Opening::kNothing);
  EXPECT_EQ(
      messages(R"({"type":"content_block_start","content_block":{"type":"tool_use","id":"t"}})")
          .kind,
      Opening::kContent);
  EXPECT_EQ(
      messages(R"({"type":"content_block_delta","delta":{"type":"text_delta","text":"H"}})").kind,
      Opening::kContent);
  EXPECT_TRUE(messages(R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})").stopped);
  const auto responses = [](const char* data) { return read_opening(Dialect::kResponses, data); };
  EXPECT_EQ(responses(R"({"type":"response.created","response":{"model":"gpt"}})").model, "gpt");
  EXPECT_EQ(responses(R"({"type":"response.output_text.delta","delta":"H"})").kind,
            Opening::kContent);
  EXPECT_EQ(responses(R"({"type":"response.completed","response":{"output":[]}})").kind,
            Opening::kEnd);
}

TEST(CheckReply, FindsWhatIsNoAnswer) {
  const auto check = [](const char* body) { return check_reply(Dialect::kChat, body); };
  EXPECT_TRUE(check("this is not JSON").is_malformed);
  EXPECT_TRUE(check("[]").is_malformed);
  EXPECT_TRUE(check(R"({"choices":[]})").is_empty);
  EXPECT_TRUE(check("{}").is_empty);
  EXPECT_TRUE(
      check(R"({"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]})")
          .is_empty);
  EXPECT_TRUE(check(R"({"choices":[{"message":{"role":"assistant","content":null}}]})").is_empty);
  EXPECT_FALSE(
      check(R"({"choices":[{"message":{"content":"H"},"finish_reason":"stop"}]})").is_empty);
  EXPECT_FALSE(check(R"({"choices":[{"message":{"content":null,"tool_calls":[{}]}}]})").is_empty);
  EXPECT_FALSE(
      check(R"({"choices":[{"message":{"content":""},"finish_reason":"length"}]})").is_empty)
      << "it says why there is nothing: another try would say the same";
  EXPECT_EQ(check(R"({"error":{"code":503}})").error_status, 503);
  EXPECT_EQ(check(R"({"model":"m","error":null,"choices":[{"message":{"content":"H"}}]})").model,
            "m");
  EXPECT_TRUE(
      check_reply(Dialect::kMessages, R"({"content":[],"stop_reason":"end_turn"})").is_empty);
  EXPECT_FALSE(check_reply(Dialect::kMessages,
                           R"({"content":[{"type":"tool_use"}],"stop_reason":"tool_use"})")
                   .is_empty);
  EXPECT_TRUE(check_reply(Dialect::kResponses, R"({"status":"completed","output":[]})").is_empty);
  EXPECT_FALSE(check_reply(Dialect::kResponses, R"({"status":"incomplete","output":[]})").is_empty);
  EXPECT_TRUE(check_reply(Dialect::kEmbeddings, R"({"data":[]})").is_empty);
  EXPECT_FALSE(check_reply(Dialect::kEmbeddings, R"({"data":[{"embedding":[1]}]})").is_empty);
}

TEST(ServedModel, MayHaveAPrefixOrAnEndingButNotAnotherName) {
  EXPECT_TRUE(is_model_asked("gpt-5.1", "gpt-5.1-2025-11-13"));
  EXPECT_TRUE(is_model_asked("openai/gpt-5.1", "GPT-5.1"));
  EXPECT_TRUE(is_model_asked("qwen3:8b", "qwen3"));
  EXPECT_TRUE(is_model_asked("anything", ""));
  EXPECT_FALSE(is_model_asked("gpt-4", "gpt-4o"));
  EXPECT_FALSE(is_model_asked("claude-opus-4", "claude-haiku-4"));
  EXPECT_FALSE(is_model_asked("openai/", "gpt"));
}

TEST(ReplyCheck, ReadsAnyBytesOfAnyDialect) {
  Rng rng(11);
  const std::string base =
      R"({"type":"response.completed","model":"m","error":null,"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"content":[{"type":"text","text":""}],"response":{"output":[]}})";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = base.substr(0, rng.below(base.size() + 1));
    if (!text.empty()) text[rng.below(text.size())] = static_cast<char>(rng.below(128));
    for (const Dialect d :
         {Dialect::kChat, Dialect::kMessages, Dialect::kResponses, Dialect::kEmbeddings}) {
      const auto event = read_opening(d, text);
      const auto check = check_reply(d, text);
      EXPECT_TRUE(event.kind != Opening::kError || (event.status >= 400 && event.status < 600));
      EXPECT_TRUE(check.error_status == 0 ||
                  (check.error_status >= 400 && check.error_status < 600));
    }
  }
}

}  // namespace
}  // namespace rung::wire
