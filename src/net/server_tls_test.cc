#include "net/server_tls.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>

#include "net/client.h"
#include "net/net_test_kit.h"

namespace rung {
namespace {

using net_test::Raw;
using net_test::run;
using net_test::ServerThread;

/// A self-signed certificate with its key, as two files.
struct Identity {
  std::filesystem::path folder, certificate, key;
  explicit Identity(const std::string& name) {
    folder = std::filesystem::temp_directory_path() /
             ("rung_server_tls_" + name + "_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    certificate = folder / "cert.pem";
    key = folder / "key.pem";
    EVP_PKEY* pair = EVP_EC_gen("P-256");
    X509* x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_EXTENSION* alternative =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(x, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_sign(x, pair, EVP_sha256());
    FILE* out = std::fopen(certificate.c_str(), "w");
    PEM_write_X509(out, x);
    std::fclose(out);
    out = std::fopen(key.c_str(), "w");
    PEM_write_PrivateKey(out, pair, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(x);
    EVP_PKEY_free(pair);
  }
  ~Identity() { std::filesystem::remove_all(folder); }
};

std::shared_ptr<const ServerTls> tls_of(const Identity& identity,
                                        const std::filesystem::path& client_ca = {}) {
  auto tls = ServerTls::load(
      {.certificate = identity.certificate, .key = identity.key, .client_ca = client_ca});
  RUNG_CHECK(tls.has_value(), "the certificate is read");
  return *tls;
}

Task<void> echo(Exchange& exchange) {
  const HttpHeader headers[] = {{"content-type", "text/plain"}};
  if (exchange.path() == "/stream") {
    (void)co_await exchange.start(200, headers);
    for (int i = 0; i < 50; ++i)
      if (!co_await exchange.write(std::string(100'000, 's'))) co_return;
    (void)co_await exchange.finish();
    co_return;
  }
  (void)co_await exchange.respond(200, headers, exchange.body());
}

Task<std::string> ask(ClientPool& pool, std::string target, std::string body) {
  ClientRequest request;
  request.target = target;
  request.body = body;
  auto response = co_await pool.request(request, {}, {});
  if (!response) co_return "!" + response.error().message;
  auto whole = co_await response->read_all(64u << 20);
  if (!whole) co_return "!" + whole.error().message;
  co_return *whole;
}

TEST(ServerTls, CarriesBodiesOfAnySizeBothWaysOnOneConnection) {
  const Identity identity("host");
  ServerOptions options;
  options.tls = tls_of(identity);
  ServerThread server(echo, options);
  auto trust = TlsContext::create({.ca_file = identity.certificate.string()});
  ASSERT_TRUE(trust);
  Loop loop;
  ClientPool pool(loop, {.tls = true, .host = "localhost", .port = server.port(), .path = ""},
                  {.tls = trust->get()});
  auto body = [&]() -> Task<void> {
    for (const std::size_t size : {5u, 16383u, 16384u, 16385u, 70'000u, 5'000'000u}) {
      const std::string sent(size, 'x');
      EXPECT_EQ(co_await ask(pool, "/", sent), sent) << size;
    }
    EXPECT_EQ((co_await ask(pool, "/stream", "")).size(), 5'000'000u);
  };
  run(loop, body());
  EXPECT_EQ(pool.counters().connects, 1u);
}

TEST(ServerTls, AnswersNobodyWhoSpeaksPlainHttp) {
  const Identity identity("host");
  ServerOptions options;
  options.tls = tls_of(identity);
  ServerThread server(echo, options);
  Raw client = Raw::connect(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_all().find("HTTP/"), std::string::npos);
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.open == 0; }));
  EXPECT_EQ(server.counters().requests, 0u);
}

TEST(ServerTls, EndsAHandshakeThatDoesNotGoOn) {
  const Identity identity("host");
  ServerOptions options;
  options.tls = tls_of(identity);
  options.head_timeout = std::chrono::milliseconds(80);
  ServerThread server(echo, options);
  Raw client = Raw::connect(server.port());
  client.send("\x16\x03\x01");
  EXPECT_EQ(client.read_all(), "");
  EXPECT_EQ(client.how_ended(), "fin");
}

TEST(ServerTls, AsksForAClientsCertificateWhereItIsTold) {
  const Identity identity("host"), other("other");
  ServerOptions options;
  options.tls = tls_of(identity, other.certificate);
  ServerThread server(echo, options);
  auto trust = TlsContext::create({.ca_file = identity.certificate.string()});
  Loop loop;
  ClientPool without(loop, {.tls = true, .host = "localhost", .port = server.port(), .path = ""},
                     {.tls = trust->get()});
  auto body = [&]() -> Task<void> {
    EXPECT_TRUE((co_await ask(without, "/", "hi")).starts_with("!"));
    auto* context = static_cast<SSL_CTX*>((*trust)->native());
    SSL_CTX_use_certificate_file(context, other.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, other.key.c_str(), SSL_FILETYPE_PEM);
    EXPECT_EQ(co_await ask(without, "/", "hi"), "hi");
  };
  run(loop, body());
}

TEST(ServerTls, NamesTheFileThatIsWrong) {
  const Identity identity("host"), other("other");
  const auto refusal = [](const ServerTlsOptions& options) {
    const auto tls = ServerTls::load(options);
    return tls ? std::string("(accepted)") : tls.error().message;
  };
  EXPECT_NE(refusal({"/nowhere/cert.pem", identity.key, {}}).find("/nowhere/cert.pem"),
            std::string::npos);
  EXPECT_NE(refusal({identity.certificate, "/nowhere/key.pem", {}}).find("/nowhere/key.pem"),
            std::string::npos);
  EXPECT_NE(refusal({identity.certificate, other.key, {}}).find("mismatch"), std::string::npos);
  EXPECT_NE(
      refusal({identity.certificate, identity.key, "/nowhere/ca.pem"}).find("/nowhere/ca.pem"),
      std::string::npos);
}

}  // namespace
}  // namespace rung
