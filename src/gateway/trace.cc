#include "gateway/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/random.h"
#include "json/write.h"

namespace rung::gateway {
namespace {

// Numbers of the specification: SpanKind and Status.code.
constexpr int kInternal = 1, kServer = 2, kClient = 3;
constexpr int kStatusError = 2;

std::string_view view(const auto& digits) { return {digits.data(), digits.size()}; }

/// Writes one span, attribute by attribute.
class Span {
 public:
  Span(json::Writer& w, TraceId trace, std::uint64_t id, std::uint64_t parent,
       std::string_view name, int kind)
      : w_(w) {
    w_.begin_object().key("traceId").string(view(hex(trace))).key("spanId").string(view(hex(id)));
    if (parent != 0) w_.key("parentSpanId").string(view(hex(parent)));
    w_.key("name").string(name).key("kind").number(kind);
  }
  void state(std::string_view state) {
    if (!state.empty()) w_.key("traceState").string(state);
  }
  /// Microseconds since 1970; the format wants nanoseconds as a string.
  void times(std::int64_t start_us, std::int64_t end_us) {
    w_.key("startTimeUnixNano").string(fmt::format("{}000", start_us));
    w_.key("endTimeUnixNano").string(fmt::format("{}000", std::max(start_us, end_us)));
    w_.key("attributes").begin_array();
  }
  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    open(key).key("stringValue").string(value);
    close();
  }
  void integer(std::string_view key, const std::optional<std::int64_t>& value) {
    if (!value) return;
    open(key).key("intValue").string(fmt::format("{}", *value));
    close();
  }
  void real(std::string_view key, const std::optional<double>& value) {
    if (!value) return;
    open(key).key("doubleValue").number(*value);
    close();
  }
  void flag(std::string_view key, bool value) {
    open(key).key("boolValue").boolean(value);
    close();
  }
  /// Ends the span; `error` empty: it went well, which is left unset as the conventions ask.
  void end(bool failed, std::string_view error) {
    w_.end_array();
    if (failed) {
      w_.key("status").begin_object().key("code").number(kStatusError);
      if (!error.empty()) w_.key("message").string(error);
      w_.end_object();
    }
    w_.end_object();
  }

 private:
  json::Writer& open(std::string_view key) {
    return w_.begin_object().key("key").string(key).key("value").begin_object();
  }
  void close() { w_.end_object().end_object(); }
  json::Writer& w_;
};

std::optional<double> dollars(const std::optional<state::NanoUsd>& amount) {
  if (!amount) return std::nullopt;
  return amount->usd().value;
}

/// "timeout", or the status where an answer came: `error.type` of the conventions.
std::string error_type(state::Outcome outcome, std::int32_t status) {
  if (outcome == state::Outcome::kOk) return {};
  if (outcome == state::Outcome::kUpstreamError && status >= 400) return fmt::format("{}", status);
  return std::string(name(outcome));
}

std::string_view operation_of(std::string_view path) {
  return path.ends_with("/embeddings") ? "embeddings" : "chat";
}

const UpstreamConfig* find_upstream(const Config& config, std::string_view name) {
  for (const UpstreamConfig& upstream : config.upstreams)
    if (upstream.name == name) return &upstream;
  return nullptr;
}

}  // namespace

std::string_view provider_name(const UpstreamConfig& upstream) {
  constexpr std::pair<std::string_view, std::string_view> kHosts[] = {
      {"api.openai.com", "openai"},
      {"api.anthropic.com", "anthropic"},
      {"generativelanguage.googleapis.com", "gcp.gemini"},
      {"api.groq.com", "groq"},
      {"api.mistral.ai", "mistral_ai"},
      {"api.deepseek.com", "deepseek"},
      {"api.x.ai", "x_ai"},
      {"api.perplexity.ai", "perplexity"},
      {"api.cohere.com", "cohere"}};
  const std::string_view host = upstream.base_url.host;
  for (const auto& [known, name] : kHosts)
    if (host == known) return name;
  if (host.ends_with(".openai.azure.com")) return "azure.ai.openai";
  return upstream.dialect;
}

void RequestTrace::begin(TraceExporter* exporter, const HttpRequestHead& head, std::uint64_t seed) {
  if (exporter == nullptr) return;
  exporter_ = exporter;
  if (const auto caller = parse_traceparent(head.headers.get("traceparent"))) {
    own_ = *caller;
    parent_ = caller->span;
    state_ = head.headers.get("tracestate");
  } else {
    own_.trace = {mix64(seed ^ 0x74726163650001), mix64(seed ^ 0x74726163650002)};
    // Of the same seed as the request's id, but of other bits: half of the ids is half of them.
    Rng rng(seed);
    own_.sampled = rng.uniform() < exporter->sample();
  }
  own_.span = mix64(seed ^ 0x7370616e);
  if (own_.span == 0) own_.span = 1;
  if (!own_.sampled) return;
  method_ = head.method;
  path_ = head.path;
}

std::uint64_t RequestTrace::span_of(std::uint64_t number) const {
  const std::uint64_t id = mix64(own_.span + number);
  return id == 0 ? 1 : id;
}

std::string RequestTrace::trace_id() const {
  return own_.trace.is_set() ? std::string(view(hex(own_.trace))) : std::string();
}

void RequestTrace::pass_on(std::size_t call, std::string& text,
                           std::vector<HttpHeader>& headers) const {
  if (exporter_ == nullptr) return;
  TraceParent next = own_;
  next.span = span_of(2 + call);
  text = view(format_traceparent(next));
  bool passed = false;
  // A caller's header that could not be read is no parent; nor is what came with it.
  std::erase_if(headers, [&](const HttpHeader& header) {
    return parent_ == 0 && same_name(header.name, "tracestate");
  });
  for (HttpHeader& header : headers) {
    if (!same_name(header.name, "traceparent")) continue;
    header.value = text;
    passed = true;
  }
  if (!passed) headers.push_back({"traceparent", text});
}

void RequestTrace::finish(const state::RequestRecord& record, std::int64_t decision_us,
                          const Config& config, std::size_t worker) const {
  if (exporter_ == nullptr || !own_.sampled) return;
  json::Writer w;
  std::size_t count = 1;
  const std::int64_t start = record.time_us;
  {
    // An HTTP server span: what the gateway is. The conventions of generative AI are for the calls.
    Span span(w, own_.trace, own_.span, parent_, fmt::format("{} {}", method_, path_), kServer);
    span.state(state_);
    span.times(start, start + record.total_us);
    span.text("http.request.method", method_);
    span.text("http.route", path_);
    span.text("url.path", path_);
    if (record.http_status > 0) span.integer("http.response.status_code", record.http_status);
    span.text("rung.decision_id", record.id.view());
    span.text("rung.key", record.key_name);
    span.text("rung.requested_model", record.requested_model);
    span.text("rung.model", record.served_model);
    span.text("rung.outcome", name(record.outcome));
    span.flag("rung.streaming", record.streaming);
    span.integer("rung.first_byte_us", record.first_byte_us);
    span.integer("rung.gateway_us", record.gateway_us);
    // A client's mistake is no failure of the server (HTTP conventions); a client that left is not
    // either.
    const bool failed = record.outcome != state::Outcome::kOk &&
                        record.outcome != state::Outcome::kClientGone &&
                        (record.http_status == 0 || record.http_status >= 500);
    span.text("error.type", failed ? error_type(record.outcome, record.http_status) : "");
    span.end(failed, record.error);
  }
  if (decision_us >= 0 && !record.arm.empty()) {
    ++count;
    // It ends where the first call begins, but for the microseconds of writing the request.
    const std::int64_t end =
        start + (record.calls.empty() ? record.total_us : record.calls.front().start_us);
    Span span(w, own_.trace, span_of(1), own_.span, "rung.decide", kInternal);
    span.times(end - decision_us, end);
    span.text("rung.route", record.route);
    span.text("rung.arm", record.arm);
    span.text("rung.reason", record.reason);
    span.text("rung.runner_up", record.runner_up);
    span.text("rung.policy", record.policy);
    span.text("rung.predictor", record.predictor);
    span.real("rung.propensity", record.propensity);
    span.integer("rung.arms", static_cast<std::int64_t>(record.arms.size()));
    span.end(false, {});
  }
  for (std::size_t i = 0; i < record.calls.size(); ++i) {
    ++count;
    const state::CallRecord& call = record.calls[i];
    const UpstreamConfig* upstream = find_upstream(config, call.upstream);
    const std::string_view operation = operation_of(path_);
    Span span(w, own_.trace, span_of(2 + i), own_.span, fmt::format("{} {}", operation, call.model),
              kClient);
    span.times(start + call.start_us, start + call.end_us);
    span.text("gen_ai.operation.name", operation);
    if (upstream != nullptr) {
      span.text("gen_ai.provider.name", provider_name(*upstream));
      span.text("server.address", upstream->base_url.host);
      span.integer("server.port", upstream->base_url.port);
    }
    span.text("gen_ai.request.model", call.model);
    span.integer("gen_ai.usage.input_tokens", call.prompt_tokens);
    span.integer("gen_ai.usage.cache_read.input_tokens", call.cached_tokens);
    span.integer("gen_ai.usage.output_tokens", call.completion_tokens);
    span.integer("rung.usage.reasoning_tokens", call.reasoning_tokens);
    span.text("rung.usage.source", name(call.usage_source));
    span.real("rung.cost_usd", dollars(call.cost));
    span.text("rung.upstream", call.upstream);
    span.text("rung.step", call.step);
    span.integer("rung.attempt", call.attempt);
    if (call.status) span.integer("http.response.status_code", *call.status);
    if (call.first_byte_us) span.integer("rung.first_byte_us", *call.first_byte_us - call.start_us);
    const bool failed = call.outcome != state::Outcome::kOk;
    span.text("error.type", error_type(call.outcome, call.status.value_or(0)));
    span.end(failed, call.error);
  }
  exporter_->offer(w.take(), count, worker);
}

}  // namespace rung::gateway
