#pragma once
// Host names to addresses. Numeric hosts are read at once; names go to getaddrinfo, which blocks,
// on a helper thread of their own: lookups are rare, because each pool keeps what it learnt.

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/loop.h"

namespace rung {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// Reads "127.0.0.1" or "::1". False for names.
bool numeric_address(const std::string& host, std::uint16_t port, SocketAddress& out);

/// A lookup under way. Several coroutines may wait for `done`; then `error` or `addresses` is set.
struct Lookup {
  explicit Lookup(Loop& loop) : done(loop) {}
  Event done;
  std::string error;  // the reason, when no address was found
  std::vector<SocketAddress> addresses;
};

/// Starts a lookup; whoever waits holds it. It may be let go, and the loop may end, before the
/// answer comes.
std::shared_ptr<Lookup> start_lookup(Loop& loop, const std::string& host, std::uint16_t port);

}  // namespace rung
