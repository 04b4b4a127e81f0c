#include "gateway/admission.h"

#include <gtest/gtest.h>

#include "state/testing.h"
#include "wire/exchange.h"

namespace rung::gateway {
namespace {

using state::NanoUsd;
using state::testing::kNoon;

ModelConfig a_model() {
  ModelConfig model;
  model.name = "large";
  model.price = PriceConfig{.input = {1}, .output = {10}};
  model.abilities.context_tokens = 100'000;
  model.max_output_tokens = 4000;
  return model;
}

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    choice_.model = &model_;
    choice_.prompt_tokens = 3;
    auto key = std::make_shared<Key>();
    key->spec.name = "alice";
    key->spec.limits.usd_total = NanoUsd{100'000'000};
    key->account = std::make_shared<state::Account>(key->spec.limits, state::Spent{}, kNoon);
    key_ = key;
  }
  wire::Request request(const std::string& body, wire::Dialect dialect = wire::Dialect::kChat) {
    auto parsed = wire::parse_request(dialect, body);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
    return *std::move(parsed);
  }
  Result<void> reserve(Admission& admission, const std::string& body) {
    return admission.reserve(key_, KeyRing{}, choice_, request(body), body, config_, kNoon);
  }
  NanoUsd held() { return key_->account->state(kNoon).held; }
  NanoUsd spent() { return key_->account->state(kNoon).spent.total; }

  ModelConfig model_ = a_model();
  Config config_;
  Choice choice_;
  std::shared_ptr<const Key> key_;
};

const std::string kBody =
    R"({"model":"large","max_tokens":100,"messages":[{"role":"user","content":"Say hello."}]})";

state::CallRecord call(std::optional<NanoUsd> cost, state::Outcome outcome = state::Outcome::kOk,
                       std::optional<std::int32_t> status = 200) {
  state::CallRecord record;
  record.cost = cost;
  record.outcome = outcome;
  record.status = status;
  return record;
}

TEST_F(AdmissionTest, ReservesByteByByteAndTheWholeAnswer) {
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  EXPECT_EQ(held().count, static_cast<std::int64_t>(kBody.size() + 1024) * 1000 + 100 * 10'000);
}

TEST_F(AdmissionTest, WithoutALimitTheLongestAnswerOfTheModelOrTheConfiguredOneIsReserved) {
  const std::string body = R"({"model":"large","n":2,"messages":[{"role":"user","content":"x"}]})";
  const auto facts = spend_facts(request(body), body, choice_);
  EXPECT_EQ(most_of(model_, facts, 16384)->count, facts.prompt_tokens * 1000 + 2 * 4000 * 10'000);
  model_.max_output_tokens.reset();
  EXPECT_EQ(most_of(model_, facts, 16384)->count, facts.prompt_tokens * 1000 + 2 * 16384 * 10'000);
  model_.abilities.context_tokens = 8000;
  EXPECT_EQ(most_of(model_, facts, 16384)->count, facts.prompt_tokens * 1000 + 2 * 8000 * 10'000);
}

TEST_F(AdmissionTest, AnImageCountsByItselfAndNotByItsBytes) {
  const std::string data(3'000'000, 'A');
  const std::string chat =
      R"({"model":"large","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
      data + R"("}},{"type":"text","text":"What is it?"}]}]})";
  const auto of_chat = spend_facts(request(chat), chat, choice_);
  EXPECT_LT(of_chat.prompt_tokens, 20'000);
  EXPECT_GT(of_chat.prompt_tokens, 16'000);
  const std::string messages =
      R"({"model":"large","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":")" +
      data + R"("}},{"type":"text","text":"What is it?"}]}]})";
  const auto of_messages =
      spend_facts(request(messages, wire::Dialect::kMessages), messages, choice_);
  EXPECT_LT(of_messages.prompt_tokens, 20'000);
  EXPECT_GT(of_messages.prompt_tokens, 16'000);
}

TEST_F(AdmissionTest, APromptThatOnlyTheHostHasFillsTheWindow) {
  const std::string body = R"({"model":"large","previous_response_id":"resp_1","input":"go on"})";
  const auto facts = spend_facts(request(body, wire::Dialect::kResponses), body, choice_);
  EXPECT_GE(most_of(model_, facts, 1)->count, 100'000 * 1000);
}

TEST_F(AdmissionTest, GivesBackWhatARequestThatNeverEndedHeld) {
  {
    Admission admission;
    ASSERT_TRUE(reserve(admission, kBody));
    EXPECT_GT(held().count, 0);
  }
  EXPECT_EQ(held().count, 0);
  EXPECT_EQ(spent().count, 0);
}

TEST_F(AdmissionTest, ChargesTheSumOfAllCalls) {
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  state::RequestRecord record;
  record.calls = {call(NanoUsd{300}), call(NanoUsd{500}), call(NanoUsd{7})};
  admission.settle(record, kNoon);
  EXPECT_EQ(spent().count, 807);
  EXPECT_FALSE(record.charged) << "the known costs say it all";
}

TEST_F(AdmissionTest, ChargesTheReservationWhereASuccessSaysNotWhatItUsed) {
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  const NanoUsd most = held();
  state::RequestRecord record;
  record.calls = {call(std::nullopt)};
  admission.settle(record, kNoon);
  EXPECT_EQ(spent(), most);
  EXPECT_EQ(record.charged, most);
}

TEST_F(AdmissionTest, ChargesNothingForAnErrorOfTheUpstream) {
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  state::RequestRecord record;
  record.calls = {call(std::nullopt, state::Outcome::kUpstreamError, 500),
                  call(std::nullopt, state::Outcome::kUpstreamError, std::nullopt)};
  admission.settle(record, kNoon);
  EXPECT_EQ(spent().count, 0);
}

TEST_F(AdmissionTest, ChargesACallThatWasCutWhatItWasExpectedToCost) {
  Arm arm{.label = "large",
          .model = &model_,
          .effort = {},
          .strategy = {},
          .known_as = {},
          .why_unscored = {}};
  choice_.arm = &arm;
  ArmOutlook look;
  look.arm = &arm;
  look.has_tokens = true;
  look.completion_tokens = 20;
  choice_.outlook.push_back(look);
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  state::RequestRecord record;
  record.calls = {call(std::nullopt, state::Outcome::kClientGone, std::nullopt)};
  admission.settle(record, kNoon);
  EXPECT_EQ(spent().count, 3 * 1000 + 20 * 10'000);
}

TEST_F(AdmissionTest, EveryFurtherCallIsCoveredBeforeItIsMade) {
  Admission admission;
  ASSERT_TRUE(reserve(admission, kBody));
  const NanoUsd one = held();
  state::RequestRecord record;
  record.calls = {call(std::nullopt, state::Outcome::kUpstreamError, 503)};
  ASSERT_TRUE(admission.cover(record, model_, kNoon));
  EXPECT_EQ(held(), one) << "what failed cost nothing: its reservation serves the next";
  record.calls.push_back(call(NanoUsd{5000}));
  ASSERT_TRUE(admission.cover(record, model_, kNoon));
  EXPECT_EQ(held().count, one.count + 5000);
  ModelConfig dear = a_model();
  dear.name = "dear";
  dear.price->output = UsdPerMillion{1000};
  const auto refused = admission.cover(record, dear, kNoon);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverBudget);
  EXPECT_EQ(held().count, one.count + 5000);
  ModelConfig unpriced = a_model();
  unpriced.price.reset();
  EXPECT_EQ(admission.cover(record, unpriced, kNoon).error().code, ErrorCode::kForbidden);
}

TEST_F(AdmissionTest, ARefusalByTheRouteTakesNothingFromTheKey) {
  Route route;
  route.name = "auto";
  choice_.route = &route;
  KeyRing ring;
  ring.routes["auto"] = std::make_shared<state::Account>(state::Limits{.requests_per_minute = 0},
                                                         state::Spent{}, kNoon);
  Admission admission;
  const auto refused =
      admission.reserve(key_, ring, choice_, request(kBody), kBody, config_, kNoon);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_NE(refused.error().message.find("route auto is limited to 0 requests per minute"),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(held().count, 0);
  std::vector<HttpHeader> headers{{"x-ratelimit-limit-requests", "of the upstream"}};
  admission.add_headers(headers, kNoon);
  EXPECT_EQ(headers[0].value, "0") << "ours instead of the upstream's";
}

TEST_F(AdmissionTest, WithoutKeyAndLimitsNothingIsAdded) {
  Admission admission;
  ASSERT_TRUE(
      admission.reserve(nullptr, KeyRing{}, choice_, request(kBody), kBody, config_, kNoon));
  std::vector<HttpHeader> headers{{"x-ratelimit-limit-requests", "of the upstream"}};
  admission.add_headers(headers, kNoon);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].value, "of the upstream");
}

}  // namespace
}  // namespace rung::gateway
