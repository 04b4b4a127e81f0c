#pragma once
// An HTTP/1.1 client: keep-alive connections to one host, on one loop.
//
//   ClientPool pool(loop, *parse_url("https://api.example.com/v1"), {.tls = &tls});
//   auto response = co_await pool.request({.target = "/v1/chat/completions", .headers = headers,
//   .body = body},
//                                         exchange.client_gone(), Deadline{loop.now() + 30s});
//   if (!response) ...                         // the sentence names host:port and the reason
//   for (;;) {
//     auto piece = co_await response->read();  // view, valid until the next read
//     if (!piece) ...                          // cut: kUpstream; kTimeout; kCancelled
//     if (piece->empty()) break;               // the proper end
//   }
// Destroying a response that has not been read to its end closes the connection at once: the
// upstream is cancelled. One read to its end goes back to the pool when it is destroyed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/cancel.h"
#include "net/http_parser.h"
#include "net/loop.h"
#include "net/task.h"
#include "net/url.h"

namespace rung {

class ClientConnection;

struct TlsOptions {
  std::string ca_file;  // PEM; empty: the system's store
  bool verify = true;   // of host name and chain; only tests turn it off
};

/// What connections over TLS share; thread-safe after creation, so one serves all loops.
class TlsContext {
 public:
  /// Error: kInvalidConfig, names the file.
  static Result<std::unique_ptr<TlsContext>> create(TlsOptions options = {});
  ~TlsContext();
  void* native() const { return context_; }  // SSL_CTX

 private:
  explicit TlsContext(void* context) : context_(context) {}
  void* context_;
};

struct ClientOptions {
  TlsContext* tls = nullptr;                         // needed for https; must outlive the pool
  std::chrono::milliseconds connect_timeout{5'000};  // name, TCP and TLS together
  std::chrono::milliseconds idle_timeout{
      55'000};  // an unused connection is closed; below the usual 60 s of servers
  std::chrono::milliseconds dns_ttl{30'000};  // how long resolved addresses are used
  std::size_t max_idle = 256;                 // unused connections kept
  std::size_t max_connections = 4096;         // more requests wait for one to come free
  std::size_t max_head_bytes = 64 * 1024;     // of a response
};

/// All views must live until request() has its result.
struct ClientRequest {
  std::string_view method = "POST";
  std::string_view target = "/";  // path and query, as sent; the pool adds no prefix
  std::span<const HttpHeader>
      headers{};  // `host` and `content-length` are added; give none of them
  std::string_view body{};
  std::span<const std::string_view>
      body_parts{};  // instead of `body`: pieces that are sent in a row, uncopied
};

/// A response whose head has come. Belongs to the loop of its pool; the pool must outlive it.
class ClientResponse {
 public:
  ClientResponse(ClientResponse&&) noexcept;
  ClientResponse& operator=(ClientResponse&&) noexcept;
  ~ClientResponse();

  int status() const { return head().status; }
  const HttpResponseHead& head() const;
  std::string_view header(std::string_view name) const { return head().headers.get(name); }
  /// The next piece of the body as it arrives, chunked framing removed; empty is the proper end.
  /// Errors: kUpstream (cut short, malformed), kTimeout, kCancelled.
  Task<Result<std::string_view>> read();
  /// Waits until bytes have come or an end, for read() to tell, at most until `patience`, which does
  /// no harm to the connection. False: nothing came by then. The last piece is no longer valid.
  Task<bool> wait(TimePoint patience);
  /// What is left of the body, at most `limit` bytes (kTooLarge beyond). At least 64 allocated
  /// bytes follow it.
  Task<Result<std::string>> read_all(std::size_t limit);
  /// Whether the body has been read to its proper end.
  bool complete() const;
  /// From now on reads fail with kTimeout after this; at first it is the deadline of the request.
  void set_deadline(Deadline deadline);
  /// When the first byte of the head came.
  TimePoint first_byte() const;

 private:
  friend class ClientPool;
  explicit ClientResponse(ClientConnection* connection) : connection_(connection) {}
  void release();
  ClientConnection* connection_;
};

struct ClientCounters {
  std::uint64_t requests = 0;  // sent, retries not counted
  std::uint64_t connects = 0;  // connections opened
  std::uint64_t reused = 0;    // requests sent on a kept connection
  std::uint64_t stale_retries = 0;
  std::uint64_t open = 0;  // connections now, idle ones included
  std::uint64_t idle = 0;
};

/// Connections to one host. Must be destroyed on its loop's thread, before the loop, after its
/// responses.
class ClientPool {
 public:
  ClientPool(Loop& loop, Url base, ClientOptions options = {});
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  /// Sends one request and waits for the head of its response (1xx are skipped). A kept connection
  /// that the host had closed before it took a byte of this request is replaced once; nothing else
  /// is ever retried. Cancelling, or the deadline, closes the connection. The token holds for the
  /// reads of the body too. Errors: kUnavailable (no name, refused, TLS), kUpstream (hung up,
  /// malformed), kTimeout, kCancelled.
  Task<Result<ClientResponse>> request(ClientRequest request, CancelToken cancel,
                                       Deadline deadline);

  const Url& base() const;
  const ClientCounters& counters() const;

 private:
  friend class ClientConnection;
  friend class ClientResponse;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rung
