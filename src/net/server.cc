#include "net/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "net/resolver.h"
#include "net/server_impl.h"

namespace rung {
namespace {

constexpr int kBacklog = 4096;
constexpr std::size_t kScratchBytes = 64 * 1024;

std::string to_text(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

}  // namespace

Server::Impl::Impl(Loop& its_loop, ServerOptions its_options, Handler its_handler)
    : loop(its_loop),
      options(std::move(its_options)),
      handler(std::move(its_handler)),
      all_closed(its_loop),
      accept_again_(
          its_loop, [](void* self) { static_cast<Impl*>(self)->accept_all(); }, this) {}

Server::Impl::~Impl() {
  close_listener();
  while (!connections.empty()) connections.front().root.destroy();
}

Result<void> Server::Impl::listen() {
  SocketAddress address;
  const std::string name = options.host + ":" + std::to_string(options.port);
  // Numeric only: listening on a name that resolves to several hosts is nobody's wish.
  const std::string numeric = options.host == "localhost" ? "127.0.0.1" : options.host;
  if (!numeric_address(numeric, options.port, address)) {
    return Error{
        ErrorCode::kInvalidArgument,
        "cannot listen on " + name + ": the host is not a numeric address or \"localhost\""};
  }
  const auto failed = [&](const char* what) -> Error {
    const int error = errno;
    close_listener();
    return {ErrorCode::kIo, "cannot listen on " + name + ": " + what + ": " + errno_text(error)};
  };
  listener = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return failed("no socket");
  const int one = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (options.reuse_port) ::setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one,
               sizeof one);  // accepted sockets inherit it
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    return failed("bind");
  }
  if (::listen(listener, kBacklog) != 0) return failed("listen");
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  port = ntohs(bound.storage.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port
                   : reinterpret_cast<const sockaddr_in6&>(bound.storage).sin6_port);
  return loop.watch(listener, *this);
}

void Server::Impl::close_listener() {
  if (listener < 0) return;
  loop.unwatch(listener, *this);
  ::close(listener);
  listener = -1;
}

void Server::Impl::on_events(std::uint32_t /*epoll_events*/) { accept_all(); }

void Server::Impl::accept_all() {
  while (listener >= 0) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      // Out of descriptors or memory: no new event will come for those that wait, so look again
      // soon.
      accept_again_.set(loop.now() + std::chrono::milliseconds(50));
      return;
    }
    if (counters.open >= options.max_connections) {
      ::close(fd);
      continue;
    }
    auto connection = std::make_unique<ServerConnection>(*this, loop);
    if (!connection->adopt(fd, /*connected=*/true)) continue;
    connection->set_peer(to_text(peer));
    ServerConnection& known = *connection;
    connections.push_back(known);
    known.root = loop.spawn(ServerConnection::serve(std::move(connection)));
  }
}

std::string_view Server::Impl::date_line() {
  if (date_.empty() || loop.now() - date_made_ >= std::chrono::seconds(1)) {
    date_made_ = loop.now();
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[64];
    date_.assign(text,
                 std::strftime(text, sizeof text, "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts));
  }
  return date_;
}

std::span<char> Server::Impl::scratch() {
  if (!scratch_) scratch_.reset(new char[kScratchBytes]);
  return {scratch_.get(), kScratchBytes};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(Loop& loop, ServerOptions options, Handler handler) {
  auto impl = std::make_unique<Impl>(loop, std::move(options), std::move(handler));
  if (auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port; }
const ServerCounters& Server::counters() const { return impl_->counters; }

Task<void> Server::drain(Deadline deadline) {
  impl_->close_listener();
  impl_->connections.for_each([](ServerConnection& connection) { connection.drain(); });
  if (impl_->counters.open > 0) {
    impl_->all_closed.reset();
    const Result<void> closed = co_await impl_->all_closed.wait({}, deadline);
    if (!closed) {
      while (!impl_->connections.empty()) impl_->connections.front().root.destroy();
    }
  }
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "Status";
  }
}

namespace {
void append_json_string(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}
}  // namespace

std::string openai_error(std::string_view message, std::string_view type, std::string_view code) {
  std::string json = R"({"type":"error","error":{"message":)";
  append_json_string(json, message);
  json += R"(,"type":)";
  append_json_string(json, type);
  json += R"(,"param":null,"code":)";
  if (code.empty()) {
    json += "null";
  } else {
    append_json_string(json, code);
  }
  json += "}}";
  return json;
}

}  // namespace rung
