#include <gtest/gtest.h>

#include <random>

#include "json/splice.h"
#include "wire/exchange.h"
#include "wire/stream_relay.h"

// Whatever clients and upstreams send, what we make of it is JSON, or a refusal: well-formed
// exchanges with values replaced by others of every kind, many times, from fixed seeds.

namespace rung::wire {
namespace {

const std::vector<std::string> kChat{
    R"({"model":"m","stream":true,"max_tokens":5,"temperature":1,"stop":["x"],"user":"u","n":1,"seed":7,
    "reasoning_effort":"low","parallel_tool_calls":false,"tool_choice":{"type":"function","function":{"name":"f"}},
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},
    "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"properties":{"a":{}}}}},
             {"type":"custom","custom":{"name":"c","format":{"type":"grammar"}}}],
    "messages":[{"role":"system","content":"s"},{"role":"user","name":"b","content":[{"type":"text","text":"t","cache_control":{}},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"low"}},
      {"type":"file","file":{"filename":"a","file_data":"data:application/pdf;base64,UA=="}}]},
     {"role":"assistant","content":null,"reasoning_content":"r","thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"}],
      "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"custom","custom":{"name":"c","input":"i"}}]},
     {"role":"tool","tool_call_id":"1","content":"r"},{"role":"tool","tool_call_id":"2","content":[{"type":"text","text":"t"}]},
     {"role":"developer","content":[{"type":"text","text":"t"}]}]})"};
const std::vector<std::string> kMessages{
    R"({"model":"m","stream":true,"max_tokens":5,"temperature":1,"stop_sequences":["x"],"metadata":{"user_id":"u","x":1},"top_k":3,
    "thinking":{"type":"enabled","budget_tokens":1024},"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
    "output_config":{"effort":"low","format":{"type":"json_schema","schema":{}}},"system":[{"type":"text","text":"s","cache_control":{}}],
    "tools":[{"name":"f","description":"d","input_schema":{"properties":{"a":{}}}},{"type":"web_search_20250305","name":"w"}],
    "messages":[{"role":"user","content":[{"type":"text","text":"t"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
      {"type":"document","title":"a","source":{"type":"content","content":[{"type":"text","text":"x"}]}}]},
     {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"rung:unsigned"},{"type":"redacted_thinking","data":"d"},
      {"type":"text","text":"t"},{"type":"tool_use","id":"1","name":"f","input":{}}]},
     {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","is_error":true,"content":[{"type":"text","text":"t"},
      {"type":"image","source":{"type":"url","url":"u"}}]},{"type":"text","text":"t"}]}]})"};
const std::vector<std::string> kResponses{
    R"({"model":"m","stream":true,"max_output_tokens":5,"instructions":"i","reasoning":{"effort":"low"},"store":false,"metadata":{},
    "text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{}}},"include":["reasoning.encrypted_content"],
    "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,
    "tools":[{"type":"function","name":"f","parameters":{"properties":{"a":{}}}},{"type":"custom","name":"c","format":{"type":"text"}},{"type":"web_search"}],
    "input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"u","detail":"low"},
      {"type":"input_file","filename":"a","file_data":"d"}]},
     {"type":"reasoning","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"rung-signed:s"},
     {"type":"message","role":"assistant","content":[{"type":"output_text","text":"t"},{"type":"refusal","refusal":"r"}]},
     {"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"custom_tool_call","call_id":"2","name":"c","input":"i"},
     {"type":"function_call_output","call_id":"1","output":"r"},
     {"type":"custom_tool_call_output","call_id":"2","output":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"u"}]},
     {"role":"developer","content":"d"}]})"};
const std::vector<std::string> kChatReplies{
    R"({"id":"i","model":"m","choices":[{"message":{"content":"t","reasoning_content":"r","refusal":"x","annotations":[],
    "tool_calls":[{"id":"1","type":"function","function":{"name":"c","arguments":"{\"input\":\"i\"}"}}]},"finish_reason":"stop","stop_reason":"x"}],
    "usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}})"};
const std::vector<std::string> kMessagesReplies{
    R"({"id":"i","model":"m","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},
    {"type":"text","text":"t","citations":[]},{"type":"tool_use","id":"1","name":"c","input":{"input":"i"}}],"stop_reason":"end_turn",
    "stop_sequence":"x","usage":{"input_tokens":1,"cache_read_input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":1},"output_tokens":2}})"};
const std::vector<std::string> kChatEvents{
    R"({"id":"i","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"t"},"finish_reason":null}]})",
    R"({"id":"i","choices":[{"delta":{"reasoning_content":"r","refusal":"x","tool_calls":[{"index":0,"id":"1","function":{"name":"c","arguments":"{"}}]}}]})",
    R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"2","function":{"name":"f","arguments":"}"}}]}}]})",
    R"({"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"x"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})"};
const std::vector<std::string> kMessagesEvents{
    R"({"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":1}}})",
    R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"t"}})",
    R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}})",
    R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"1","name":"c","input":{"a":1}}})",
    R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}})",
    R"({"type":"content_block_stop","index":1})",
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":"x"},"usage":{"output_tokens":2}})",
    R"({"type":"message_stop"})"};

void collect(json::Value value, std::vector<json::Value>& all) {
  all.push_back(value);
  if (value.is_object())
    for (const json::Member& m : json::members(value)) collect(m.value, all);
  if (value.is_array())
    for (const json::Value v : json::elements(value)) collect(v, all);
}

/// One or two values replaced by values of other kinds, or by each other.
std::string mutated(const std::string& text, std::mt19937& random) {
  std::string out = text;
  for (unsigned n = 1 + random() % 2; n > 0; --n) {
    const auto root = json::parse(out);
    std::vector<json::Value> all;
    collect(*root, all);
    constexpr std::string_view kOthers[] = {
        "null", "7",      "-1e400", "\"\"", "\"x\\ud83d\"",   "[]", "{}", "true",
        "[7]",  "[null]", "[[]]",   "[{}]", R"({"type":"x"})"};
    const json::Value victim = all[random() % all.size()];
    const std::string other = random() % 4 == 0
                                  ? std::string(all[random() % all.size()].raw)
                                  : std::string(kOthers[random() % std::size(kOthers)]);
    json::Splice splice(out);
    splice.replace(victim.raw, other);
    out = splice.apply();
  }
  return out;
}

void expect_json(const std::string& text, const std::string& from) {
  EXPECT_TRUE(json::parse(text, {.max_depth = 1000})) << text << "\nfrom " << from;
}

void expect_events(const std::string& out, const std::string& from) {
  std::size_t at = 0;
  while ((at = out.find("data: ", at)) != std::string::npos) {
    const std::size_t end = out.find("\n\n", at);
    ASSERT_NE(end, std::string::npos) << out;
    const std::string data = out.substr(at + 6, end - at - 6);
    if (data != "[DONE]") expect_json(data, from);
    at = end;
  }
}

class Mutations : public testing::Test {
 protected:
  static constexpr int kRounds = 3000;
  std::mt19937 random_{20261125};
};

TEST_F(Mutations, OfRequestsAreRefusedOrSentAsJson) {
  int sent = 0, refused = 0;
  for (int round = 0; round < kRounds; ++round)
    for (const auto& [dialect, bodies] :
         {std::pair(Dialect::kChat, &kChat), std::pair(Dialect::kMessages, &kMessages),
          std::pair(Dialect::kResponses, &kResponses)}) {
      const std::string body = mutated((*bodies)[random_() % bodies->size()], random_);
      const auto request = parse_request(dialect, body);
      if (!request) {
        ++refused;
        continue;
      }
      const std::vector<std::string> efforts{"low"};
      for (const Dialect to : {dialect, Dialect::kChat, Dialect::kMessages}) {
        const auto out =
            make_outgoing(*request, body,
                          {.dialect = to,
                           .model = "x",
                           .effort = random_() % 2 ? "high" : "",
                           .efforts = efforts,
                           .thinking = random_() % 2 ? Thinking::kBudget : Thinking::kAdaptive,
                           .takes_reasoning = random_() % 2 != 0});
        if (out) expect_json(out->body, body);
        ++(out ? sent : refused);
      }
    }
  EXPECT_GT(sent, kRounds);
  EXPECT_GT(refused, kRounds / 10);
}

TEST_F(Mutations, OfRepliesAreErrorsOrJson) {
  int passed = 0;
  for (int round = 0; round < kRounds; ++round)
    for (const Dialect client : {Dialect::kChat, Dialect::kMessages, Dialect::kResponses}) {
      const auto& bodies = client == Dialect::kChat       ? kChat
                           : client == Dialect::kMessages ? kMessages
                                                          : kResponses;
      const auto request = parse_request(client, bodies[0]);
      for (const Dialect upstream : {Dialect::kChat, Dialect::kMessages}) {
        if (client == upstream) continue;
        const std::string reply =
            mutated((upstream == Dialect::kChat ? kChatReplies : kMessagesReplies)[0], random_);
        std::vector<std::string> dropped;
        static_cast<void>(read_reply(upstream, reply));
        const auto out = translate_reply(*request, {.upstream = upstream}, reply, dropped);
        if (out) expect_json(*out, reply);
        expect_json(translate_error(client, 500, reply, "r"), reply);
        passed += out ? 1 : 0;
      }
    }
  EXPECT_GT(passed, kRounds);
}

TEST_F(Mutations, OfStreamsGiveEventsOfJson) {
  for (int round = 0; round < kRounds; ++round)
    for (const Dialect client : {Dialect::kChat, Dialect::kMessages, Dialect::kResponses}) {
      const auto& bodies = client == Dialect::kChat       ? kChat
                           : client == Dialect::kMessages ? kMessages
                                                          : kResponses;
      const auto request = parse_request(client, bodies[0]);
      for (const Dialect upstream : {Dialect::kChat, Dialect::kMessages, Dialect::kResponses}) {
        if (upstream == Dialect::kResponses && client != upstream) continue;
        const auto relay = make_stream_relay(*request, {.upstream = upstream});
        std::string out, from;
        for (const std::string& whole :
             upstream == Dialect::kChat ? kChatEvents : kMessagesEvents) {
          const std::string data = random_() % 3 == 0 ? mutated(whole, random_) : whole;
          from += data + "\n";
          StreamEvent event;
          const std::string raw = "data: " + data + "\n\n";
          event.raw = raw;
          event.data = data;
          event.has_data = true;
          relay->take(event, out);
        }
        relay->end("", out);
        if (random_() % 2) relay->break_off({ErrorCode::kUpstream, "it broke"}, out);
        expect_events(out, from);
      }
    }
}

}  // namespace
}  // namespace rung::wire
