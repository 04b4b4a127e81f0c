#include "gateway/trace.h"

#include <gtest/gtest.h>

#include "gateway/log.h"
#include "json/value.h"
#include "state/testing.h"

namespace rung::gateway {
namespace {

using state::testing::answered;
using state::testing::kNoon;

/// Keeps what it is offered.
struct Kept final : TraceExporter {
  double share = 1;
  std::string spans;
  std::size_t count = 0;
  double sample() const override { return share; }
  void offer(std::string&& its_spans, std::size_t its_count, std::size_t) override {
    spans = std::move(its_spans);
    count += its_count;
  }
  TraceExporterStats stats() const override { return {}; }
};

HttpRequestHead head_with(const std::vector<HttpHeader>& headers) {
  HttpRequestHead head;
  head.method = "POST";
  head.target = "/v1/chat/completions?beta=true";
  head.path = "/v1/chat/completions";
  for (const HttpHeader& header : headers) head.headers.add(header.name, header.value);
  return head;
}

/// Text of an attribute of span number `index`; "" if it has none.
std::string attribute(const std::string& spans, std::size_t index, std::string_view key) {
  const std::string whole = "[" + spans + "]";
  const auto parsed = json::parse(whole);
  EXPECT_TRUE(parsed) << whole;
  std::size_t at = 0;
  for (const json::Value span : json::elements(*parsed)) {
    if (at++ != index) continue;
    for (const json::Value item : json::elements(*json::find(span, "attributes"))) {
      if (!json::find(item, "key")->equals(key)) continue;
      for (const json::Member& member : json::members(*json::find(item, "value")))
        return member.value.is_string() ? member.value.text() : std::string(member.value.raw);
    }
  }
  return {};
}

std::string field(const std::string& spans, std::size_t index, std::string_view key) {
  const std::string whole = "[" + spans + "]";
  const auto parsed = json::parse(whole);
  std::size_t at = 0;
  for (const json::Value span : json::elements(*parsed)) {
    if (at++ != index) continue;
    const auto value = json::find(span, key);
    if (!value) return {};
    return value->is_string() ? value->text() : std::string(value->raw);
  }
  return {};
}

Config config() {
  Config made;
  UpstreamConfig upstream;
  upstream.name = "local";
  upstream.base_url.host = "api.openai.com";
  upstream.base_url.port = 443;
  made.upstreams.push_back(upstream);
  return made;
}

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(RequestTrace, ARequestIsASpanForItselfItsDecisionAndEachCall) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({}), 7);
  state::DecisionIdSource ids{1};
  state::RequestRecord record = answered(ids);
  record.calls.push_back(record.calls[0]);
  trace.finish(record, 90, config(), 0);
  EXPECT_EQ(kept.count, 4u);
  EXPECT_EQ(field(kept.spans, 0, "name"), "POST /v1/chat/completions");
  EXPECT_EQ(field(kept.spans, 0, "kind"), "2");
  EXPECT_EQ(field(kept.spans, 0, "parentSpanId"), "");
  EXPECT_EQ(field(kept.spans, 1, "name"), "rung.decide");
  EXPECT_EQ(field(kept.spans, 2, "name"), "chat qwen3-8b");
  EXPECT_EQ(field(kept.spans, 2, "kind"), "3");
  const std::string root = field(kept.spans, 0, "spanId");
  for (const std::size_t child : {1u, 2u, 3u}) {
    EXPECT_EQ(field(kept.spans, child, "parentSpanId"), root);
    EXPECT_EQ(field(kept.spans, child, "traceId"), field(kept.spans, 0, "traceId"));
  }
  EXPECT_NE(field(kept.spans, 2, "spanId"), field(kept.spans, 3, "spanId"));
  EXPECT_EQ(field(kept.spans, 0, "startTimeUnixNano"), std::to_string(kNoon) + "000");
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.operation.name"), "chat");
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.provider.name"), "openai");
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.request.model"), "qwen3-8b");
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.usage.input_tokens"), "100");
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.usage.output_tokens"), "50");
  EXPECT_EQ(attribute(kept.spans, 1, "rung.reason"), record.reason);
}

TEST(RequestTrace, OnlyTheCallsOfModelsCarryAttributesOfGenerativeAi) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({}), 7);
  state::DecisionIdSource ids{1};
  trace.finish(answered(ids), 90, config(), 0);
  const std::size_t calls_begin = kept.spans.find("\"chat qwen3-8b\"");
  EXPECT_GT(kept.spans.find("gen_ai."), calls_begin);
}

TEST(RequestTrace, TheCallersSpanIsTheParentAndTheUpstreamGetsOurs) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({{"traceparent", kParent}, {"tracestate", "vendor=1"}}), 7);
  std::string text;
  std::vector<HttpHeader> headers{{"traceparent", kParent}, {"tracestate", "vendor=1"}};
  trace.pass_on(0, text, headers);
  const auto passed = parse_traceparent(headers[0].value);
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->trace, parse_traceparent(kParent)->trace);
  EXPECT_NE(passed->span, parse_traceparent(kParent)->span);
  EXPECT_EQ(headers.size(), 2u) << "no second header";
  state::DecisionIdSource ids{1};
  trace.finish(answered(ids), 90, config(), 0);
  EXPECT_EQ(field(kept.spans, 0, "parentSpanId"), "00f067aa0ba902b7");
  EXPECT_EQ(field(kept.spans, 0, "traceState"), "vendor=1");
  const auto span = hex(passed->span);
  EXPECT_EQ(field(kept.spans, 2, "spanId"), std::string(span.begin(), span.end()))
      << "what the upstream was told is the span of that call";
}

TEST(RequestTrace, ACallerThatDoesNotSampleIsNotSampledButPassedOn) {
  Kept kept;
  RequestTrace trace;
  std::string unsampled(kParent);
  unsampled.replace(53, 2, "00");
  trace.begin(&kept, head_with({{"traceparent", unsampled}}), 7);
  std::string text;
  std::vector<HttpHeader> headers;
  trace.pass_on(0, text, headers);
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_FALSE(parse_traceparent(headers[0].value)->sampled);
  state::DecisionIdSource ids{1};
  trace.finish(answered(ids), 90, config(), 0);
  EXPECT_EQ(kept.count, 0u);
}

TEST(RequestTrace, ABrokenParentStartsATraceOfItsOwn) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({{"traceparent", "00-zz"}, {"tracestate", "vendor=1"}}), 7);
  std::string text;
  std::vector<HttpHeader> headers{{"traceparent", "00-zz"}, {"tracestate", "vendor=1"}};
  trace.pass_on(0, text, headers);
  ASSERT_EQ(headers.size(), 1u) << "the state belongs to a trace that nobody knows";
  EXPECT_TRUE(parse_traceparent(headers[0].value));
}

TEST(RequestTrace, TheShareOfRequestsThatIsTracedIsTheOneAskedFor) {
  Kept kept;
  kept.share = 0.25;
  state::DecisionIdSource ids{1};
  const state::RequestRecord record = answered(ids);
  std::size_t traced = 0;
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    RequestTrace trace;
    trace.begin(&kept, head_with({}), seed * 0x9e3779b97f4a7c15u);
    const std::size_t before = kept.count;
    trace.finish(record, 90, config(), 0);
    traced += kept.count > before;
  }
  EXPECT_NEAR(static_cast<double>(traced), 1000, 120);
}

TEST(RequestTrace, AFailedCallIsAnErrorAndAClientsMistakeIsNotOursToCount) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({}), 7);
  state::DecisionIdSource ids{1};
  state::RequestRecord record = answered(ids);
  record.outcome = record.calls[0].outcome = state::Outcome::kUpstreamError;
  record.calls[0].status = record.http_status = 429;
  record.calls[0].error = "local answered with status 429";
  trace.finish(record, 90, config(), 0);
  EXPECT_EQ(attribute(kept.spans, 2, "error.type"), "429");
  EXPECT_NE(field(kept.spans, 2, "status").find("429"), std::string::npos);
  EXPECT_EQ(field(kept.spans, 0, "status"), "") << "a 4xx leaves the server span unset";
}

TEST(RequestTrace, WhatIsNotKnownIsAbsentAndNoTextOfThePromptIsThere) {
  Kept kept;
  RequestTrace trace;
  trace.begin(&kept, head_with({}), 7);
  state::DecisionIdSource ids{1};
  state::RequestRecord record = answered(ids);
  record.prompt = "my deepest secret";
  record.calls[0].prompt_tokens.reset();
  record.calls[0].cost.reset();
  trace.finish(record, 90, config(), 0);
  EXPECT_EQ(attribute(kept.spans, 2, "gen_ai.usage.input_tokens"), "");
  EXPECT_EQ(attribute(kept.spans, 2, "rung.cost_usd"), "");
  EXPECT_EQ(kept.spans.find("deepest"), std::string::npos);
}

TEST(RequestTrace, WithoutAnExporterTheCallersHeaderPassesAsItCame) {
  RequestTrace trace;
  trace.begin(nullptr, head_with({{"traceparent", kParent}}), 7);
  std::string text;
  std::vector<HttpHeader> headers{{"traceparent", kParent}};
  trace.pass_on(0, text, headers);
  EXPECT_EQ(headers[0].value, kParent);
  EXPECT_EQ(trace.trace_id(), "");
}

TEST(RequestLine, AsJsonItIsOneObjectWithItsNumbersAsNumbers) {
  state::DecisionIdSource ids{1};
  state::RequestRecord record = answered(ids);
  record.error = "a \"quoted\" word";
  const std::string line = "{" + request_line(record, "abc", true) + "}";
  const auto parsed = json::parse(line);
  ASSERT_TRUE(parsed) << line;
  EXPECT_EQ(json::find(*parsed, "status")->integer(), 200);
  EXPECT_TRUE(json::find(*parsed, "decision_id")->equals(record.id.view()));
  EXPECT_TRUE(json::find(*parsed, "trace_id")->equals("abc"));
  EXPECT_DOUBLE_EQ(*json::find(*parsed, "cost_usd")->number(), 1e-6);
  record.calls[0].cost.reset();
  EXPECT_EQ(request_line(record, "", true).find("cost_usd"), std::string::npos)
      << "unknown is not 0";
}

}  // namespace
}  // namespace rung::gateway
