#pragma once
// Sends finished spans to a collector by OTLP over HTTP, JSON encoding
// (opentelemetry.io/docs/specs/otlp), on a thread of its own.
//
//   worker ──offer──► its queue ─┐
//   worker ──offer──► its queue ─┴──► exporter thread ──POST /v1/traces──► collector
//
// A request never waits for it: what finds no room is dropped and counted. A batch that the
// collector does not take is tried again where OTLP says that it may be (429, 502, 503, 504, no
// answer), a few times, then dropped and counted.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/config_observe.h"

namespace rung::gateway {

struct TraceExporterOptions {
  std::size_t workers = 1;                      // queues; offer takes a number below it
  std::size_t max_waiting_bytes = 4u << 20;     // of each queue
  std::size_t max_batch_bytes = 1u << 20;       // of one request to the collector, about
  std::chrono::milliseconds interval{1'000};    // the longest that a span waits for its batch
  std::chrono::milliseconds timeout{10'000};    // of one request
  std::chrono::milliseconds first_retry{500};   // doubles
  std::size_t tries = 4;                        // of one batch
  std::chrono::milliseconds last_words{2'000};  // for what waits when the process ends
  std::string version;                          // of the process: service.version
};

struct TraceExporterStats {
  std::uint64_t sent = 0;     // spans that the collector took
  std::uint64_t dropped = 0;  // spans that found no room, or that it did not take
};

class TraceExporter {
 public:
  /// Error: kInvalidConfig (TLS).
  static Result<std::unique_ptr<TraceExporter>> start(OtlpConfig config,
                                                      TraceExporterOptions options);
  virtual ~TraceExporter() = default;  // sends what waits, within `last_words`

  virtual double sample() const = 0;
  /// `spans`: JSON objects, `count` of them, separated by commas. Each `worker` number from one
  /// thread at a time; takes a lock that only the exporter ever contends for, never waits for the
  /// network.
  virtual void offer(std::string&& spans, std::size_t count, std::size_t worker) = 0;
  virtual TraceExporterStats stats() const = 0;
};

}  // namespace rung::gateway
