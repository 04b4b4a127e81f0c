#pragma once
// What the connections of one ClientPool share. Private to the client.

#include <memory>
#include <string>
#include <vector>

#include "net/client_connection.h"
#include "net/resolver.h"
#include "net/tls.h"

namespace rung {

class ClientPool::Impl {
 public:
  Impl(Loop& its_loop, Url base, ClientOptions its_options);
  ~Impl();

  /// An idle connection (its effort begun), or a new one that is still to be connected. `fresh`:
  /// never an idle one.
  Task<Result<ClientConnection*>> acquire(bool fresh, CancelToken cancel, Deadline deadline);
  /// Takes back a connection whose response is done with: keeps it, or closes it.
  void release(ClientConnection* connection);
  void destroy(ClientConnection* connection);
  /// An idle connection that saw an event or its time-out.
  void drop_idle(ClientConnection* connection);

  Task<Result<std::vector<SocketAddress>>> addresses(CancelToken cancel, Deadline deadline);

  Loop& loop;
  Url url;
  ClientOptions options;
  std::string name;  // host:port
  std::string host_header;
  ClientCounters counters;
  TlsSession session;

 private:
  struct Slot : ListNode {
    explicit Slot(Loop& loop) : given(loop) {}
    Event given;
  };
  void give_slot();

  std::vector<std::unique_ptr<ClientConnection>> idle_;  // the last one was used last
  List<Slot> waiting_;
  std::vector<SocketAddress> known_;
  TimePoint known_until_{};
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace rung
