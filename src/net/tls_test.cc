#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <thread>

#include "net/client.h"
#include "net/net_test_kit.h"

namespace rung {
namespace {

using net_test::Raw;
using net_test::RawListener;
using net_test::run;

/// A self-signed certificate for `names` ("DNS:localhost,IP:127.0.0.1"), made on the spot.
struct Certificate {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  std::filesystem::path file;

  explicit Certificate(const std::string& names) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_sign(certificate, key, EVP_sha256());
    file = std::filesystem::temp_directory_path() /
           ("rung_tls_test_" + std::to_string(::getpid()) + ".pem");
    FILE* out = std::fopen(file.c_str(), "w");
    PEM_write_X509(out, certificate);
    std::fclose(out);
  }
  ~Certificate() {
    std::filesystem::remove(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

/// A blocking TLS host: answers `requests` requests on each of `connections` connections.
class TlsHost {
 public:
  TlsHost(const Certificate& certificate, int connections, int requests, bool clean_end = true)
      : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_, certificate.certificate);
    SSL_CTX_use_PrivateKey(context_, certificate.key);
    thread_ = std::thread([this, connections, requests, clean_end] {
      for (int i = 0; i < connections; ++i) serve(listener_.accept(), requests, clean_end);
    });
  }
  ~TlsHost() {
    thread_.join();
    SSL_CTX_free(context_);
  }
  std::uint16_t port() const { return listener_.port(); }
  int resumed = 0;
  std::string server_name;

 private:
  void serve(Raw connection, int requests, bool clean_end) {
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, connection.fd());
    if (SSL_accept(ssl) == 1) {
      resumed += SSL_session_reused(ssl);
      const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
      server_name = name != nullptr ? name : "";
      for (int i = 0; i < requests; ++i) {
        std::string got;
        char buffer[4096];
        while (got.find("\r\n\r\n") == std::string::npos || !got.ends_with("end")) {
          const int count = SSL_read(ssl, buffer, sizeof buffer);
          if (count <= 0) break;
          got.append(buffer, static_cast<std::size_t>(count));
        }
        const std::string body = std::to_string(got.size() - got.find("\r\n\r\n") - 4);
        const std::string framing = clean_end
                                        ? "Content-Length: " + std::to_string(body.size()) + "\r\n"
                                        : "Connection: close\r\n";
        const std::string response = "HTTP/1.1 200 OK\r\n" + framing + "\r\n" + body;
        SSL_write(ssl, response.data(), static_cast<int>(response.size()));
      }
      if (clean_end) SSL_shutdown(ssl);
    }
    SSL_free(ssl);
  }
  SSL_CTX* context_;
  RawListener listener_;
  std::thread thread_;
};

Task<std::string> ask(ClientPool& pool, std::string body) {
  ClientRequest request;
  request.target = "/";
  request.body = body;
  auto response = co_await pool.request(request, {}, {});
  if (!response) co_return "!" + response.error().message;
  auto whole = co_await response->read_all(1u << 20);
  if (!whole) co_return "!" + whole.error().message;
  co_return *whole;
}

std::unique_ptr<TlsContext> trusting(const Certificate& certificate) {
  auto context = TlsContext::create({.ca_file = certificate.file.string()});
  RUNG_CHECK(context.has_value(), "the certificate is read");
  return std::move(*context);
}

TEST(Tls, AsksAKeptConnectionAndResumesTheSessionOnANewOne) {
  const Certificate certificate("DNS:localhost,IP:127.0.0.1");
  TlsHost host(certificate, 2, 2);
  const auto tls = trusting(certificate);
  Loop loop;
  Url url{.tls = true, .host = "localhost", .port = host.port(), .path = ""};
  ClientOptions options;
  options.tls = tls.get();
  ClientPool pool(loop, url, options);
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "end"), "3");
    EXPECT_EQ(co_await ask(pool, std::string(2'000'000, 'x') + "end"), "2000003");
    (void)co_await loop.sleep_for(std::chrono::milliseconds(30));  // the host closes
    EXPECT_EQ(pool.counters().open, 0u);
    EXPECT_EQ(co_await ask(pool, "end"), "3");
    EXPECT_EQ(co_await ask(pool, "end"), "3");
  };
  run(loop, body());
  EXPECT_EQ(pool.counters().connects, 2u);
  EXPECT_EQ(pool.counters().reused, 2u);
  EXPECT_EQ(host.resumed, 1);
  EXPECT_EQ(host.server_name, "localhost");
}

TEST(Tls, RefusesAHostWhoseCertificateNamesAnother) {
  const Certificate certificate("DNS:example.com");
  TlsHost host(certificate, 1, 1);
  const auto tls = trusting(certificate);
  Loop loop;
  ClientOptions options;
  options.tls = tls.get();
  ClientPool pool(loop, {.tls = true, .host = "localhost", .port = host.port(), .path = ""},
                  options);
  auto body = [&]() -> Task<void> {
    const std::string got = co_await ask(pool, "end");
    EXPECT_NE(got.find("TLS with localhost:"), std::string::npos) << got;
    EXPECT_NE(got.find("ostname mismatch"), std::string::npos) << got;
  };
  run(loop, body());
}

TEST(Tls, RefusesAHostThatNobodyVouchesFor) {
  const Certificate certificate("IP:127.0.0.1");
  TlsHost host(certificate, 1, 1);
  auto tls = TlsContext::create();
  ASSERT_TRUE(tls);
  Loop loop;
  ClientOptions options;
  options.tls = tls->get();
  ClientPool pool(loop, {.tls = true, .host = "127.0.0.1", .port = host.port(), .path = ""},
                  options);
  auto body = [&]() -> Task<void> {
    const std::string got = co_await ask(pool, "end");
    EXPECT_NE(got.find("self-signed"), std::string::npos) << got;
  };
  run(loop, body());
}

TEST(Tls, AnEndWithoutGoodbyeIsACutBody) {
  const Certificate certificate("IP:127.0.0.1");
  TlsHost host(certificate, 1, 1, /*clean_end=*/false);
  const auto tls = trusting(certificate);
  Loop loop;
  ClientOptions options;
  options.tls = tls.get();
  ClientPool pool(loop, {.tls = true, .host = "127.0.0.1", .port = host.port(), .path = ""},
                  options);
  auto body = [&]() -> Task<void> {
    const std::string got = co_await ask(pool, "end");
    EXPECT_TRUE(got.starts_with("!")) << got;
    EXPECT_NE(got.find("in the middle of the response"), std::string::npos) << got;
  };
  run(loop, body());
}

TEST(Tls, NamesACaFileThatItCannotRead) {
  const auto context = TlsContext::create({.ca_file = "/nowhere/ca.pem"});
  ASSERT_FALSE(context);
  EXPECT_NE(context.error().message.find("/nowhere/ca.pem"), std::string::npos);
}

}  // namespace
}  // namespace rung
