#include "net/server_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>

#include "base/check.h"

namespace rung {
namespace {

constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  // A client that offers only what we do not speak is answered all the same, as before ALPN.
  if (SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// The last reason of OpenSSL's queue, in words.
std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return text != nullptr ? text : "it cannot be used";
}

Error unusable(const char* what, const std::filesystem::path& file) {
  return {ErrorCode::kInvalidConfig,
          std::string("the ") + what + " " + file.string() + " is not usable: " + reason()};
}

}  // namespace

Result<std::shared_ptr<const ServerTls>> ServerTls::load(const ServerTlsOptions& options) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  RUNG_CHECK(context != nullptr, "OpenSSL makes no context");
  std::shared_ptr<const ServerTls> owner(new ServerTls(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  constexpr unsigned char kName[] = {'r', 'u', 'n', 'g'};
  SSL_CTX_set_session_id_context(context, kName, sizeof kName);
  // A key with a pass phrase must not make a daemon ask the terminal for it.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1)
    return unusable("TLS certificate", options.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return unusable("TLS key", options.key);
  if (!options.client_ca.empty()) {
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.client_ca.c_str());
    if (names == nullptr ||
        SSL_CTX_load_verify_locations(context, options.client_ca.c_str(), nullptr) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return unusable("file of client authorities", options.client_ca);
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return owner;
}

ServerTls::~ServerTls() { SSL_CTX_free(context_); }

ssl_st* ServerTls::accept(int fd) const {
  SSL* ssl = SSL_new(context_);
  if (ssl == nullptr) return nullptr;
  SSL_set_fd(ssl, fd);
  SSL_set_accept_state(ssl);
  SSL_set_read_ahead(ssl, 1);
  return ssl;
}

}  // namespace rung
