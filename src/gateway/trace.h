#pragma once
// One request as a trace: spans for the request, the decision and each call to an upstream, after
// OpenTelemetry's semantic conventions for HTTP and for generative AI (docs/observability.md has
// the attributes). What the caller began goes on: its `traceparent` is the parent of our span, and
// the upstream gets ours. No text of a prompt or an answer, and no credential, is ever in a span.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/trace_context.h"
#include "gateway/trace_exporter.h"
#include "net/http_parser.h"
#include "state/record.h"

namespace rung::gateway {

/// Belongs to one request. With no exporter every member returns at once, and the caller's
/// `traceparent` passes as it came.
class RequestTrace {
 public:
  /// `exporter` may be null and outlives this. `seed` makes the ids: of the request's own id.
  void begin(TraceExporter* exporter, const HttpRequestHead& head, std::uint64_t seed);

  /// Makes the `traceparent` among `headers` that of call number `call` (its index in
  /// RequestRecord::calls); `text` is working memory that lives as long as `headers`.
  void pass_on(std::size_t call, std::string& text, std::vector<HttpHeader>& headers) const;

  /// Offers the spans of a request that has ended. `decision_us` below 0: none was made.
  void finish(const state::RequestRecord& record, std::int64_t decision_us, const Config& config,
              std::size_t worker) const;

  /// 32 hexadecimal digits; empty if there is no exporter and no caller's trace.
  std::string trace_id() const;

 private:
  std::uint64_t span_of(std::uint64_t number) const;
  TraceExporter* exporter_ = nullptr;  // null: off
  TraceParent own_;                    // the request's own span
  std::uint64_t parent_ = 0;           // the caller's span; 0: none
  std::string method_, path_, state_;  // state_: the caller's `tracestate`
};

/// The provider's name in the conventions ("openai", "anthropic", "gcp.gemini"), by the host that
/// is asked; of a host that is not known, the dialect that it speaks.
std::string_view provider_name(const UpstreamConfig& upstream);

}  // namespace rung::gateway
