#pragma once
// For the tests of this folder: a server in a thread, a loop to run a coroutine on, and a blunt
// blocking socket.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/loop.h"
#include "net/server.h"

namespace rung::net_test {

inline Task<void> then_stop(Loop& loop, Task<void> task) {
  co_await task;
  loop.stop();
}

/// Runs `task` on `loop` to its end.
inline void run(Loop& loop, Task<void> task) {
  loop.spawn(then_stop(loop, std::move(task)));
  loop.run();
}

/// A Server on a loop of its own, in a thread of its own.
class ServerThread {
 public:
  explicit ServerThread(Handler handler, ServerOptions options = {}) {
    std::promise<void> up;
    auto ready = up.get_future();
    thread_ = std::thread([this, &up, handler = std::move(handler), options = std::move(options)] {
      Loop loop;
      auto server = Server::listen(loop, options, handler);
      RUNG_CHECK(server.has_value(), "the test server listens");
      loop_ = &loop;
      server_ = server->get();
      port_ = (*server)->port();
      up.set_value();
      loop.run();
    });
    ready.wait();
  }
  ~ServerThread() {
    loop_->stop();
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  Loop& loop() { return *loop_; }
  Server& server() { return *server_; }
  ServerCounters counters() {
    std::promise<ServerCounters> read;
    loop_->post([&] { read.set_value(server_->counters()); });
    return read.get_future().get();
  }
  /// Waits up to five seconds until `check(counters)` holds.
  template <class Check>
  bool eventually(Check check) {
    for (int i = 0; i < 500; ++i) {
      if (check(counters())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

 private:
  std::thread thread_;
  Loop* loop_ = nullptr;
  Server* server_ = nullptr;
  std::uint16_t port_ = 0;
};

/// A blocking connection; every read gives up after five seconds.
class Raw {
 public:
  explicit Raw(int fd) : fd_(fd) { limit(); }
  static Raw connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    RUNG_CHECK(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
               "the test connects");
    return Raw(fd);
  }
  Raw(Raw&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Raw() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Reads until what was read since the last call ends with `end` or holds it, or the connection
  /// ends.
  std::string read_until(std::string_view end) {
    std::string got;
    char buffer[65536];
    while (got.find(end) == std::string::npos) {
      const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
      if (count <= 0) {
        how_ended_ = count == 0 ? "fin" : errno == ECONNRESET ? "reset" : "timeout";
        break;
      }
      got.append(buffer, static_cast<std::size_t>(count));
    }
    return got;
  }
  std::string read_all() { return read_until(std::string_view("\0never\0", 7)); }
  /// "fin", "reset" or "timeout", once a read came to the end.
  const std::string& how_ended() const { return how_ended_; }
  int fd() const { return fd_; }

 private:
  void limit() {
    const timeval five{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &five, sizeof five);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &five, sizeof five);
  }
  int fd_;
  std::string how_ended_;
};

/// A listening socket whose connections a test scripts in a thread.
class RawListener {
 public:
  RawListener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    RUNG_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                   ::listen(fd_, 64) == 0 &&
                   ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
               "the test listens");
    port_ = ntohs(address.sin_port);
  }
  ~RawListener() { ::close(fd_); }
  Raw accept() { return Raw(::accept(fd_, nullptr, nullptr)); }
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace rung::net_test
