#pragma once
// A non-blocking TCP socket on a loop, plain or with TLS on top. Whoever uses it tries read() or
// write() first, and waits for any change when that would block:
//
//   for (;;) {
//     const IoResult got = socket.read(buffer, size);
//     if (got.state != IoState::kWouldBlock) break;
//     co_await socket.changed();
//   }

#include <sys/uio.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "net/loop.h"

struct ssl_st;  // OpenSSL's SSL

namespace rung {

enum class IoState { kOk, kWouldBlock, kEof, kError };

struct IoResult {
  IoState state = IoState::kOk;
  std::size_t bytes = 0;
  int error = 0;  // errno, 0 if TLS has the reason
};

/// "connection refused", "connection reset by peer", ...: what errno says, in lower case.
std::string errno_text(int error);

class Socket : public FdHandler {
 public:
  explicit Socket(Loop& loop) : loop_(loop) {}
  virtual ~Socket() { close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Takes over a non-blocking descriptor and registers it. A fresh connection is writable; one
  /// that is still connecting becomes so with its first event. Error: kIo; the descriptor is then
  /// closed.
  Result<void> adopt(int fd, bool connected);
  /// Lays TLS over the connection; takes over `ssl`, whose descriptor must be this one.
  void set_tls(ssl_st* ssl) { ssl_ = ssl; }
  ssl_st* tls() const { return ssl_; }
  /// Closes now; `reset` tells the peer with a RST instead of a FIN. Idempotent. Waiters are woken.
  void close(bool reset = false);
  /// No more bytes from us; what was written still arrives.
  void shutdown_write();

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  Loop& loop() const { return loop_; }
  /// The peer has closed its side (FIN) or the connection broke. Bytes of before may still be
  /// readable.
  bool peer_closed() const { return peer_closed_; }
  /// False until an event says that something came.
  bool readable() const { return readable_; }
  bool writable() const { return writable_; }

  IoResult read(char* into, std::size_t size);
  /// Writes from the pieces in a row, as much as fits.
  IoResult write(std::span<const iovec> pieces);

  /// The TLS handshake, one step: kOk when done.
  IoResult handshake();

  /// Wakes the coroutines that await changed().
  void wake();

  /// Awaits the next event, wake() or close(). What changed is for the awaiter to find out.
  class ChangeOp {
   public:
    explicit ChangeOp(Socket& socket) : socket_(socket) {}
    ChangeOp(const ChangeOp&) = delete;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiter) noexcept {
      ready_.handle = awaiter;
      socket_.waiters_.push_back(ready_);
    }
    void await_resume() const noexcept {}

   private:
    Socket& socket_;
    Ready ready_;
  };
  ChangeOp changed() { return ChangeOp(*this); }

  void on_events(std::uint32_t epoll_events) final;

 protected:
  /// Called after each event, when flags are up to date and waiters are woken. May destroy the
  /// socket.
  virtual void on_change() {}

 private:
  IoResult read_tls(char* into, std::size_t size);
  IoResult write_tls(std::span<const iovec> pieces);
  IoResult tls_result(int returned);

  Loop& loop_;
  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  bool readable_ = false, writable_ = false, peer_closed_ = false, tls_broken_ = false;
  List<Ready> waiters_;
};

}  // namespace rung
