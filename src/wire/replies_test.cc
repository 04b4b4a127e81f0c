#include <gtest/gtest.h>

#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::wire {
namespace {

using Names = std::vector<std::string>;

std::string reply_of(Dialect client, Dialect upstream, const std::string& body,
                     Names* dropped = nullptr) {
  Request request;
  request.dialect = client;
  request.root = json::Value{"{}"};
  Names own;
  const auto reply = translate_reply(request, {.upstream = upstream, .created = 77}, body,
                                     dropped != nullptr ? *dropped : own);
  EXPECT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(json::parse(*reply)) << *reply;
  return *reply;
}

TEST(Replies, OfAnthropicReachAChatClient) {
  Names dropped;
  EXPECT_EQ(
      reply_of(
          Dialect::kChat, Dialect::kMessages,
          R"({"id":"msg_1","model":"claude","content":[{"type":"thinking","thinking":"hm","signature":"sig"},
              {"type":"text","text":"a\u00e9","citations":[{}]},{"type":"tool_use","id":"t","name":"f","input":{"n":1.0}}],
              "stop_reason":"tool_use","usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":7}})",
          &dropped),
      R"({"id":"msg_1","object":"chat.completion","created":77,"model":"claude","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"a\u00e9","refusal":null,"reasoning_content":"hm",)"
      R"("thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"sig"}],)"
      R"("tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"n\":1.0}"}}]},)"
      R"("logprobs":null,"finish_reason":"tool_calls"}],)"
      R"("usage":{"prompt_tokens":15,"completion_tokens":7,"total_tokens":22,"prompt_tokens_details":{"cached_tokens":5}}})");
  EXPECT_EQ(dropped, Names{"citations"});
}

TEST(Replies, OfChatReachAnAnthropicClient) {
  EXPECT_EQ(
      reply_of(
          Dialect::kMessages, Dialect::kChat,
          R"({"id":"c1","model":"gpt","choices":[{"message":{"role":"assistant","content":"a\u00e9",
              "reasoning_content":"hm","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"n\":1.0}"}},
              {"id":"u","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"stop"}],
              "usage":{"prompt_tokens":15,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}})"),
      R"({"id":"c1","type":"message","role":"assistant","model":"gpt","content":[)"
      R"({"type":"thinking","thinking":"hm","signature":"rung:unsigned"},{"type":"text","text":"a\u00e9"},)"
      R"({"type":"tool_use","id":"t","name":"f","input":{"n":1.0}},{"type":"tool_use","id":"u","name":"g","input":{}}],)"
      R"("stop_reason":"tool_use","stop_sequence":null,)"
      R"("usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":7}})");
}

TEST(Replies, SayWhyTheyEnded) {
  const auto stop = [](std::string_view choice) {
    const std::string reply =
        reply_of(Dialect::kMessages, Dialect::kChat,
                 R"({"choices":[{"message":{"content":"x"},)" + std::string(choice) + "}]}");
    const auto root = json::parse(reply);
    return json::find(*root, "stop_reason")->text() + "/" +
           std::string(json::find(*root, "stop_sequence")->raw);
  };
  EXPECT_EQ(stop(R"("finish_reason":"stop")"), "end_turn/null");
  EXPECT_EQ(stop(R"("finish_reason":"length")"), "max_tokens/null");
  EXPECT_EQ(stop(R"("finish_reason":"content_filter")"), "refusal/null");
  EXPECT_EQ(stop(R"("finish_reason":"stop","stop_reason":"END")"), "stop_sequence/\"END\"");
}

TEST(Replies, ThatAreNoAnswersAreErrors) {
  Request request;
  request.dialect = Dialect::kMessages;
  request.root = json::Value{"{}"};
  Names dropped;
  for (const char* body : {"", "[]", "{}", R"({"choices":[]})", R"({"choices":[{}]})"})
    EXPECT_FALSE(translate_reply(request, {.upstream = Dialect::kChat}, body, dropped)) << body;
}

/// A whole stream through a relay; `data` of the upstream's events.
std::string streamed(Dialect client, Dialect upstream, const std::vector<std::string>& data,
                     StreamFacts* facts = nullptr, bool wants_usage = true) {
  Request request;
  request.dialect = client;
  request.wants_usage = wants_usage;
  request.root = json::Value{"{}"};
  const auto relay =
      make_stream_relay(request, {.upstream = upstream, .created = 77, .prompt_tokens = 33});
  std::string out;
  for (const std::string& text : data) {
    StreamEvent event;
    event.raw = event.data = text;
    event.has_data = true;
    relay->take(event, out);
  }
  relay->end("", out);
  if (facts != nullptr) *facts = relay->facts();
  return out;
}

std::string chat_data(std::string_view delta, std::string_view finish = "null") {
  return R"({"id":"c1","model":"gpt","choices":[{"index":0,"delta":)" + std::string(delta) +
         R"(,"finish_reason":)" + std::string(finish) + "}]}";
}

TEST(Streams, OfChatBecomeMessages) {
  StreamFacts facts;
  EXPECT_EQ(
      streamed(
          Dialect::kMessages, Dialect::kChat,
          {chat_data(R"({"role":"assistant","content":""})"),
           chat_data(R"({"reasoning_content":"hm"})"), chat_data(R"({"content":"a\u00e9"})"),
           chat_data(R"({"content":"b"})"),
           chat_data(
               R"({"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]})"),
           chat_data(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"n\":"}}]})"),
           chat_data(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})"),
           chat_data(
               R"({"tool_calls":[{"index":1,"id":"u","function":{"name":"g","arguments":"{}"}}]})"),
           chat_data("{}", R"("tool_calls")"),
           R"({"choices":[],"usage":{"prompt_tokens":15,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}})",
           "[DONE]"},
          &facts),
      R"(event: message_start
data: {"type":"message_start","message":{"id":"c1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":33,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"rung:unsigned"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a\u00e9"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"u","name":"g","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":7}}

event: message_stop
data: {"type":"message_stop"}

)");
  EXPECT_TRUE(facts.is_whole);
  EXPECT_FALSE(facts.has_error);
  EXPECT_EQ(facts.usage->prompt_tokens, 15);
  EXPECT_EQ(facts.produced, 9);
}

std::vector<std::string> messages_data(bool whole = true) {
  std::vector<std::string> data{
      R"({"type":"message_start","message":{"id":"m1","model":"claude","usage":{"input_tokens":9,"output_tokens":1}}})",
      R"({"type":"ping"})",
      R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})",
      R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})",
      R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}})",
      R"({"type":"content_block_stop","index":0})",
      R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})",
      R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a\u00e9"}})",
      R"({"type":"content_block_stop","index":1})",
      R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}})",
      R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}})",
      R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\":1}"}})",
      R"({"type":"content_block_stop","index":2})",
      R"({"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"u","name":"g","input":{}}})",
      R"({"type":"content_block_stop","index":3})"};
  if (whole) {
    data.emplace_back(
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}})");
    data.emplace_back(R"({"type":"message_stop"})");
  }
  return data;
}

TEST(Streams, OfMessagesBecomeChat) {
  StreamFacts facts;
  const std::string head =
      R"(data: {"id":"m1","object":"chat.completion.chunk","created":77,"model":"claude","choices":[{"index":0,"delta":)";
  const std::string none = R"(,"finish_reason":null}]})"
                           "\n\n";
  EXPECT_EQ(
      streamed(Dialect::kChat, Dialect::kMessages, messages_data(), &facts),
      head + R"({"role":"assistant","content":""})" + none + head +
          R"({"reasoning_content":"hm"})" + none + head +
          R"({"thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"sig"}]})" + none +
          head + R"({"content":"a\u00e9"})" + none + head +
          R"({"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]})" +
          none + head + R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"n\":1}"}}]})" +
          none + head +
          R"({"tool_calls":[{"index":1,"id":"u","type":"function","function":{"name":"g","arguments":""}}]})" +
          none + head + R"({"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]})" + none +
          head + R"({},"finish_reason":"tool_calls"}]})" + "\n\n" +
          R"(data: {"id":"m1","object":"chat.completion.chunk","created":77,"model":"claude","choices":[],)" +
          R"("usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}})" + "\n\n" +
          "data: [DONE]\n\n");
  EXPECT_EQ(facts.usage->completion_tokens, 7);
  EXPECT_EQ(
      streamed(Dialect::kChat, Dialect::kMessages, messages_data(), nullptr, false).find("usage"),
      std::string::npos);
}

TEST(Streams, SayInACommentWhatTheyCannotCarry) {
  const std::string out = streamed(
      Dialect::kChat, Dialect::kMessages,
      {R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}})",
       R"({"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result"}})"});
  EXPECT_EQ(out,
            ": x-rung-dropped: citations\n\n: x-rung-dropped: content.web_search_tool_result\n\n");
}

TEST(Streams, ThatStopShortAreNotWhole) {
  StreamFacts facts;
  const std::string out =
      streamed(Dialect::kChat, Dialect::kMessages, messages_data(false), &facts);
  EXPECT_FALSE(facts.is_whole);
  EXPECT_EQ(out.find("[DONE]"), std::string::npos);
  streamed(Dialect::kMessages, Dialect::kChat, {chat_data(R"({"content":"a"})")}, &facts);
  EXPECT_FALSE(facts.is_whole);
}

TEST(Streams, ErrorsOfTheUpstreamAreErrorsOfTheClientsDialect) {
  StreamFacts facts;
  EXPECT_NE(
      streamed(Dialect::kMessages, Dialect::kChat,
               {chat_data(R"({"content":"a"})"), R"({"error":{"message":"no","code":429}})"},
               &facts)
          .find(R"(data: {"type":"error","error":{"type":"rate_limit_error","message":"no"}})"),
      std::string::npos);
  EXPECT_TRUE(facts.has_error);
  EXPECT_NE(
      streamed(Dialect::kChat, Dialect::kMessages,
               {R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})"}, &facts)
          .find(R"(data: {"error":{"message":"busy","type":"server_error")"),
      std::string::npos);
  EXPECT_TRUE(facts.has_error);
}

TEST(Streams, CallsThatShareAnIndexAreToldApartByTheirIds) {
  const std::string out = streamed(
      Dialect::kMessages, Dialect::kChat,
      {chat_data(
           R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]})"),
       chat_data(
           R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]})"),
       chat_data(R"({"tool_calls":[{"id":"c","function":{"name":"h","arguments":{"n":1}}}]})"),
       chat_data("{}", R"("stop")")});
  for (const char* expected :
       {R"("index":0,"content_block":{"type":"tool_use","id":"a","name":"f")",
        R"("index":1,"content_block":{"type":"tool_use","id":"b","name":"g")",
        R"("index":2,"content_block":{"type":"tool_use","id":"c","name":"h")",
        R"("partial_json":"{\"n\":1}")", R"("stop_reason":"tool_use")"})
    EXPECT_NE(out.find(expected), std::string::npos) << expected << "\n" << out;
}

TEST(CallIds, CarryWhatGeminiWantsBack) {
  const std::string extra = R"({"google":{"thought_signature":"a+/=\u00e9?>"}})";
  const std::string reply = reply_of(
      Dialect::kMessages, Dialect::kChat,
      R"({"choices":[{"message":{"tool_calls":[{"id":"c1","extra_content":)" + extra +
          R"(,"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})");
  const auto root = json::parse(reply);
  const json::Value block = *json::elements(*json::find(*root, "content")).begin();
  const std::string id = json::find(block, "id")->text();
  EXPECT_EQ(
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
      std::string::npos);
  const std::string out =
      streamed(Dialect::kMessages, Dialect::kChat,
               {chat_data(R"({"tool_calls":[{"index":0,"id":"c1","extra_content":)" + extra +
                          R"(,"function":{"name":"f","arguments":"{}"}}]})")});
  EXPECT_NE(out.find("\"" + id + "\""), std::string::npos) << out;
  const std::string next =
      R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":")" +
      id +
      R"(","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":")" +
      id + R"(","content":"r"}]}]})";
  const auto request = parse_request(Dialect::kMessages, next);
  const auto back = make_outgoing(*request, next, {.dialect = Dialect::kChat, .model = "m"});
  ASSERT_TRUE(back);
  EXPECT_NE(back->body.find(R"({"id":"c1","type":"function","extra_content":)" + extra),
            std::string::npos)
      << back->body;
  EXPECT_NE(back->body.find(R"("tool_call_id":"c1")"), std::string::npos);
}

TEST(Streams, InterleavedCallsAreAnErrorAndNotAMixture) {
  StreamFacts facts;
  streamed(Dialect::kMessages, Dialect::kChat,
           {chat_data(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]})"),
            chat_data(R"({"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]})"),
            chat_data(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})")},
           &facts);
  EXPECT_TRUE(facts.has_error);
}

}  // namespace
}  // namespace rung::wire
