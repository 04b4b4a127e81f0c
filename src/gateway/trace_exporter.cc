#include "gateway/trace_exporter.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "json/write.h"
#include "net/client.h"

namespace rung::gateway {
namespace {

struct Piece {
  std::string spans;
  std::size_t count = 0;
};

/// One for each worker, on a cache line of its own.
struct alignas(64) Queue {
  std::mutex mutex;
  std::deque<Piece> pieces;
  std::size_t bytes = 0;
};

bool may_retry(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class Exporter final : public TraceExporter {
 public:
  Exporter(OtlpConfig config, TraceExporterOptions options, std::unique_ptr<TlsContext> tls)
      : config_(std::move(config)),
        options_(std::move(options)),
        tls_(std::move(tls)),
        queues_(options_.workers) {
    json::Writer w;
    w.begin_object().key("attributes").begin_array();
    for (const auto& [key, value] :
         {std::pair<std::string_view, std::string_view>("service.name", config_.service),
          {"service.version", options_.version}}) {
      if (value.empty()) continue;
      w.begin_object().key("key").string(key).key("value").begin_object();
      w.key("stringValue").string(value).end_object().end_object();
    }
    w.end_array().end_object();
    head_ = "{\"resourceSpans\":[{\"resource\":" + w.text() +
            ",\"scopeSpans\":[{\"scope\":{\"name\":\"rung\"},\"spans\":[";
    thread_ = std::thread([this] { run(); });
  }

  ~Exporter() override {
    poster_.post([this] {
      give_up_at_.set(std::chrono::steady_clock::now() + options_.last_words);
      leaving_.cancel();
    });
    thread_.join();
  }

  double sample() const override { return config_.sample; }

  void offer(std::string&& spans, std::size_t count, std::size_t worker) override {
    Queue& queue = queues_[worker];
    {
      const std::lock_guard lock(queue.mutex);
      if (queue.bytes + spans.size() <= options_.max_waiting_bytes) {
        queue.bytes += spans.size();
        queue.pieces.push_back({std::move(spans), count});
        return;
      }
    }
    dropped_.fetch_add(count, std::memory_order_relaxed);
  }

  TraceExporterStats stats() const override {
    return {sent_.load(std::memory_order_relaxed), dropped_.load(std::memory_order_relaxed)};
  }

 private:
  void run() {
    ClientPool pool(loop_, config_.endpoint, {.tls = tls_.get(), .max_connections = 1});
    loop_.spawn(work(pool));
    loop_.run();
  }

  Task<void> work(ClientPool& pool) {
    while (!leaving_.token().cancelled()) {
      auto slept = co_await loop_.sleep_for(options_.interval, leaving_.token());
      static_cast<void>(slept);  // woken early: the process ends
      for (std::size_t i = 0; i < queues_.size(); ++i) co_await drain(pool, queues_[i]);
    }
    loop_.stop();
  }

  Task<void> drain(ClientPool& pool, Queue& queue) {
    for (;;) {
      std::size_t count = 0;
      const std::string body = take(queue, count);
      if (count == 0) co_return;
      const bool sent = co_await send(pool, body);
      (sent ? sent_ : dropped_).fetch_add(count, std::memory_order_relaxed);
    }
  }

  /// The next batch of a queue as the body of a request; `count` 0: there is none.
  std::string take(Queue& queue, std::size_t& count) {
    std::string body;
    const std::lock_guard lock(queue.mutex);
    while (!queue.pieces.empty() && body.size() < options_.max_batch_bytes) {
      Piece& piece = queue.pieces.front();
      body += body.empty() ? head_ : ",";
      body += piece.spans;
      count += piece.count;
      queue.bytes -= piece.spans.size();
      queue.pieces.pop_front();
    }
    if (count > 0) body += "]}]}]}";
    return body;
  }

  Task<bool> send(ClientPool& pool, const std::string& body) {
    std::vector<HttpHeader> headers;
    headers.push_back({"content-type", "application/json"});
    for (const auto& [name, value] : config_.headers) headers.push_back({name, value});
    ClientRequest request;
    request.target = config_.endpoint.path;
    request.headers = headers;
    request.body = body;
    auto pause = options_.first_retry;
    std::string why;
    for (std::size_t attempt = 1; attempt <= options_.tries; ++attempt, pause *= 2) {
      if (give_up_.token().cancelled()) co_return false;
      const Deadline deadline{std::chrono::steady_clock::now() + options_.timeout};
      auto response = co_await pool.request(request, give_up_.token(), deadline);
      if (response) {
        const int status = response->status();
        auto answer = co_await response->read_all(64 * 1024);
        static_cast<void>(answer);  // what it says is for people who look at the collector
        if (status < 300) {
          complained_ = false;
          co_return true;
        }
        why = fmt::format("status {}", status);
        if (!may_retry(status)) break;
      } else {
        why = response.error().message;
      }
      // Once the process ends there is one try for each batch.
      if (leaving_.token().cancelled() || attempt == options_.tries) break;
      auto slept = co_await loop_.sleep_for(pause, leaving_.token());
      static_cast<void>(slept);
    }
    // Once for each time that it breaks, not for each batch.
    if (!std::exchange(complained_, true))
      spdlog::warn("the trace collector {} does not take spans, they are dropped: {}",
                   config_.endpoint.authority(), why);
    co_return false;
  }

  const OtlpConfig config_;
  const TraceExporterOptions options_;
  const std::unique_ptr<TlsContext> tls_;
  std::string head_;
  std::vector<Queue> queues_;
  std::atomic<std::uint64_t> sent_{0}, dropped_{0};
  Loop loop_;
  LoopPoster poster_ = loop_.poster();
  // Of the loop's thread: the process ends; it waits no longer.
  CancelSource leaving_, give_up_;
  Timer give_up_at_{loop_, [](void* self) { static_cast<Exporter*>(self)->give_up_.cancel(); },
                    this};
  bool complained_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<TraceExporter>> TraceExporter::start(OtlpConfig config,
                                                            TraceExporterOptions options) {
  std::unique_ptr<TlsContext> tls;
  if (config.endpoint.tls) {
    auto made = TlsContext::create();
    if (!made) return made.error();
    tls = *std::move(made);
  }
  return std::unique_ptr<TraceExporter>(
      std::make_unique<Exporter>(std::move(config), std::move(options), std::move(tls)));
}

}  // namespace rung::gateway
