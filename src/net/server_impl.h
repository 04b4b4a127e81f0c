#pragma once
// What the connections of one Server share. Private to the server.

#include <string>

#include "net/server_connection.h"

namespace rung {

class Server::Impl final : public FdHandler {
 public:
  Impl(Loop& its_loop, ServerOptions its_options, Handler its_handler);
  ~Impl();
  Result<void> listen();
  void accept_all();
  void close_listener();
  void on_events(std::uint32_t epoll_events) override;
  /// "date: Tue, 24 Nov 2026 04:10:03 GMT\r\n", made once a second.
  std::string_view date_line();
  /// Room for reading that is used up before the loop goes on.
  std::span<char> scratch();

  Loop& loop;
  ServerOptions options;
  Handler handler;
  ServerCounters counters;
  int listener = -1;
  std::uint16_t port = 0;
  List<ServerConnection> connections;
  Event all_closed;

 private:
  Timer accept_again_;
  TimePoint date_made_{};
  std::string date_;
  std::unique_ptr<char[]> scratch_;
};

}  // namespace rung
