#include "net/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <thread>

namespace rung {
namespace {

struct Found {
  std::string error;
  std::vector<SocketAddress> addresses;
};

Found blocking_lookup(const std::string& host, const std::string& port) {
  Found found;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  int status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  if (status != 0) {
    // A machine with nothing but loopback has no "configured" address, and still has localhost.
    hints.ai_flags = 0;
    status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  }
  if (status != 0) {
    found.error = ::gai_strerror(status);
    return found;
  }
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    if (at->ai_addrlen > sizeof address.storage) continue;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    found.addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  if (found.addresses.empty()) found.error = "the name has no address";
  return found;
}

}  // namespace

bool numeric_address(const std::string& host, std::uint16_t port, SocketAddress& out) {
  out = {};
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    out.size = sizeof v4;
    return true;
  }
  out = {};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    out.size = sizeof v6;
    return true;
  }
  return false;
}

std::shared_ptr<Lookup> start_lookup(Loop& loop, const std::string& host, std::uint16_t port) {
  auto lookup = std::make_shared<Lookup>(loop);
  // The thread must not own the Lookup: its Event may only be destroyed on the loop's thread.
  std::weak_ptr<Lookup> weak = lookup;
  std::thread([weak, poster = loop.poster(), host, port = std::to_string(port)] {
    auto found = std::make_shared<Found>(blocking_lookup(host, port));
    poster.post([weak, found] {
      const auto waited_for = weak.lock();
      if (!waited_for) return;
      waited_for->error = std::move(found->error);
      waited_for->addresses = std::move(found->addresses);
      waited_for->done.set();
    });
  }).detach();
  return lookup;
}

}  // namespace rung
