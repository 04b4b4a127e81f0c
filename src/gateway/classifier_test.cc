#include "gateway/classifier.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "gateway/decider.h"
#include "json/value.h"

namespace rung::gateway {
namespace {

ClassifierConfig causal() {
  ClassifierConfig config;
  config.instructions = "Score it.";
  config.question = "[Question]\n{prompt}\n\nScore:";
  return config;
}

ClassifierConfig bert(std::string path = "/classify") {
  ClassifierConfig config;
  config.kind = ClassifierKind::kBert;
  config.path = std::move(path);
  return config;
}

/// A chat completion whose n-th token has these alternatives; the first of them is the token.
using Place = std::vector<std::pair<std::string, double>>;
std::string completion(const std::vector<Place>& places) {
  std::string content;
  for (const Place& place : places) {
    std::string listed;
    for (const auto& [token, logprob] : place)
      listed += fmt::format("{}{{\"token\":\"{}\",\"logprob\":{}}}", listed.empty() ? "" : ",",
                            token, logprob);
    content += fmt::format("{}{{\"token\":\"{}\",\"logprob\":{},\"top_logprobs\":[{}]}}",
                           content.empty() ? "" : ",", place[0].first, place[0].second, listed);
  }
  return fmt::format(R"({{"choices":[{{"index":0,"logprobs":{{"content":[{}]}}}}]}})", content);
}

double score(const ClassifierConfig& config, const std::string& body) {
  const auto s = classifier_score(config, body);
  EXPECT_TRUE(s) << s.error().message;
  return s ? *s : -1;
}
std::string refusal(const ClassifierConfig& config, const std::string& body) {
  const auto s = classifier_score(config, body);
  return s ? fmt::format("score {}", *s) : s.error().message;
}

// R8 of the RouteLLM specification: label logits, of which log probabilities differ by a constant.
const Place kGolden = {{"[[3]]", 1.0 - 9},
                       {"[[2]]", 0.4 - 9},
                       {"[[4]]", 0.2 - 9},
                       {"[[1]]", 0.1 - 9},
                       {"[[5]]", -0.3 - 9}};

TEST(Classifier, TheScoreOfACausalModelIsOneMinusTheChanceOfTheTwoBestLabels) {
  EXPECT_NEAR(score(causal(), completion({kGolden})), 0.730371501, 5e-10);
}

TEST(Classifier, TheFirstTokenThatIsALabelDecidesAndMayLackItsBrackets) {
  const Place words = {{"Sure", -0.1}, {"[[5]]", -0.2}};
  const Place later = {{"[[5]]", -0.001}, {"[[1]]", -9}};
  EXPECT_NEAR(score(causal(), completion({words, kGolden, later})), 0.730371501, 5e-10);
  Place bare = kGolden;
  for (auto& [token, logprob] : bare) token = token.substr(2, 1);
  EXPECT_NEAR(score(causal(), completion({{{"[[", -0.1}}, bare})), 0.730371501, 5e-10);
}

TEST(Classifier, TokensThatAreTheSameLabelAddUp) {
  const Place split = {{"[[1]]", std::log(0.5)},
                       {"[[4]]", std::log(0.2)},
                       {" 4", std::log(0.3)},
                       {"2", -80},
                       {"3", -80},
                       {"5", -80}};
  EXPECT_NEAR(score(causal(), completion({split})), 0.5, 1e-12);
}

TEST(Classifier, WhatIsNotListedIsTakenForStrong) {
  // 1, 2 and 3 may each be as likely as the last that is listed: 0.1.
  const Place some = {{"[[4]]", std::log(0.6)}, {"[[5]]", std::log(0.1)}};
  EXPECT_NEAR(score(causal(), completion({some})), 0.3, 1e-12);
  // No 4 and no 5 listed: they count nothing.
  EXPECT_EQ(score(causal(), completion({{{"[[2]]", std::log(0.9)}}})), 1);
}

TEST(Classifier, AReplyWithoutLabelsOrLogprobsHasNoScoreAndSaysWhatIsMissing) {
  EXPECT_EQ(refusal(causal(), completion({{{"Sure", -0.1}}})),
            "the reply holds none of the labels [[1]] to [[5]]");
  for (const char* none :
       {R"({"choices":[{"message":{"content":"[[4]]"}}]})", R"({"choices":[{"logprobs":null}]})",
        R"({"choices":[{"logprobs":{"content":null}}]})"})
    EXPECT_EQ(refusal(causal(), none),
              "the reply has no logprobs.content; expected an upstream that gives logprobs");
  EXPECT_EQ(refusal(causal(),
                    R"({"choices":[{"logprobs":{"content":[{"token":"[[4]]","logprob":0}]}}]})"),
            "the label comes without top_logprobs; expected those of all five labels");
  EXPECT_EQ(refusal(causal(), R"({"choices":[]})"), "the reply has no choices");
  EXPECT_EQ(refusal(causal(), R"({"choices":7})"), "the reply has no choices");
  EXPECT_EQ(refusal(causal(), "[]"), "the reply is no object");
  EXPECT_NE(refusal(causal(), "oops").find("the reply is not valid JSON"), std::string::npos);
  EXPECT_EQ(refusal(causal(), R"({"choices":[{"logprobs":{"content":[{"token":"[[4]]",
                "top_logprobs":[{"token":"[[4]]","logprob":"x"},{"token":"[[4]]"},7]}]}}]})"),
            "none of the labels [[1]] to [[5]] is among the top_logprobs");
}

TEST(Classifier, TheScoreOfBertIsItsFirstClassInTheFormsOfTwoServers) {
  // R7 of the RouteLLM specification: logits 1.2, 0.3, -0.5.
  const double sum = std::exp(1.2) + std::exp(0.3) + std::exp(-0.5);
  const double p[] = {std::exp(1.2) / sum, std::exp(0.3) / sum, std::exp(-0.5) / sum};
  EXPECT_NEAR(score(bert(), fmt::format(R"({{"data":[{{"label":"LABEL_0","probs":[{},{},{}]}}]}})",
                                        p[0], p[1], p[2])),
              0.629226363, 5e-10);
  EXPECT_NEAR(
      score(bert("/predict"),
            fmt::format(R"([{{"score":{},"label":"LABEL_2"}},{{"score":{},"label":"LABEL_0"}},
                                    {{"score":{},"label":"LABEL_1"}}])",
                        p[2], p[0], p[1])),
      0.629226363, 5e-10);
}

TEST(Classifier, ABertReplyOfOtherClassesIsRefused) {
  EXPECT_EQ(refusal(bert(), R"({"data":[{"probs":[0.5,0.5]}]})"),
            "the reply has no three probabilities; expected those of the classes strong wins, tie, "
            "weak wins");
  EXPECT_EQ(refusal(bert(), R"({"data":[{"probs":[0.5,0.2,0.2,0.1]}]})"),
            "the reply has more than three classes; expected three");
  EXPECT_EQ(refusal(bert(), R"({"data":[{"probs":[1.2,0.3,-0.5]}]})"),
            "the reply has no three probabilities; expected those of the classes strong wins, tie, "
            "weak wins");
  EXPECT_EQ(refusal(bert(), R"({"data":[{"probs":[0.9,0.9,0.9]}]})"),
            "the probabilities add up to 2.700; expected 1");
  EXPECT_NE(refusal(bert(), R"([{"label":"POSITIVE","score":1}])").find("other classes than"),
            std::string::npos);
  EXPECT_NE(refusal(bert(), R"([{"label":"LABEL_10","score":1}])").find("other classes than"),
            std::string::npos);
  EXPECT_NE(refusal(bert(), R"([{"label":"LABEL_1","score":1},{"label":"LABEL_1","score":1}])")
                .find("other classes than"),
            std::string::npos);
  for (const char* none : {"7", "[]", "{}", R"({"data":[]})", R"({"data":[{}]})"})
    EXPECT_EQ(refusal(bert(), none).find("score "), std::string::npos) << none;
}

TEST(Classifier, AsksWithThePromptInItsPlaceAndForTheLabelsAlternatives) {
  const std::string body = classifier_request(causal(), "judge-8b", "What \"is\" 2 + 2?");
  const auto root = json::parse(body);
  ASSERT_TRUE(root) << body;
  EXPECT_TRUE(json::find(*root, "model")->equals("judge-8b"));
  EXPECT_EQ(json::find(*root, "top_logprobs")->integer(), 20);
  EXPECT_EQ(json::find(*root, "temperature")->integer(), 0);
  std::vector<std::string> said;
  for (const json::Value message : json::elements(*json::find(*root, "messages")))
    said.push_back(json::find(message, "content")->text());
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0], "Score it.");
  EXPECT_EQ(said[1], "[Question]\nWhat \"is\" 2 + 2?\n\nScore:");
  EXPECT_EQ(classifier_request(bert(), "b", "hi"), R"({"model":"b","input":"hi"})");
  EXPECT_EQ(classifier_request(bert("/predict"), "b", "hi"), R"({"inputs":"hi","truncate":true})");
}

TEST(Classifier, ReadsTheEndOfALongPromptInWholeCharacters) {
  std::string text = "x";
  for (int i = 0; i < 5000; ++i) text += "é";
  const auto part = classified_part(text);
  EXPECT_EQ(part.size(), 8192u);
  text += "y";  // now a character straddles the limit
  EXPECT_EQ(classified_part(text).size(), 8191u);
  EXPECT_EQ(classified_part(text).substr(0, 2), "é");
  EXPECT_EQ(classified_part("short"), "short");
}

// Routes with a classifier.
const std::string kYaml = R"(
upstreams: {u: {base_url: http://127.0.0.1:1/v1}}
models:
  small: {upstream: u, supports: [tools]}
  large: {upstream: u, supports: [tools, vision]}
  third: {upstream: u, supports: [tools, vision]}
  judge: {upstream: u, name: judge-8b, price: {input: 0.2, output: 0.2}}
routes:
  auto:
    arms: [small, large, third]
    predictor: {kind: causal_llm, model: judge}
    policy: {kind: threshold, threshold: 0.5, strong: large, weak: small}
)";

class ClassifierRoute : public testing::Test {
 protected:
  static Result<std::shared_ptr<const Snapshot>> snapshot(const std::string& from = {},
                                                          const std::string& to = {}) {
    std::string yaml = kYaml;
    if (!from.empty()) yaml.replace(yaml.find(from), from.size(), to);
    auto config = parse_config(yaml, "/tmp", process_environment());
    if (!config) return config.error();
    return make_snapshot(*std::move(config));
  }
  void SetUp() override {
    auto made = snapshot();
    ASSERT_TRUE(made) << made.error().message;
    snapshot_ = *made;
  }
  wire::ChatRequest request(const std::string& model, const std::string& more = "") {
    body_ =
        R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hi"}])" + more + "}";
    auto parsed = wire::parse_chat_request(body_);
    EXPECT_TRUE(parsed);
    return *parsed;
  }
  Result<Choice> decide(const std::string& model, const Ahead& ahead) {
    return decide_chat(*snapshot_, request(model), {}, 1, scratch_, &ahead);
  }
  std::shared_ptr<const Snapshot> snapshot_;
  DeciderScratch scratch_;
  std::string body_;
};

TEST_F(ClassifierRoute, ItsScoreIsHeldAgainstTheThresholdOfTheRouteOrOfTheName) {
  EXPECT_EQ(decide("auto", {0.5, {}})->arm->label, "large");  // inclusive
  const auto weak = decide("auto", {0.39, {}});
  EXPECT_EQ(weak->arm->label, "small");
  EXPECT_EQ(weak->reason, "large beats small with chance 0.390, below the threshold 0.5");
  EXPECT_NEAR(weak->outlook[1].quality, 0.39, 1e-12);
  EXPECT_TRUE(weak->outlook[1].is_scored);
  for (const char* model : {"router-causal_llm-0.8", "router-causal-llm-0.8", "router-auto-0.8"})
    EXPECT_EQ(decide(model, {0.79, {}})->arm->label, "small") << model;
  EXPECT_EQ(decide("router-causal-llm-0.8", {0.81, {}})->arm->label, "large");
  EXPECT_EQ(decide("router-causal-llm-0", {0.0, {}})->arm->label, "large")
      << "tau 0: always strong";
  EXPECT_EQ(decide("router-causal-llm-2", {0.81, {}}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ClassifierRoute, WhereItFailsStrongIsTakenAndNothingIsPretendedToBeMeasured) {
  for (const char* model : {"auto", "router-causal-llm-1"}) {
    const auto choice = decide(model, {std::nullopt, "the classifier gave no score"});
    EXPECT_EQ(choice->arm->label, "large");
    EXPECT_EQ(choice->reason, "large, since the classifier gave no score");
    EXPECT_FALSE(choice->outlook[0].is_scored || choice->outlook[1].is_scored);
  }
}

TEST_F(ClassifierRoute, IsAskedOnlyWhereThereIsSomethingToChoose) {
  const auto asks = [&](const wire::ChatRequest& r, const Overrides& o = {}) {
    return looks_ahead(*snapshot_, r, o) != nullptr;
  };
  EXPECT_TRUE(asks(request("auto")));
  EXPECT_TRUE(asks(request("router-causal-llm-0.3")));
  EXPECT_FALSE(asks(request("small")));
  EXPECT_FALSE(asks(request("nobody")));
  Overrides pinned;
  pinned.arm = "third";
  EXPECT_FALSE(asks(request("auto"), pinned));
  EXPECT_EQ(decide_chat(*snapshot_, request("auto"), pinned, 1, scratch_)->arm->label, "third");
  // Only large can look at images.
  const std::string image = R"(,"messages":[{"role":"user","content":[{"type":"image_url"}]}])";
  EXPECT_FALSE(asks(request("auto", image)));
  EXPECT_EQ(decide_chat(*snapshot_, request("auto", image), {}, 1, scratch_)->arm->label, "large");
  const auto other =
      decide_chat(*snapshot_, request("auto"), *parse_overrides("0.1", "", "", ""), 1, scratch_);
  EXPECT_NE(other.error().message.find("the classifier of route auto (causal_llm) gives chances"),
            std::string::npos);
}

TEST_F(ClassifierRoute, MistakesInItsConfigurationHaveTheirLine) {
  const auto refusal = [](const std::string& from, const std::string& to) {
    const auto made = snapshot(from, to);
    return made ? std::string("(accepted)") : made.error().message;
  };
  EXPECT_EQ(refusal("kind: causal_llm", "kind: gpt"),
            "line 11: routes.auto.predictor.kind is \"gpt\"; known are causal_llm and bert; a "
            "trained router is named by its file alone");
  EXPECT_EQ(refusal("model: judge}", "model: juge}"),
            "line 11: routes.auto.predictor.model is \"juge\", which is not defined; did you mean "
            "judge?");
  EXPECT_EQ(refusal("model: judge}", "model: judge, question: hi}"),
            "line 11: routes.auto.predictor.question does not say where the prompt goes; expected "
            "a text with {prompt}");
  EXPECT_EQ(refusal("model: judge}", "model: judge, path: /x}"),
            "line 11: unknown key routes.auto.predictor.path; known are kind, name, model, "
            "timeout_ms, instructions, question, top_logprobs");
  EXPECT_EQ(refusal("kind: causal_llm, model: judge", "kind: bert, model: judge, path: x"),
            "line 11: routes.auto.predictor.path is \"x\"; expected one that begins with a slash");
  EXPECT_EQ(refusal("kind: threshold, threshold: 0.5, strong: large, weak: small",
                    "kind: tradeoff, usd_per_point: 1"),
            "line 12: routes.auto.policy does not fit a classifier; expected {kind: threshold, "
            "threshold: 0 to 1, strong: ARM, weak: ARM}");
  EXPECT_EQ(refusal("base_url: http", "dialect: anthropic, base_url: http"),
            "line 11: routes.auto.predictor.model is judge, whose upstream speaks anthropic; "
            "expected one that speaks openai");
  EXPECT_EQ(refusal("model: judge}", "model: judge, name: mine, timeout_ms: 50}"), "(accepted)");
}

}  // namespace
}  // namespace rung::gateway
