#pragma once
// An HTTP/1.1 server on one loop. One per thread with `reuse_port`, and the kernel spreads the
// connections.
//
//   Task<void> answer(Exchange& exchange) {
//     const HttpHeader headers[] = {{"content-type", "application/json"}};
//     auto sent = co_await exchange.respond(200, headers, "{}");
//   }
//   auto server = Server::listen(loop, {.port = 4000}, answer);
//
// Each request is read whole (head and body), then the handler runs; the next request of the
// connection is parsed only after the response has ended. What the handler never sees: malformed
// requests (400), heads over the limit (431), bodies over the limit (413, without reading them),
// slow heads (408), the last three with an OpenAI error body. A handler that returns without a
// response gives 500; one that returns in the middle of a stream is taken as abort().

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/cancel.h"
#include "net/http_parser.h"
#include "net/loop.h"
#include "net/task.h"

namespace rung {

class ServerConnection;

struct ServerOptions {
  std::string host = "127.0.0.1";  // a numeric address, IPv4 or IPv6, or "localhost"
  std::uint16_t port = 0;          // 0: any free one, see Server::port()
  bool reuse_port = false;         // several servers on one port, one per loop
  std::size_t max_body_bytes = 64u << 20;
  HttpLimits head{};
  std::size_t max_connections = 16384;             // more are accepted and closed at once
  std::chrono::milliseconds idle_timeout{75'000};  // between requests
  std::chrono::milliseconds head_timeout{
      10'000};  // from the first byte of a request to the end of its head
  std::chrono::milliseconds body_timeout{60'000};   // without any byte of the body coming in
  std::chrono::milliseconds write_timeout{60'000};  // without any byte of the response going out
};

struct ServerCounters {
  std::uint64_t connections = 0;   // accepted, ever
  std::uint64_t open = 0;          // now
  std::uint64_t requests = 0;      // handed to the handler
  std::uint64_t active = 0;        // handlers running now
  std::uint64_t bad_requests = 0;  // answered by the server itself
  std::uint64_t client_gone = 0;   // clients that left while a handler ran
};

/// One request and its response. Lives while the handler runs; views are valid as long.
class Exchange {
 public:
  class SendOp;

  const HttpRequestHead& head() const;
  std::string_view method() const { return head().method; }
  std::string_view path() const { return head().path; }
  std::string_view query() const { return head().query; }
  /// The first value of a request header, any case; "" when absent.
  std::string_view header(std::string_view name) const { return head().headers.get(name); }
  /// The whole body, decoded from chunks; at least 64 allocated bytes lie behind its end. May be
  /// moved from.
  std::string& body();
  /// "127.0.0.1:50312".
  std::string_view peer() const;
  /// When the head was complete.
  TimePoint received() const;
  Loop& loop() const;

  /// Fires at once when the client closes or resets, also while the handler waits for something
  /// else.
  CancelToken client_gone() const;

  // Each of the following is awaited: `if (auto sent = co_await exchange.write(bytes); !sent) ...`.
  // The bytes are sent or copied before the call returns; awaiting waits for room (back-pressure).
  // Error: kCancelled, the client is gone; kTimeout, it takes nothing.

  /// The whole response in one write. `content-length`, `date` and `connection` are added; give
  /// none of them. For HEAD the body is measured and not sent.
  SendOp respond(int status, std::span<const HttpHeader> headers, std::string_view body);
  /// Begins a stream. The head leaves with the first piece, or at the end of the loop's turn.
  SendOp start(int status, std::span<const HttpHeader> headers);
  /// One piece of a stream; leaves in this turn of the loop. Suspends while the client reads too
  /// slowly.
  SendOp write(std::string_view bytes);
  /// The proper end of a stream.
  SendOp finish();
  /// Ends the connection after what was written, in a way that no client can take for a proper end.
  void abort();
  /// Ends the connection at once with a RST; what was not sent yet is lost.
  void reset();

  /// Whether respond or start was called.
  bool started() const;
  /// Whether respond, finish or abort was called.
  bool ended() const;
  /// Body bytes handed to respond and write so far.
  std::uint64_t bytes_written() const;

 private:
  friend class ServerConnection;
  explicit Exchange(ServerConnection& connection) : connection_(connection) {}
  ServerConnection& connection_;
};

class [[nodiscard]] Exchange::SendOp : public Ready {
 public:
  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> awaiter) noexcept;
  Result<void> await_resume() const;

 private:
  friend class Exchange;
  friend class ServerConnection;
  SendOp(ServerConnection& connection, std::size_t room) : connection_(connection), room_(room) {}
  ServerConnection& connection_;
  std::size_t room_;  // unsent bytes that may stay behind
};

using Handler = std::function<Task<void>(Exchange&)>;

/// Must be destroyed on its loop's thread (or when the loop does not run), before the loop and
/// before what the handlers use. Destruction closes every connection and destroys the handlers that
/// still run.
class Server {
 public:
  /// Errors: kInvalidArgument, the address; kIo, it is in use or forbidden. Both name the address.
  static Result<std::unique_ptr<Server>> listen(Loop& loop, ServerOptions options, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  const ServerCounters& counters() const;
  /// Graceful stop: accepts no more, closes idle connections, lets running requests end with
  /// `connection: close`. Resolves when all are closed or at the deadline, when the rest is cut
  /// off.
  Task<void> drain(Deadline deadline);

 private:
  friend class ServerConnection;
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// {"type":"error","error":{"message":...,"type":...,"param":null,"code":...}}: OpenAI's clients read
/// `error` and Anthropic's read `type` as well. An empty code is null.
std::string openai_error(std::string_view message, std::string_view type = "invalid_request_error",
                         std::string_view code = {});

/// "OK", "Bad Request", ...; "Status" for one it does not know.
std::string_view reason_phrase(int status);

}  // namespace rung
