#pragma once
// TLS of client connections, with OpenSSL: the host's certificate is verified against its name and
// the CA store, SNI and ALPN "http/1.1" are sent, sessions are resumed. Private to the client.

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace rung {

struct SessionFree {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using TlsSession = std::unique_ptr<SSL_SESSION, SessionFree>;

/// A client end for `fd`, ready for the handshake; null when OpenSSL is out of memory.
SSL* make_tls(SSL_CTX* context, int fd, const std::string& host, SSL_SESSION* resume);

/// Why the last call on `ssl` failed, in words: "certificate verify failed (self-signed
/// certificate)".
std::string tls_reason(const SSL* ssl);

}  // namespace rung
