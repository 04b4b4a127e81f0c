#include "gateway/admin_json.h"

#include <fmt/format.h>

#include <cmath>

namespace rung::gateway {
namespace {

using state::NanoUsd;

double ms(std::int64_t us) { return static_cast<double>(us) * 1e-3; }
/// Four digits after the point say all that a float of an estimate knows.
double rounded(float value) { return std::round(static_cast<double>(value) * 1e4) / 1e4; }

void text(std::string_view key, std::string_view value, json::Writer& w) {
  w.key(key);
  if (value.empty()) {
    w.null();
  } else {
    w.string(value);
  }
}
void money(std::string_view key, NanoUsd value, json::Writer& w) {
  w.key(key).number(value.usd().value);
}
void money(std::string_view key, const std::optional<NanoUsd>& value, json::Writer& w) {
  w.key(key);
  if (value) {
    w.number(value->usd().value);
  } else {
    w.null();
  }
}
void count(std::string_view key, const std::optional<std::int64_t>& value, json::Writer& w) {
  w.key(key).number_or_null(value);
}
void time(std::string_view key, const std::optional<std::int64_t>& us, json::Writer& w) {
  w.key(key);
  if (us) {
    w.number(ms(*us));
  } else {
    w.null();
  }
}
void estimate(std::string_view key, const std::optional<float>& value, json::Writer& w) {
  w.key(key);
  if (value) {
    w.number(rounded(*value));
  } else {
    w.null();
  }
}

void quantiles(std::string_view key, const state::Quantiles& q, json::Writer& w) {
  w.key(key);
  if (q.count == 0) {
    w.null();
    return;
  }
  w.begin_object().key("count").number(q.count).key("p50").number(ms(q.p50));
  w.key("p90").number(ms(q.p90)).key("p99").number(ms(q.p99)).end_object();
}

void list(std::string_view key, const std::vector<state::Totals>& items, json::Writer& w) {
  w.key(key).begin_array();
  for (const state::Totals& item : items) write(item, w);
  w.end_array();
}

/// The members that the short and the whole form share.
void common(const state::StoredDecision& stored, json::Writer& w) {
  const state::RequestRecord& r = stored.record;
  w.key("id").string(r.id.view()).key("time_us").number(r.time_us);
  text("route", r.route, w);
  text("requested_model", r.requested_model, w);
  text("arm", r.arm, w);
  text("served_model", r.served_model, w);
  w.key("outcome").string(name(r.outcome)).key("http_status").number(r.http_status);
  w.key("streaming").boolean(r.streaming);
  w.key("total_ms").number(ms(r.total_us));
  money("spent_usd", stored.spent, w);
  w.key("cost_unknown").number(stored.cost_unknown);
  text("reference_arm", r.reference_arm, w);
  money("reference_usd", r.reference_cost, w);
}

void write(const state::ArmEstimate& arm, json::Writer& w) {
  w.begin_object().key("arm").string(arm.arm);
  w.key("eligible").boolean(arm.why_not.empty());
  text("why_not", arm.why_not, w);
  estimate("quality", arm.quality, w);
  estimate("quality_se", arm.quality_se, w);
  money("cost_usd", arm.cost, w);
  estimate("completion_tokens", arm.completion_tokens, w);
  w.end_object();
}

void write(const state::CallRecord& call, json::Writer& w) {
  w.begin_object();
  text("upstream", call.upstream, w);
  text("model", call.model, w);
  text("step", call.step, w);
  w.key("attempt").number(call.attempt).key("outcome").string(name(call.outcome));
  w.key("status").number_or_null(call.status);
  text("error", call.error, w);
  w.key("start_ms").number(ms(call.start_us));
  time("first_byte_ms", call.first_byte_us, w);
  w.key("end_ms").number(ms(call.end_us));
  count("prompt_tokens", call.prompt_tokens, w);
  count("cached_tokens", call.cached_tokens, w);
  count("cache_write_tokens", call.cache_write_tokens, w);
  count("completion_tokens", call.completion_tokens, w);
  count("reasoning_tokens", call.reasoning_tokens, w);
  w.key("usage_source").string(name(call.usage_source));
  text("usage", call.usage, w);  // as a string: what a provider sent need not be JSON
  money("cost_usd", call.cost, w);
  w.end_object();
}

}  // namespace

void write(const state::Totals& t, json::Writer& w) {
  w.begin_object();
  text("name", t.name, w);
  w.key("requests").number(t.requests).key("failed").number(t.failed());
  w.key("outcomes").begin_object();
  for (std::size_t i = 0; i < std::size(state::kOutcomes); ++i) {
    w.key(name(state::kOutcomes[i])).number(t.outcomes[i]);
  }
  w.end_object();
  count("prompt_tokens", t.prompt_tokens, w);
  count("cached_tokens", t.cached_tokens, w);
  count("completion_tokens", t.completion_tokens, w);
  count("reasoning_tokens", t.reasoning_tokens, w);
  w.key("tokens_unknown")
      .number(t.tokens_unknown)
      .key("tokens_estimated")
      .number(t.tokens_estimated);
  money("spent_usd", t.spent, w);
  w.key("cost_unknown").number(t.cost_unknown).key("compared").number(t.compared);
  money("compared_spent_usd", t.compared_spent, w);
  money("compared_reference_usd", t.compared_reference, w);
  w.key("scored").number(t.scored);
  const bool scored = t.scored > 0;
  const auto score = [&](std::string_view key, double value) {
    w.key(key);
    if (scored) {
      w.number(value);
    } else {
      w.null();
    }
  };
  score("score", t.score);
  score("score_low", t.score_low);
  score("score_high", t.score_high);
  quantiles("total_ms", t.total, w);
  quantiles("first_byte_ms", t.first_byte, w);
  quantiles("gateway_ms", t.gateway, w);
  w.end_object();
}

void write(const state::Summary& s, json::Writer& w) {
  w.key("since_us").number(s.window.since_us).key("until_us").number(s.window.until_us);
  w.key("oldest_us").number_or_null(s.oldest_us).key("bucket_us").number(s.bucket_us);
  w.key("all");
  write(s.all, w);
  list("by_arm", s.by_arm, w);
  list("by_route", s.by_route, w);
  list("by_model", s.by_model, w);
  w.key("buckets").begin_array();
  for (const state::Bucket& bucket : s.buckets) {
    w.begin_object().key("start_us").number(bucket.start_us).key("arms").begin_array();
    for (const state::ArmCount& arm : bucket.arms) {
      w.begin_object();
      text("arm", arm.arm, w);
      w.key("requests").number(arm.requests).end_object();
    }
    w.end_array();
    money("spent_usd", bucket.spent, w);
    money("compared_spent_usd", bucket.compared_spent, w);
    money("compared_reference_usd", bucket.compared_reference, w);
    w.end_object();
  }
  w.end_array();
}

void write_short(const state::StoredDecision& stored, json::Writer& w) {
  w.begin_object();
  common(stored, w);
  w.end_object();
}

void write_whole(const state::StoredDecision& stored, json::Writer& w) {
  const state::RequestRecord& r = stored.record;
  w.begin_object();
  common(stored, w);
  text("key_name", r.key_name, w);
  text("upstream", r.upstream, w);
  text("strategy", r.strategy, w);
  text("policy", r.policy, w);
  w.key("policy_parameter").number_or_null(r.policy_parameter);
  text("predictor", r.predictor, w);
  text("reason", r.reason, w);
  text("runner_up", r.runner_up, w);
  w.key("propensity").number_or_null(r.propensity);
  w.key("seed").string(fmt::format("{}", r.seed));  // 64 bits do not fit a JavaScript number
  w.key("prompt_hash").string(fmt::format("{:016x}", r.prompt_hash));
  text("prompt", r.prompt, w);
  money("reference_estimate_usd", r.reference_estimate, w);
  money("charged_usd", r.charged, w);
  text("error", r.error, w);
  w.key("gateway_ms").number(ms(r.gateway_us));
  time("first_byte_ms", r.first_byte_us, w);
  w.key("arms").begin_array();
  for (const state::ArmEstimate& arm : r.arms) write(arm, w);
  w.end_array().key("calls").begin_array();
  for (const state::CallRecord& call : r.calls) write(call, w);
  w.end_array().key("feedback").begin_array();
  for (const state::FeedbackRecord& f : stored.feedback) {
    w.begin_object().key("score").number(f.score).key("time_us").number(f.time_us);
    text("source", f.source, w);
    text("comment", f.comment, w);
    w.end_object();
  }
  w.end_array().end_object();
}

}  // namespace rung::gateway
