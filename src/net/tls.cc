#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/client.h"
#include "net/resolver.h"

namespace rung {

Result<std::unique_ptr<TlsContext>> TlsContext::create(TlsOptions options) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  RUNG_CHECK(context != nullptr, "OpenSSL makes no context");
  std::unique_ptr<TlsContext> owner(new TlsContext(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidConfig,
                 "the CA file " + options.ca_file + " cannot be read as PEM certificates"};
  }
  const unsigned char protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols);
  return owner;
}

TlsContext::~TlsContext() { SSL_CTX_free(static_cast<SSL_CTX*>(context_)); }

SSL* make_tls(SSL_CTX* context, int fd, const std::string& host, SSL_SESSION* resume) {
  SSL* ssl = SSL_new(context);
  if (ssl == nullptr) return nullptr;
  SSL_set_fd(ssl, fd);
  SSL_set_connect_state(ssl);
  SSL_set_read_ahead(ssl, 1);
  SocketAddress numeric;
  if (numeric_address(host, 443, numeric)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());  // SNI is for names only
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set1_host(ssl, host.c_str());
  }
  if (resume != nullptr) SSL_set_session(ssl, resume);
  return ssl;
}

std::string tls_reason(const SSL* ssl) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  std::string text = reason != nullptr ? reason : "the connection was closed";
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK)
    text += std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
  ERR_clear_error();
  return text;
}

}  // namespace rung
