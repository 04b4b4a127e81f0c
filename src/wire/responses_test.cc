#include <gtest/gtest.h>

#include "wire/exchange.h"
#include "wire/stream_relay.h"

namespace rung::wire {
namespace {

using Names = std::vector<std::string>;

Outgoing outgoing(const std::string& body, Target target) {
  const auto request = parse_request(Dialect::kResponses, body);
  EXPECT_TRUE(request) << request.error().message;
  auto out = make_outgoing(*request, body, target);
  EXPECT_TRUE(out) << out.error().message;
  EXPECT_TRUE(json::parse(out->body)) << out->body;
  return *std::move(out);
}

TEST(ResponsesRequest, RoutesOnTheLastWordsOfTheUserAndTheTools) {
  const auto request =
      parse_request(Dialect::kResponses, R"({"model":"auto","instructions":"be brief",
    "stream":true,"max_output_tokens":9,"reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema"}},
    "input":[{"role":"user","content":"old"},{"type":"message","role":"user","content":[
      {"type":"input_text","text":"read"},{"type":"input_text","text":"it"},{"type":"input_image","image_url":"data:x"}]},
     {"type":"function_call","call_id":"c","name":"read","arguments":"{}"},
     {"type":"function_call_output","call_id":"c","output":"text"}],
    "tools":[{"type":"function","name":"read","description":"reads","parameters":{"properties":{"path":{}}}}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->prompt, "read\nit\n\nTools:\n- read(path): reads");
  EXPECT_TRUE(request->stream && request->has_tools && request->has_images);
  EXPECT_TRUE(request->has_json_schema);
  EXPECT_EQ(request->effort, "low");
  EXPECT_EQ(request->max_tokens, 9);
  EXPECT_EQ(request->only_native, "");
  EXPECT_EQ(parse_request(Dialect::kResponses, R"({"model":"m","input":"hi"})")->prompt, "hi");
}

TEST(ResponsesRequest, SaysWhatNeedsStateOnTheOtherSide) {
  for (
      const char* field :
      {R"("previous_response_id":"r")", R"("conversation":"c")", R"("background":true)",
       R"("prompt":{"id":"p"})", R"("tools":[{"type":"web_search"}])",
       R"("tools":[{"type":"web_search"},{"type":"function","name":"f"}],"tool_choice":{"type":"web_search"})"}) {
    const std::string body = R"({"model":"m","input":"x",)" + std::string(field) + "}";
    const auto request = parse_request(Dialect::kResponses, body);
    ASSERT_TRUE(request) << body;
    EXPECT_NE(why_not(*request, Dialect::kChat), "") << body;
    EXPECT_EQ(why_not(*request, Dialect::kResponses), "") << body;
  }
  const auto item = parse_request(Dialect::kResponses,
                                  R"({"model":"m","input":[{"type":"item_reference","id":"i"}]})");
  EXPECT_EQ(why_not(*item, Dialect::kChat),
            "input[0] refers to an item that is not known here (clients send the item itself with "
            "store: false), which Chat Completions has no form for");
}

TEST(ResponsesRequest, RefusalsNameTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"input":"x"})", "model"},
      {R"({"model":"m"})", "input"},
      {R"({"model":"m","input":7})", "input"},
      {R"({"model":"m","input":[7]})", "input[0]"},
      {R"({"model":"m","input":[{"content":"x"}]})", "input[0].role"},
      {R"({"model":"m","input":[{"role":"user"}]})", "input[0].content"},
      {R"({"model":"m","input":[{"role":"user","content":7}]})", "input[0].content"},
      {R"({"model":"m","input":"x","stream":1})", "stream"}};
  for (const auto& [body, field] : cases) {
    const auto request = parse_request(Dialect::kResponses, body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().field, field) << request.error().message;
  }
}

TEST(ResponsesEdits, TouchOnlyModelAndEffort) {
  const std::string body =
      R"({ "model":"auto","input":"\ud83d","x":1e21,"reasoning":{"summary":"auto"}})";
  EXPECT_EQ(
      outgoing(body, {.dialect = Dialect::kResponses, .model = "gpt", .effort = "low"}).body,
      R"({ "model":"gpt","input":"\ud83d","x":1e21,"reasoning":{"summary":"auto","effort":"low"}})");
  EXPECT_EQ(outgoing(body, {.dialect = Dialect::kResponses, .model = "auto"}).body, body);
}

TEST(ResponsesEdits, TakeOutReasoningThatWeMade) {
  EXPECT_EQ(
      outgoing(
          R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"reasoning","summary":[],"encrypted_content":"rung-signed:s"},)"
          R"({"type":"reasoning","summary":[],"encrypted_content":"gAAA"}]})",
          {.dialect = Dialect::kResponses, .model = "m"})
          .body,
      R"({"model":"m","input":[{"role":"user","content":"q"},{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}]})");
}

const char* const kTurns =
    R"({"model":"auto","instructions":"be \u00e9","stream":true,"max_output_tokens":99,
    "input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"dev"}]},
     {"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"https://x/y.png","detail":"high"}]},
     {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"rung-signed:sig"},
     {"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]},
     {"type":"function_call","call_id":"c1","name":"read","arguments":"{\"n\":1.0}"},
     {"type":"custom_tool_call","call_id":"c2","name":"sh","input":"ls \"x\""},
     {"type":"function_call_output","call_id":"c1","output":"one"},
     {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},
     {"role":"user","content":"go on"}],
    "tools":[{"type":"function","name":"read","description":"d","parameters":{"type":"object"},"strict":false},
      {"type":"custom","name":"sh","description":"e"}],
    "tool_choice":"auto","parallel_tool_calls":true,"store":false,"include":["reasoning.encrypted_content"]})";

TEST(ResponsesToChat, CarriesTurnsWithToolsAndImages) {
  const Outgoing out = outgoing(kTurns, {.dialect = Dialect::kChat, .model = "m"});
  EXPECT_EQ(
      out.body,
      R"({"model":"m","messages":[{"role":"system","content":"be \u00e9"},{"role":"system","content":"dev"},)"
      R"({"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"high"}}]},)"
      R"({"role":"assistant","content":"ok","tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"read","arguments":"{\"n\":1.0}"}},)"
      R"({"id":"c2","type":"function","function":{"name":"sh","arguments":"{\"input\":\"ls \\\"x\\\"\"}"}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":"one"},{"role":"tool","tool_call_id":"c2","content":"two"},)"
      R"({"role":"user","content":"go on"}],"max_tokens":99,)"
      R"("tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"},"strict":false}},)"
      R"({"type":"function","function":{"name":"sh","description":"e","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}}],)"
      R"("tool_choice":"auto","stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(out.dropped, Names{"reasoning items"});
  EXPECT_NE(outgoing(kTurns, {.dialect = Dialect::kChat, .model = "m", .takes_reasoning = true})
                .body.find(R"("content":"ok","reasoning_content":"hm","tool_calls")"),
            std::string::npos);
}

TEST(ResponsesToChat, GivesOneSystemMessageInFrontWhereNoOtherIsTaken) {
  const Outgoing out = outgoing(
      R"({"model":"m","instructions":"a","input":[{"role":"developer","content":"b"},
      {"role":"user","content":"q"},{"role":"developer","content":"c"}]})",
      {.dialect = Dialect::kChat, .model = "m", .system_anywhere = false});
  EXPECT_EQ(out.body, R"({"model":"m","messages":[{"role":"system","content":"a\n\nb"},)"
                      R"({"role":"user","content":"q"},{"role":"user","content":"c"}]})");
  EXPECT_EQ(out.dropped, Names{"input.system.role"});
}

TEST(ResponsesToMessages, KeepsTheSignatureOfThinking) {
  const Outgoing out = outgoing(kTurns, {.dialect = Dialect::kMessages, .model = "m"});
  EXPECT_NE(
      out.body.find(
          R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"ok"},)"
          R"({"type":"tool_use","id":"c1","name":"read","input":{"n":1.0}},)"
          R"({"type":"tool_use","id":"c2","name":"sh","input":{"input":"ls \"x\""}}]})"),
      std::string::npos)
      << out.body;
  EXPECT_NE(out.body.find(R"("max_tokens":99)"), std::string::npos);
  EXPECT_EQ(out.dropped, Names{"image_url.detail"});
}

TEST(ResponsesToChat, ReportsWhatIsLost) {
  const Outgoing out = outgoing(
      R"({"model":"m","input":"x","store":true,"truncation":"auto","top_logprobs":2,"prompt_cache_key":"k",
       "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{"a":1.0},"strict":true}},
       "reasoning":{"effort":"high"},"include":["file_search_call.results"],"metadata":{"a":"b"},
       "tools":[{"type":"web_search"},{"type":"function","name":"f","parameters":null}]})",
      {.dialect = Dialect::kChat, .model = "m"});
  EXPECT_EQ(out.dropped,
            (Names{"truncation", "top_logprobs", "prompt_cache_key", "text.verbosity",
                   "include.file_search_call.results", "tools.web_search", "reasoning.effort"}));
  EXPECT_NE(
      out.body.find(
          R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"a":1.0},"strict":true}})"),
      std::string::npos)
      << out.body;
}

TEST(ResponsesReply, IsAWholeResponse) {
  const auto request = parse_request(
      Dialect::kResponses,
      R"({"model":"auto","input":"x","metadata":{"k":"v"},"tools":[{"type":"custom","name":"sh"}]})");
  Names dropped;
  const auto reply = translate_reply(
      *request, {.upstream = Dialect::kChat, .created = 77},
      R"({"id":"c1","model":"gpt","choices":[{"message":{"content":"a\u00e9","reasoning_content":"hm","tool_calls":[
        {"id":"t","type":"function","function":{"name":"f","arguments":"{}"}},
        {"id":"u","type":"function","function":{"name":"sh","arguments":"{\"input\":\"ls\"}"}}]},"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":15,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}})",
      dropped);
  ASSERT_TRUE(reply);
  EXPECT_EQ(
      *reply,
      R"({"id":"resp_c1","object":"response","created_at":77,"status":"completed","background":false,"error":null,)"
      R"("incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"gpt","output":[)"
      R"({"id":"rs_c1_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},)"
      R"({"id":"msg_c1_1","type":"message","status":"completed","role":"assistant","content":[)"
      R"({"type":"output_text","text":"a\u00e9","annotations":[],"logprobs":[]}]},)"
      R"({"id":"fc_c1_2","type":"function_call","status":"completed","arguments":"{}","call_id":"t","name":"f"},)"
      R"({"id":"ctc_c1_3","type":"custom_tool_call","status":"completed","input":"ls","call_id":"u","name":"sh"}],)"
      R"("parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,)"
      R"("temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[{"type":"custom","name":"sh"}],)"
      R"("top_p":1.0,"truncation":"disabled","usage":{"input_tokens":15,"input_tokens_details":{"cached_tokens":5},)"
      R"("output_tokens":7,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":22},"user":null,"metadata":{"k":"v"}})");
}

std::vector<std::pair<std::string, json::Value>> events(const std::string& out) {
  std::vector<std::pair<std::string, json::Value>> list;
  std::string_view rest = out;
  while (!rest.empty()) {
    const std::string_view block = rest.substr(0, rest.find("\n\n"));
    rest.remove_prefix(block.size() + 2);
    const std::size_t line = block.find('\n');
    const auto data = json::parse(block.substr(line + 7));
    EXPECT_TRUE(data) << block;
    list.emplace_back(block.substr(7, line - 7), *data);
  }
  return list;
}

std::string streamed(const Request& request, Dialect upstream, const std::vector<std::string>& data,
                     const Error* broken = nullptr) {
  const auto relay = make_stream_relay(request, {.upstream = upstream, .created = 77});
  std::string out;
  for (const std::string& text : data) {
    StreamEvent event;
    event.raw = event.data = text;
    event.has_data = true;
    relay->take(event, out);
  }
  if (broken != nullptr)
    relay->break_off(*broken, out);
  else
    relay->end("", out);
  return out;
}

std::string chat_data(std::string_view delta, std::string_view finish = "null") {
  return R"({"id":"c1","model":"gpt","choices":[{"index":0,"delta":)" + std::string(delta) +
         R"(,"finish_reason":)" + std::string(finish) + "}]}";
}

TEST(ResponsesStream, HasTheEventsOfAResponseInTheirOrder) {
  const auto request = parse_request(
      Dialect::kResponses,
      R"({"model":"auto","input":"x","tools":[{"type":"custom","name":"sh"}],"stream":true})");
  const std::string out = streamed(
      *request, Dialect::kChat,
      {chat_data(R"({"role":"assistant","content":""})"),
       chat_data(R"({"reasoning_content":"hm"})"), chat_data(R"({"content":"a"})"),
       chat_data(R"({"content":"b"})"),
       chat_data(
           R"({"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"n\":"}}]})"),
       chat_data(R"({"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]})"),
       chat_data(
           R"({"tool_calls":[{"index":1,"id":"u","function":{"name":"sh","arguments":"{\"input\":\"l"}}]})"),
       chat_data(R"({"tool_calls":[{"index":1,"function":{"arguments":"s\"}"}}]})"),
       chat_data("{}", R"("tool_calls")"),
       R"({"choices":[],"usage":{"prompt_tokens":15,"completion_tokens":7}})", "[DONE]"});
  const auto list = events(out);
  Names names;
  std::int64_t number = 0;
  for (const auto& [name, data] : list) {
    names.push_back(name);
    EXPECT_EQ(json::find(data, "type")->text(), name);
    EXPECT_EQ(json::find(data, "sequence_number")->integer(), number++);
  }
  EXPECT_EQ(names, (Names{"response.created",
                          "response.in_progress",
                          "response.output_item.added",
                          "response.reasoning_summary_part.added",
                          "response.reasoning_summary_text.delta",
                          "response.reasoning_summary_text.done",
                          "response.reasoning_summary_part.done",
                          "response.output_item.done",
                          "response.output_item.added",
                          "response.content_part.added",
                          "response.output_text.delta",
                          "response.output_text.delta",
                          "response.output_text.done",
                          "response.content_part.done",
                          "response.output_item.done",
                          "response.output_item.added",
                          "response.function_call_arguments.delta",
                          "response.function_call_arguments.delta",
                          "response.function_call_arguments.done",
                          "response.output_item.done",
                          "response.output_item.added",
                          "response.custom_tool_call_input.delta",
                          "response.custom_tool_call_input.done",
                          "response.output_item.done",
                          "response.completed"}));
  const json::Value response = *json::find(list.back().second, "response");
  EXPECT_EQ(json::find(response, "status")->text(), "completed");
  EXPECT_EQ(
      json::find(response, "output")->raw,
      R"([{"id":"rs_c1_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},)"
      R"({"id":"msg_c1_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ab","annotations":[],"logprobs":[]}]},)"
      R"({"id":"fc_c1_2","type":"function_call","status":"completed","arguments":"{\"n\":1}","call_id":"t","name":"f"},)"
      R"({"id":"ctc_c1_3","type":"custom_tool_call","status":"completed","input":"ls","call_id":"u","name":"sh"}])");
  EXPECT_EQ(json::find(*json::find(response, "usage"), "total_tokens")->integer(), 22);
}

TEST(ResponsesStream, ThinkingOfClaudeKeepsItsSignature) {
  const auto request =
      parse_request(Dialect::kResponses, R"({"model":"auto","input":"x","stream":true})");
  const std::string out = streamed(
      *request, Dialect::kMessages,
      {R"({"type":"message_start","message":{"id":"m1","model":"claude","usage":{"input_tokens":9}}})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}})",
       R"({"type":"content_block_stop","index":0})",
       R"({"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"dd"}})",
       R"({"type":"content_block_stop","index":1})",
       R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":7}})",
       R"({"type":"message_stop"})"});
  const auto list = events(out);
  EXPECT_EQ(list.back().first, "response.incomplete");
  const json::Value response = *json::find(list.back().second, "response");
  EXPECT_EQ(
      json::find(response, "output")->raw,
      R"([{"id":"rs_m1_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"rung-signed:sig"},)"
      R"({"id":"rs_m1_1","type":"reasoning","summary":[],"encrypted_content":"rung-hidden:dd"}])");
  EXPECT_EQ(json::find(response, "incomplete_details")->raw, R"({"reason":"max_output_tokens"})");
}

TEST(ResponsesStream, ThatBreaksEndsWithAFailedResponse) {
  const auto request =
      parse_request(Dialect::kResponses, R"({"model":"auto","input":"x","stream":true})");
  const Error broken{ErrorCode::kUpstream, "it broke"};
  const std::string late =
      streamed(*request, Dialect::kChat, {chat_data(R"({"content":"a"})")}, &broken);
  const auto translated = events(late);
  EXPECT_EQ(translated.back().first, "response.failed");
  EXPECT_EQ(json::find(*json::find(translated.back().second, "response"), "error")->raw,
            R"({"code":"server_error","message":"it broke"})");
  const std::string at_once = streamed(*request, Dialect::kChat, {}, &broken);
  const auto early = events(at_once);
  EXPECT_EQ(early.front().first, "response.created");
  EXPECT_EQ(early.back().first, "response.failed");
}

TEST(ResponsesStream, PassesAndCounts) {
  const auto request =
      parse_request(Dialect::kResponses, R"({"model":"auto","input":"x","stream":true})");
  const auto relay = make_stream_relay(*request, {.upstream = Dialect::kResponses});
  std::string out;
  const auto take = [&](std::string_view name, std::string_view data) {
    StreamEvent event;
    event.raw = event.data = data;
    event.name = name;
    event.has_data = true;
    relay->take(event, out);
  };
  take("response.created",
       R"({"type":"response.created","sequence_number":0,"response":{"id":"resp_9"}})");
  take("response.output_text.delta", R"({"delta":"a","sequence_number":4})");
  EXPECT_FALSE(relay->facts().is_whole);
  std::string broken;
  relay->break_off({ErrorCode::kUpstream, "it broke"}, broken);
  EXPECT_NE(
      broken.find(R"("type":"response.failed","sequence_number":5,"response":{"id":"resp_9")"),
      std::string::npos)
      << broken;
  take(
      "response.completed",
      R"({"type":"response.completed","response":{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":2},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1}}}})");
  EXPECT_TRUE(relay->facts().is_whole);
  EXPECT_EQ(relay->facts().usage->prompt_tokens, 9);
  EXPECT_EQ(relay->facts().usage->cached_tokens, 2);
  EXPECT_EQ(relay->facts().usage->reasoning_tokens, 1);
  EXPECT_EQ(relay->facts().produced, 1);
}

TEST(Embeddings, PassWithTheirModelAndAKnownZeroOfAnswer) {
  const std::string body = R"({"input":["a",[1,2]],"model":"e","dimensions":8})";
  const auto request = parse_request(Dialect::kEmbeddings, body);
  ASSERT_TRUE(request);
  EXPECT_EQ(make_outgoing(*request, body, {.dialect = Dialect::kEmbeddings, .model = "real"})->body,
            R"({"input":["a",[1,2]],"model":"real","dimensions":8})");
  EXPECT_NE(why_not(*request, Dialect::kMessages), "");
  const auto facts = read_reply(Dialect::kEmbeddings,
                                R"({"model":"real","usage":{"prompt_tokens":4,"total_tokens":4}})");
  EXPECT_EQ(facts->usage->completion_tokens, 0);
  EXPECT_EQ(parse_request(Dialect::kEmbeddings, R"({"model":"e"})").error().field, "input");
}

}  // namespace
}  // namespace rung::wire
