#include "net/socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rung {

std::string errno_text(int error) {
  char buffer[128];
  std::string text = ::strerror_r(error, buffer, sizeof buffer);
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

Result<void> Socket::adopt(int fd, bool connected) {
  close();
  readable_ = peer_closed_ = tls_broken_ = false;
  writable_ = connected;
  fd_ = fd;
  auto watched = loop_.watch(fd, *this);
  if (!watched) close();
  return watched;
}

void Socket::close(bool reset) {
  if (fd_ < 0) return;
  if (ssl_ != nullptr) {
    // One close_notify, not waited for; not after an error, where OpenSSL forbids it.
    if (!tls_broken_ && !reset && SSL_is_init_finished(ssl_) == 1) SSL_shutdown(ssl_);
    SSL_free(ssl_);
    ERR_clear_error();
    ssl_ = nullptr;
  }
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  loop_.unwatch(fd_, *this);
  ::close(fd_);
  fd_ = -1;
  readable_ = writable_ = false;
  wake();
}

void Socket::shutdown_write() {
  if (fd_ < 0) return;
  // A TLS client takes an end without this goodbye for a cut.
  if (ssl_ != nullptr && !tls_broken_ && SSL_is_init_finished(ssl_) == 1) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

void Socket::wake() {
  waiters_.for_each([this](Ready& waiter) {
    waiter.unlink();
    loop_.schedule(waiter);
  });
}

void Socket::on_events(std::uint32_t epoll_events) {
  constexpr std::uint32_t kClosed = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((epoll_events & (EPOLLIN | kClosed)) != 0) readable_ = true;
  if ((epoll_events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  if ((epoll_events & kClosed) != 0) peer_closed_ = true;
  wake();
  on_change();
}

IoResult Socket::read(char* into, std::size_t size) {
  if (fd_ < 0) return {IoState::kError, 0, ENOTCONN};
  if (ssl_ != nullptr) return read_tls(into, size);
  for (;;) {
    const ssize_t got = ::recv(fd_, into, size, 0);
    if (got > 0) {
      // Less than asked for: the socket is drained, and the next byte brings a new event. After the
      // peer has closed there will be none, so then we read on to the end.
      if (static_cast<std::size_t>(got) < size && !peer_closed_) readable_ = false;
      return {IoState::kOk, static_cast<std::size_t>(got), 0};
    }
    if (got == 0) return {IoState::kEof, 0, 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      readable_ = false;
      return {IoState::kWouldBlock, 0, 0};
    }
    return {IoState::kError, 0, errno};
  }
}

IoResult Socket::write(std::span<const iovec> pieces) {
  if (fd_ < 0) return {IoState::kError, 0, ENOTCONN};
  if (ssl_ != nullptr) return write_tls(pieces);
  constexpr std::size_t kMostPieces = 64;  // per call; the caller comes back with the rest
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min(pieces.size(), kMostPieces);
  for (;;) {
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoState::kOk, static_cast<std::size_t>(sent), 0};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      writable_ = false;
      return {IoState::kWouldBlock, 0, 0};
    }
    return {IoState::kError, 0, errno};
  }
}

// --- TLS
// -------------------------------------------------------------------------------------------------

IoResult Socket::tls_result(int returned) {
  const int saved = errno;
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ:
      readable_ = false;
      return {IoState::kWouldBlock, 0, 0};
    case SSL_ERROR_WANT_WRITE:
      writable_ = false;
      return {IoState::kWouldBlock, 0, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {IoState::kEof, 0, 0};
    case SSL_ERROR_SYSCALL:
      tls_broken_ = true;
      return {IoState::kError, 0, saved != 0 ? saved : ECONNRESET};
    default:
      tls_broken_ = true;
      return {IoState::kError, 0, 0};  // the reason is in OpenSSL's queue
  }
}

IoResult Socket::read_tls(char* into, std::size_t size) {
  ERR_clear_error();
  errno = 0;
  std::size_t got = 0;
  const int returned = SSL_read_ex(ssl_, into, size, &got);
  if (returned == 1) return {IoState::kOk, got, 0};
  return tls_result(returned);
}

IoResult Socket::write_tls(std::span<const iovec> pieces) {
  // One record holds up to 16 KiB: gather small pieces, so that a head and a small body are one
  // record.
  constexpr std::size_t kRecord = 16 * 1024;
  char record[kRecord];
  std::size_t filled = 0;
  const char* data = record;
  for (const iovec& piece : pieces) {
    if (filled == 0 && piece.iov_len >= kRecord) {  // a large piece goes as it is
      data = static_cast<const char*>(piece.iov_base);
      filled = kRecord;
      break;
    }
    const std::size_t take = std::min(kRecord - filled, piece.iov_len);
    if (take > 0) std::memcpy(record + filled, piece.iov_base, take);
    filled += take;
    if (filled == kRecord) break;
  }
  if (filled == 0) return {IoState::kOk, 0, 0};
  ERR_clear_error();
  errno = 0;
  std::size_t sent = 0;
  const int returned = SSL_write_ex(ssl_, data, filled, &sent);
  if (returned == 1) return {IoState::kOk, sent, 0};
  return tls_result(returned);
}

IoResult Socket::handshake() {
  ERR_clear_error();
  errno = 0;
  const int returned = SSL_do_handshake(ssl_);
  if (returned == 1) return {IoState::kOk, 0, 0};
  return tls_result(returned);
}

}  // namespace rung
