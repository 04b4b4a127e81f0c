#pragma once
// TLS of a listener, with OpenSSL: TLS 1.2 and up, ALPN "http/1.1", no renegotiation.

#include <filesystem>
#include <memory>

#include "base/result.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;      // and SSL

namespace rung {

struct ServerTlsOptions {
  std::filesystem::path certificate;  // PEM: the server's certificate, then those above it
  std::filesystem::path key;          // PEM, without a pass phrase
  std::filesystem::path client_ca;    // PEM: who vouches for clients; empty: they need nobody
};

/// Immutable and thread-safe: one serves all loops. Connections keep what they need of it.
class ServerTls {
 public:
  /// Errors: kInvalidConfig, names the file; also where key and certificate do not belong together.
  static Result<std::shared_ptr<const ServerTls>> load(const ServerTlsOptions& options);
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  /// A server's end for `fd`, ready for the handshake; null when OpenSSL is out of memory.
  ssl_st* accept(int fd) const;

 private:
  explicit ServerTls(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace rung
