#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "json/write.h"
#include "net/client.h"
#include "net/net_test_kit.h"
#include "net/sse.h"
#include "replay/handler.h"

namespace rung::replay {
namespace {

using net_test::run;

constexpr std::string_view kOutcomes =
    R"({"id":"a","prompt":"What is 17 + 26?","reference":"43","models":{"small":{"score":0,"cost":0.001,"prompt_tokens":11,"completion_tokens":4,"output":"It is 42."},"large":{"score":1,"cost":0.02,"prompt_tokens":11,"completion_tokens":3}}})"
    "\n"
    R"({"id":"b","prompt":"Say\n\nhello  World","reference":null,"models":{"small":{"score":0.5}}})"
    "\n"
    R"({"id":"c","prompt":"The area?\n\nTools:\n- area(base, height, unit): Area","models":{"small":{"score":1,"output":"[area(base=10, height=5.5, unit='m', deep={'a': [1, True, None]})]"}}})"
    "\n";
constexpr std::string_view kSamples =
    R"({"id":"s","prompt":"Vote","reference":"x","models":{"voter":[{"output":"one","correct":true},{"output":"two","correct":false},{"output":"three","score":0.5,"cost":0.5}]}})"
    "\n";

/// The files above, loaded; served on demand; asked through a real connection.
class Replay : public testing::Test {
 protected:
  Replay() {
    folder_ =
        std::filesystem::temp_directory_path() / ("rung_replay_test_" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder_);
    const std::vector<std::string> outcomes = {file("o.jsonl", kOutcomes)},
                                   samples = {file("s.jsonl", kSamples)};
    EXPECT_TRUE(data_.add_outcomes(outcomes));
    EXPECT_TRUE(data_.add_samples(samples));
  }
  ~Replay() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view bytes) {
    EXPECT_TRUE(write_file(folder_ / name, bytes));
    return (folder_ / name).string();
  }

  struct Got {
    int status = 0;
    std::string body, error, retry_after;
  };
  /// One POST to /v1/chat/completions of a fresh upstream with this pace and these options.
  Got ask(std::string body, std::string fault = "", Pace pace = {}, bool strict = false,
          std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    Handler handler(data_, pace, FaultPlan(1), strict);
    return ask(handler, std::move(body), std::move(fault), limit);
  }
  Got ask(Handler& handler, std::string body, std::string fault = "",
          std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    Got got;
    Loop loop;
    auto server = Server::listen(loop, {}, std::ref(handler));
    EXPECT_TRUE(server);
    ClientPool pool(loop,
                    {.tls = false, .host = "127.0.0.1", .port = (*server)->port(), .path = ""});
    auto task = [&]() -> Task<void> {
      ClientRequest request;
      request.target = "/v1/chat/completions";
      const HttpHeader headers[] = {{"x-replay-fault", fault}};
      if (!fault.empty()) request.headers = headers;
      request.body = body;
      auto response = co_await pool.request(request, {}, Deadline{loop.now() + limit});
      if (!response) {
        got.error = response.error().message;
        co_return;
      }
      got.status = response->status();
      got.retry_after = response->header("retry-after");
      for (;;) {
        auto piece = co_await response->read();
        if (!piece) got.error = piece.error().message;
        if (!piece || piece->empty()) break;
        got.body += *piece;
      }
    };
    run(loop, task());
    return got;
  }

  static std::string request(std::string_view prompt, std::string_view model = "small",
                             std::string_view more = "") {
    json::Writer out;
    out.begin_object().key("model").string(model).key("messages").begin_array().begin_object();
    out.key("role").string("user").key("content").string(prompt).end_object().end_array();
    std::string text = out.take();
    return text + std::string(more) + "}";
  }
  static std::string at(const std::string& body, std::vector<std::string> path) {
    auto value = json::parse(body);
    EXPECT_TRUE(value) << body;
    if (!value) return "";
    std::optional<json::Value> here = *value;
    for (const std::string& key : path) {
      if (here && here->is_array()) {
        std::optional<json::Value> found;
        std::size_t index = 0;
        for (const json::Value v : json::elements(*here)) {
          if (std::to_string(index++) == key) found = v;
        }
        here = found;
      } else {
        here = here && here->is_object() ? json::find(*here, key) : std::nullopt;
      }
    }
    if (!here) return "(absent)";
    return here->is_string() ? here->text() : std::string(here->raw);
  }
  static std::string content(const std::string& body) {
    return at(body, {"choices", "0", "message", "content"});
  }
  static std::vector<std::string> events(const std::string& body) {
    SseSplitter splitter;
    std::vector<std::string> all;
    splitter.feed(body);
    SseEvent event;
    while (splitter.next(event)) all.emplace_back(event.data);
    return all;
  }

  std::filesystem::path folder_;
  Data data_;
};

TEST_F(Replay, GivesTheRecordedOutputWithItsUsage) {
  const Got got = ask(request("What is 17 + 26?"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(content(got.body), "It is 42.");
  EXPECT_EQ(at(got.body, {"model"}), "small");
  EXPECT_EQ(at(got.body, {"usage", "prompt_tokens"}), "11");
  EXPECT_EQ(at(got.body, {"usage", "completion_tokens"}), "4");
  EXPECT_EQ(at(got.body, {"usage", "total_tokens"}), "15");
  EXPECT_EQ(at(got.body, {"usage", "x_estimated"}), "(absent)");
  EXPECT_EQ(at(got.body, {"x_replay", "id"}), "a");
  EXPECT_EQ(at(got.body, {"choices", "0", "finish_reason"}), "stop");
}

TEST_F(Replay, GivesTheReferenceOfARightAnswerThatWasNotKept) {
  EXPECT_EQ(content(ask(request("What is 17 + 26?", "large")).body), "43");
  const Got got =
      ask(request("say hello world "));  // found by its normalised text; no token was recorded
  EXPECT_NE(content(got.body).find("text was not kept"), std::string::npos);
  EXPECT_EQ(at(got.body, {"usage", "x_estimated"}), "true");
  EXPECT_EQ(at(got.body, {"x_replay", "exact"}), "false");
  EXPECT_EQ(at(got.body, {"x_replay", "cost"}), "null");
}

TEST_F(Replay, GivesSamplesInTurnAndSeveralAtOnce) {
  Handler handler(data_, {}, FaultPlan(1), false);
  for (const char* expected : {"one", "two", "three", "one"}) {
    EXPECT_EQ(content(ask(handler, request("Vote", "voter")).body), expected);
  }
  const Got got = ask(handler, request("Vote", "voter", R"(,"n":3)"));
  EXPECT_EQ(content(got.body), "two");
  EXPECT_EQ(at(got.body, {"choices", "2", "message", "content"}), "one");
  EXPECT_EQ(at(got.body, {"choices", "2", "index"}), "2");
  EXPECT_EQ(handler.stats().answered, 5u);
  EXPECT_DOUBLE_EQ(handler.stats().cost, 1.0);
}

TEST_F(Replay, SaysInOpenAiFormWhatItDoesNotKnow) {
  const Got model = ask(request("Vote", "nobody"));
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(at(model.body, {"error", "code"}), "model_not_found");
  const Got canned = ask(request("never asked"));
  EXPECT_EQ(canned.status, 200);
  EXPECT_EQ(canned.body, ask(request("never asked")).body);
  const Got strict = ask(request("never asked"), "", {}, /*strict=*/true);
  EXPECT_EQ(strict.status, 404);
  EXPECT_EQ(at(strict.body, {"error", "code"}), "prompt_not_found");
  EXPECT_EQ(ask("{\"model\":").status, 400);
  EXPECT_EQ(ask(R"({"model":"small","messages":[]})").status, 400);
}

TEST_F(Replay, StreamsTheSameTextWithARoleAFinishAndUsageWhenAsked) {
  const Got plain = ask(request("What is 17 + 26?", "small", R"(,"stream":true)"));
  std::string text;
  const auto all = events(plain.body);
  ASSERT_GE(all.size(), 4u);
  EXPECT_EQ(at(all[0], {"choices", "0", "delta", "role"}), "assistant");
  for (std::size_t i = 1; i + 2 < all.size(); ++i)
    text += at(all[i], {"choices", "0", "delta", "content"});
  EXPECT_EQ(text, "It is 42.");
  EXPECT_EQ(at(all[all.size() - 2], {"choices", "0", "finish_reason"}), "stop");
  EXPECT_EQ(all.back(), "[DONE]");
  EXPECT_EQ(plain.body.find("usage"), std::string::npos);
  const auto with = events(ask(request("What is 17 + 26?", "small",
                                       R"(,"stream":true,"stream_options":{"include_usage":true})"))
                               .body);
  EXPECT_EQ(at(with[with.size() - 2], {"choices"}), "[]");
  EXPECT_EQ(at(with[with.size() - 2], {"usage", "completion_tokens"}), "4");
}

constexpr std::string_view kTools =
    R"(,"tools":[{"type":"function","function":{"name":"area","description":"Area","parameters":{"type":"object","properties":{"base":{"type":"number"},"height":{"type":"number"},"unit":{"enum":["m","cm"]}},"required":["base","height","unit"]}}}])";

TEST_F(Replay, GivesARecordedCallOfAnOfferedTool) {
  const Got got = ask(request("The area?", "small", kTools));
  EXPECT_EQ(at(got.body, {"choices", "0", "finish_reason"}), "tool_calls");
  const std::vector<std::string> call = {"choices", "0", "message", "tool_calls", "0", "function"};
  EXPECT_EQ(at(got.body, {call[0], call[1], call[2], call[3], call[4], call[5], "name"}), "area");
  EXPECT_EQ(at(got.body, {call[0], call[1], call[2], call[3], call[4], call[5], "arguments"}),
            R"({"base":10,"height":5.5,"unit":"m","deep":{"a":[1,true,null]}})");
}

TEST_F(Replay, MakesACallThatFitsWhereOneIsDemanded) {
  const Got got = ask(request("What is 17 + 26?", "small",
                              std::string(kTools) + R"(,"tool_choice":"required","stream":true)"));
  std::string arguments;
  for (const std::string& data : events(got.body)) {
    if (data == "[DONE]") continue;
    const std::string piece =
        at(data, {"choices", "0", "delta", "tool_calls", "0", "function", "arguments"});
    if (piece != "(absent)") arguments += piece;
  }
  EXPECT_EQ(arguments, R"({"base":1,"height":1,"unit":"m"})");
  EXPECT_EQ(content(ask(request("What is 17 + 26?", "small", kTools)).body), "It is 42.");
}

TEST_F(Replay, FillsASchema) {
  const std::string format =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["name","age","tags","home","kind"],"properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":18},"tags":{"type":"array","items":{"type":"boolean"},"minItems":2},"home":{"$ref":"#/$defs/home"},"kind":{"const":"p"},"extra":{"type":"string"}},"$defs":{"home":{"anyOf":[{"type":"null"}]}}}}})";
  EXPECT_EQ(content(ask(request("What is 17 + 26?", "small", format)).body),
            R"({"name":"It is 42.","age":18,"tags":[true,true],"home":null,"kind":"p"})");
  EXPECT_EQ(content(ask(request("What is 17 + 26?", "small",
                                R"(,"response_format":{"type":"json_object"})"))
                        .body),
            R"({"answer":"It is 42."})");
}

TEST_F(Replay, StopsAtMaxTokens) {
  const Got got = ask(request("What is 17 + 26?", "small", R"(,"max_tokens":1)"));
  EXPECT_EQ(content(got.body), "It i");
  EXPECT_EQ(at(got.body, {"choices", "0", "finish_reason"}), "length");
}

TEST_F(Replay, KeepsTheAskedPace) {
  const auto before = std::chrono::steady_clock::now();
  ask(request("What is 17 + 26?", "small", R"(,"stream":true)"), "",
      {std::chrono::milliseconds(40), 100.0});
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, std::chrono::milliseconds(60));  // 40 and two pauses of 10
}

TEST_F(Replay, EachFaultIsWhatItsNameSays) {
  const std::string json = request("What is 17 + 26?"),
                    sse = request("What is 17 + 26?", "small", R"(,"stream":true)");
  for (const std::string& body : {json, sse}) {
    const bool streams = &body != &json && body == sse;
    EXPECT_NE(ask(body, "refuse").error.find("connection closed by the host before it answered"),
              std::string::npos);
    EXPECT_NE(ask(body, "reset-before-headers").error.find("reset by peer"), std::string::npos);
    const Got cut = ask(body, "cut");
    EXPECT_EQ(cut.status, 200);
    EXPECT_FALSE(cut.error.empty());
    EXPECT_FALSE(cut.body.empty());
    const Got limited = ask(body, "429");
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(limited.retry_after, "1");
    EXPECT_EQ(at(limited.body, {"error", "type"}), "rate_limit_error");
    EXPECT_EQ(ask(body, "500").status, 500);
    EXPECT_EQ(ask(body, "503").status, 503);
    const Got empty = ask(body, "empty");
    EXPECT_EQ(empty.status, 200);
    EXPECT_EQ(empty.body, "");
    EXPECT_EQ(empty.error, "");
    const Got other = ask(body, "wrong-model");
    EXPECT_NE(other.body.find(R"("model":"small-other")"), std::string::npos);
    const Got stall = ask(body, "stall", {}, false, std::chrono::milliseconds(80));
    EXPECT_NE(stall.error.find("timed out"), std::string::npos);
    EXPECT_EQ(stall.body.empty(), !streams);
    const Got slow = ask(body, "slow", {}, false, std::chrono::milliseconds(100));
    EXPECT_NE(slow.error.find("timed out"), std::string::npos);
  }
  EXPECT_FALSE(json::parse(ask(json, "malformed-json").body));
  const auto broken = events(ask(sse, "malformed-json").body);
  EXPECT_TRUE(std::any_of(broken.begin(), broken.end(), [](const std::string& data) {
    return data != "[DONE]" && !json::parse(data);
  }));
  EXPECT_EQ(ask(json, "nonsense").status, 400);
  EXPECT_EQ(ask(request("[[fault:503]] What is 17 + 26?")).status, 503);
  const Got marked = ask(request("What is 17 + 26? [[fault:wrong-model]]"));
  EXPECT_EQ(content(marked.body), "It is 42.");
}

TEST_F(Replay, CountsClientsThatLeave) {
  Handler handler(data_, {}, FaultPlan(1), false);
  Loop loop;
  auto server = Server::listen(loop, {}, std::ref(handler));
  ASSERT_TRUE(server);
  auto task = [&]() -> Task<void> {
    {
      net_test::Raw client = net_test::Raw::connect((*server)->port());
      const std::string body = request("What is 17 + 26?", "small", R"(,"stream":true)");
      client.send(
          "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-replay-fault: "
          "slow\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body);
      (void)co_await loop.sleep_for(std::chrono::milliseconds(30));
    }
    (void)co_await loop.sleep_for(std::chrono::milliseconds(30));
    EXPECT_EQ(handler.stats().aborted, 1u);
  };
  run(loop, task());
}

TEST(FaultPlan, DrawsAtTheGivenRatesAndTheSameForTheSameSeed) {
  FaultPlan plan(5), same(5);
  for (FaultPlan* one : {&plan, &same}) {
    EXPECT_TRUE(one->add("429=0.25"));
    EXPECT_TRUE(one->add("cut=0.5"));
  }
  int limited = 0, cut = 0;
  for (int i = 0; i < 4000; ++i) {
    const Fault fault = plan.draw();
    EXPECT_EQ(fault, same.draw());
    limited += fault == Fault::k429;
    cut += fault == Fault::kCut;
  }
  EXPECT_NEAR(limited, 1000, 120);
  EXPECT_NEAR(cut, 2000, 140);
  EXPECT_FALSE(plan.add("cut=0.5"));  // more than one in all
  for (const char* bad : {"429", "fire=0.1", "cut=x", "cut=-1", "cut=2", "cut=nan"}) {
    EXPECT_FALSE(FaultPlan().add(bad)) << bad;
  }
}

TEST_F(Replay, RefusesSamplesThatAreNone) {
  const std::vector<std::string> wrong = {file("w.jsonl", kOutcomes)};
  Data data;
  const auto refused = data.add_samples(wrong);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("w.jsonl:1"), std::string::npos)
      << refused.error().message;
}

TEST(TokenPieces, AddUpToTheTextAndNeverCutACharacter) {
  const std::string text = "Two words and \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E" +
                           std::string(60, 'x') + "\xF0\x9F\x99\x82";
  std::string all;
  for (const std::string_view piece : token_pieces(text)) {
    EXPECT_NE(static_cast<unsigned char>(piece.front()) & 0xC0, 0x80);
    all += piece;
  }
  EXPECT_EQ(all, text);
  EXPECT_TRUE(token_pieces("").empty());
}

}  // namespace
}  // namespace rung::replay
