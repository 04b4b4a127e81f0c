#include "net/client_connection.h"

#include <linux/tcp.h>  // its tcp_info is longer than the one of the C library
#include <netinet/in.h>
#include <openssl/bio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/client_impl.h"

namespace rung {
namespace {

constexpr std::size_t kBuffer = 32 * 1024;    // first size of in_
constexpr std::size_t kMostHeaders = 256;     // of a response
constexpr unsigned kMostInterim = 100;        // heads before the final one
constexpr std::size_t kBodyRoom = 16 * 1024;  // at least this much of in_ is left for the body

iovec piece_of(std::string_view bytes) {
  return {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
}

std::string seconds_text(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (ms < 1000) return std::to_string(ms) + " ms";
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

}  // namespace

ClientConnection::ClientConnection(ClientPool::Impl& pool, Loop& loop)
    : Socket(loop),
      pool_(pool),
      timer_(
          loop,
          [](void* self) {
            auto& c = *static_cast<ClientConnection*>(self);
            if (c.idle_) {
              c.pool_.drop_idle(&c);
            } else {
              c.end_effort(Ended::kTimeout);
            }
          },
          this),
      cancel_link_(
          [](void* self) { static_cast<ClientConnection*>(self)->end_effort(Ended::kCancelled); },
          this),
      begun_(loop.now()) {
  ++pool_.counters.open;
}

ClientConnection::~ClientConnection() { --pool_.counters.open; }

// --- what may end it
// -------------------------------------------------------------------------------------

void ClientConnection::begin_effort(CancelToken cancel, Deadline deadline) {
  begun_ = loop().now();
  ended_ = Ended::kNo;
  cancel_ = cancel;
  cancel_link_.unlink();
  timer_.set(deadline.at);
  if (cancel.cancelled()) {
    end_effort(Ended::kCancelled);
  } else {
    cancel.subscribe(cancel_link_);
  }
}

/// Closing at once is the point: it is how the upstream learns that its answer is no longer wanted.
void ClientConnection::end_effort(Ended how) {
  if (ended_ != Ended::kNo) return;
  ended_ = how;
  cancel_link_.unlink();
  timer_.clear();
  close();
  wake();
}

void ClientConnection::park(TimePoint until) {
  cancel_link_.unlink();
  idle_ = true;
  timer_.set(until);
}

void ClientConnection::unpark() { idle_ = false; }

void ClientConnection::on_change() {
  if (!idle_) return;
  if (readable() && tls() != nullptr && !peer_closed()) {
    char byte;  // session tickets come between responses; anything else is not wanted
    if (read(&byte, 1).state == IoState::kWouldBlock) return;
  }
  if (readable() || peer_closed()) pool_.drop_idle(this);  // destroys this
}

Error ClientConnection::ended_error(std::string_view during) const {
  const std::string spent = seconds_text(loop().now() - begun_);
  if (ended_ == Ended::kCancelled) {
    return {ErrorCode::kCancelled,
            pool_.name + ": cancelled " + std::string(during) + " after " + spent};
  }
  return {ErrorCode::kTimeout,
          pool_.name + ": timed out " + std::string(during) + " after " + spent};
}

Error ClientConnection::malformed(std::string_view why) const {
  return {ErrorCode::kUpstream, pool_.name + ": malformed response: " + std::string(why)};
}

Error ClientConnection::failure(const IoResult& result, std::string_view during) {
  if (ended_ != Ended::kNo) return ended_error(during);
  was_reset_ = was_reset_ || result.error == ECONNRESET;
  std::string why = "connection closed by the host";
  if (result.state == IoState::kError) {
    why = result.error != 0  ? errno_text(result.error)
          : tls() != nullptr ? "TLS: " + tls_reason(tls())
                             : "closed";
  }
  return {ErrorCode::kUpstream, pool_.name + ": " + why + " " + std::string(during)};
}

// --- connecting
// ------------------------------------------------------------------------------------------

Task<Result<void>> ClientConnection::connect(Deadline deadline) {
  const Deadline limit = deadline.sooner({loop().now() + pool_.options.connect_timeout});
  auto addresses = co_await pool_.addresses(cancel_, limit);
  if (!addresses) co_return addresses.error();
  Error last{ErrorCode::kUnavailable, pool_.name + ": the name has no address"};
  for (const SocketAddress& address : *addresses) {
    timer_.set(limit.at);
    auto connected = co_await connect_to(address);
    if (connected) {
      timer_.set(deadline.at);
      co_return Result<void>();
    }
    last = connected.error();
    if (ended_ != Ended::kNo) break;
  }
  co_return last;
}

Task<Result<void>> ClientConnection::connect_to(const SocketAddress& address) {
  const auto refused = [&](int error) -> Error {
    return {ErrorCode::kUnavailable, "cannot connect to " + pool_.name + ": " + errno_text(error)};
  };
  if (ended_ != Ended::kNo) co_return ended_error("connecting");
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return refused(errno);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const int begun =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  const int error = begun == 0 ? 0 : errno;
  if (error != 0 && error != EINPROGRESS) {
    ::close(fd);
    co_return refused(error);
  }
  auto adopted = adopt(fd, /*connected=*/error == 0);
  if (!adopted) co_return adopted.error();
  while (is_open() && !writable()) co_await changed();
  if (ended_ != Ended::kNo) co_return ended_error("connecting");
  int state = 0;
  socklen_t size = sizeof state;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &state, &size);
  if (state != 0) {
    close();
    co_return refused(state);
  }
  ++pool_.counters.connects;
  if (pool_.url.tls) co_return co_await start_tls();
  co_return Result<void>();
}

Task<Result<void>> ClientConnection::start_tls() {
  if (pool_.options.tls == nullptr) {
    co_return Error{ErrorCode::kInternal, pool_.name + ": https needs a TLS context"};
  }
  auto* context = static_cast<SSL_CTX*>(pool_.options.tls->native());
  SSL* ssl = make_tls(context, fd(), pool_.url.host, pool_.session.get());
  RUNG_CHECK(ssl != nullptr, "OpenSSL is out of memory");
  set_tls(ssl);
  for (;;) {
    const IoResult done = handshake();
    if (done.state == IoState::kOk) co_return Result<void>();
    if (done.state != IoState::kWouldBlock) {
      const std::string why = done.error != 0 ? errno_text(done.error) : tls_reason(ssl);
      pool_.session.reset();
      close();
      co_return Error{ErrorCode::kUnavailable, "TLS with " + pool_.name + " failed: " + why};
    }
    co_await changed();
    if (ended_ != Ended::kNo) co_return ended_error("in the TLS handshake");
  }
}

// --- one request
// -----------------------------------------------------------------------------------------

Task<Result<void>> ClientConnection::exchange(const ClientRequest& request) {
  // 1. The head, in a buffer that the connection keeps.
  std::size_t length = request.body.size();
  for (const std::string_view part : request.body_parts) length += part.size();
  head_request_ = request.method == "HEAD";
  out_.clear();
  out_.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nhost: ");
  out_.append(pool_.host_header).append("\r\n");
  for (const HttpHeader& header : request.headers) {
    out_.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  if (length > 0 || !(request.method == "GET" || head_request_)) {
    char digits[20];
    char* end = std::to_chars(digits, digits + sizeof digits, length).ptr;
    out_.append("content-length: ").append(digits, end).append("\r\n");
  }
  out_.append("\r\n");
  // 2. Head and body leave together; a body is never copied.
  scanner_.reset();
  decoder_.reset();
  body_ = Body::kNone;
  early_.reset();
  was_reset_ = false;
  in_base_ = in_begin_ = in_end_ = received_ = 0;
  interim_ = 0;
  sent_before_ = sent_on_wire();
  unsent_ = true;
  constexpr std::size_t kFew = 8;
  iovec few[kFew];
  std::vector<iovec> many;
  const std::size_t count = 2 + request.body_parts.size();
  if (count > kFew) many.resize(count);
  const std::span<iovec> pieces(count > kFew ? many.data() : few, count);
  pieces[0] = piece_of(out_);
  pieces[1] = piece_of(request.body);
  for (std::size_t i = 2; i < count; ++i) pieces[i] = piece_of(request.body_parts[i - 2]);
  std::size_t at = 0;
  for (;;) {
    while (at < count && pieces[at].iov_len == 0) ++at;
    if (at == count) break;
    const IoResult done = write(pieces.subspan(at));
    if (done.state == IoState::kWouldBlock) {
      // A host that answers before it has read everything (413) wants no more of it.
      while (readable()) {
        const IoResult got = receive();
        if (got.state == IoState::kWouldBlock) break;
        if (got.state != IoState::kOk) co_return failure(got, "while the request was sent");
        auto answered = take_head();
        if (!answered) co_return answered.error();
        if (*answered) co_return Result<void>();
      }
      if (!writable()) co_await changed();
      if (ended_ != Ended::kNo) co_return ended_error("sending the request");
      continue;
    }
    if (done.state != IoState::kOk) {
      if (!is_open()) co_return failure(done, "while the request was sent");
      break;  // its answer may still be there to read
    }
    sent_ += done.bytes;
    for (std::size_t left = done.bytes; left > 0;) {
      const std::size_t taken = std::min(left, pieces[at].iov_len);
      pieces[at].iov_base = static_cast<char*>(pieces[at].iov_base) + taken;
      pieces[at].iov_len -= taken;
      left -= taken;
      if (pieces[at].iov_len == 0) ++at;
    }
  }
  unsent_ = at < count;
  // 3. The answer.
  co_return co_await read_head();
}

/// Reads once, behind what is already there.
IoResult ClientConnection::receive() {
  if (!readable()) return {IoState::kWouldBlock, 0, 0};
  if (in_size_ - in_end_ < 4096) {
    const std::size_t size = std::max(kBuffer, in_size_ * 2);
    std::unique_ptr<char[]> larger(new char[size]);
    if (in_end_ > 0) std::memcpy(larger.get(), in_.get(), in_end_);
    in_ = std::move(larger);
    in_size_ = size;
  }
  const IoResult got = read(in_.get() + in_end_, in_size_ - in_end_);
  if (got.state == IoState::kOk) {
    if (received_ == 0) first_byte_ = loop().now();
    received_ += got.bytes;
    in_end_ += got.bytes;
  }
  return got;
}

/// Whether the final head is whole and parsed; interim ones (1xx) are skipped.
Result<bool> ClientConnection::take_head() {
  const HttpLimits limits{.max_head_bytes = pool_.options.max_head_bytes,
                          .max_headers = kMostHeaders};
  while (in_begin_ < in_end_) {
    const ParseResult scanned = scanner_.scan({in_.get() + in_begin_, in_end_ - in_begin_}, limits);
    if (scanned.state == ParseState::kMore) break;
    if (scanned.state == ParseState::kBad) return malformed(scanned.why);
    auto parsed = parse_head(scanned.consumed);
    if (!parsed) return parsed.error();
    if (head_.status >= 200) return true;
    // 100 Continue, 103 Early Hints: the real one follows, in the room of this one.
    if (++interim_ > kMostInterim) return malformed("it sends interim responses without end");
    in_begin_ += scanned.consumed;
    in_end_ -= in_begin_;
    std::memmove(in_.get(), in_.get() + in_begin_, in_end_);
    in_begin_ = 0;
    scanner_.reset();
  }
  return false;
}

Task<Result<void>> ClientConnection::read_head() {
  for (;;) {
    const IoResult got = receive();
    if (got.state == IoState::kWouldBlock) {
      co_await changed();
      if (ended_ != Ended::kNo) co_return ended_error("waiting for the response");
    } else if (got.state == IoState::kOk) {
      auto answered = take_head();
      if (!answered) co_return answered.error();
      if (*answered) co_return Result<void>();
    } else {
      co_return failure(got, "before it answered");
    }
  }
}

/// The head is whole in in_: fixes the buffer, because views point into it from here on.
Result<void> ClientConnection::parse_head(std::size_t head_size) {
  const std::size_t head_end = in_begin_ + head_size;
  if (in_size_ - head_end < kBodyRoom) {
    const std::size_t size = head_end + (in_end_ - head_end) + kBodyRoom;
    std::unique_ptr<char[]> larger(new char[size]);
    std::memcpy(larger.get(), in_.get(), in_end_);
    in_ = std::move(larger);
    in_size_ = size;
  }
  const HttpLimits limits{.max_head_bytes = pool_.options.max_head_bytes,
                          .max_headers = kMostHeaders};
  const ParseResult parsed =
      parse_response_head({in_.get() + in_begin_, in_end_ - in_begin_}, head_, limits);
  if (parsed.state != ParseState::kDone) {
    return malformed(parsed.why);
  }
  if (head_.status < 200) {
    if (head_.status == 101) {
      return malformed("it switches protocols unasked");
    }
    return {};
  }
  in_base_ = in_begin_ = head_end;
  if (head_request_ || head_.status == 204 || head_.status == 304) {
    body_ = Body::kEnd;
  } else if (head_.chunked) {
    body_ = Body::kChunked;
  } else if (head_.content_length) {
    left_ = *head_.content_length;
    body_ = left_ == 0 ? Body::kEnd : Body::kLength;
  } else {
    body_ = Body::kUntilClose;
  }
  return {};
}

/// The next piece or the end, if it is here; empty: it is still to come.
std::optional<Result<std::string_view>> ClientConnection::try_body() {
  const std::string_view during = "in the middle of the response";
  for (;;) {
    if (body_ == Body::kEnd) return Result(std::string_view{});
    if (ended_ != Ended::kNo) return ended_error(during);
    // 1. What is already here.
    std::string_view bytes(in_.get() + in_begin_, in_end_ - in_begin_);
    if (!bytes.empty()) {
      if (body_ == Body::kChunked) {
        const ChunkedDecoder::Step step = decoder_.next(bytes);
        if (decoder_.bad()) {
          close();
          return malformed(decoder_.why());
        }
        in_begin_ += step.consumed;
        if (decoder_.done()) body_ = Body::kEnd;
        if (!step.data.empty()) return step.data;
        continue;
      }
      if (body_ == Body::kLength) {
        bytes =
            bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
        left_ -= bytes.size();
        if (left_ == 0) body_ = Body::kEnd;
      }
      in_begin_ += bytes.size();
      return bytes;
    }
    // 2. More from the host, into the room behind the head.
    in_begin_ = in_end_ = in_base_;
    const IoResult got = readable() ? read(in_.get() + in_base_, in_size_ - in_base_)
                                    : IoResult{IoState::kWouldBlock, 0, 0};
    if (got.state == IoState::kWouldBlock) return std::nullopt;
    if (got.state == IoState::kOk) {
      in_end_ += got.bytes;
    } else if (got.state == IoState::kEof && body_ == Body::kUntilClose) {
      body_ = Body::kEnd;
    } else {
      const Error error = failure(got, during);
      close();
      return error;
    }
  }
}

Task<Result<std::string_view>> ClientConnection::read_body() {
  for (;;) {
    if (early_) co_return *std::exchange(early_, std::nullopt);
    if (auto piece = try_body()) co_return *std::move(piece);
    co_await changed();
  }
}

Task<bool> ClientConnection::wait_body(TimePoint patience) {
  Timer alarm(loop(), [](void* self) { static_cast<ClientConnection*>(self)->wake(); }, this);
  while (!early_) {
    early_ = try_body();
    if (early_) break;
    if (loop().now() >= patience) co_return false;
    alarm.set(patience);
    co_await changed();
  }
  co_return true;
}

bool ClientConnection::untouched() const {
  if (ended_ != Ended::kNo || received_ > 0 || !is_open()) return false;
  // After a FIN, a reset is EPIPE. One without is by a host that lived, and may have read what its
  // kernel had not acknowledged yet.
  if (was_reset_) return false;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  if (size < offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) return false;
  // The kernel of a host that had closed answers our bytes with a reset and acknowledges none of
  // them. The SYN counts as one.
  return info.tcpi_bytes_acked <= sent_before_ + 1;
}

std::uint64_t ClientConnection::sent_on_wire() const {
  return tls() != nullptr ? BIO_number_written(SSL_get_wbio(tls())) : sent_;
}

bool ClientConnection::reusable() {
  if (!is_open() || ended_ != Ended::kNo || body_ != Body::kEnd || unsent_ || !head_.keep_alive ||
      peer_closed() || in_begin_ != in_end_) {
    return false;
  }
  char byte;
  return !readable() || read(&byte, 1).state == IoState::kWouldBlock;
}

}  // namespace rung
