// What the server does against clients that mean it no good: requests without credentials, and
// connections that are held by a byte now and then.

#include <gtest/gtest.h>

#include "net/net_test_kit.h"
#include "net/server.h"

namespace rung {
namespace {

using net_test::Raw;
using net_test::ServerThread;
using std::chrono::milliseconds;

constexpr HttpHeader kText[] = {{"content-type", "text/plain"}};

Task<void> say_who(Exchange& exchange) {
  const auto* name = static_cast<const std::string*>(exchange.context().get());
  if (exchange.path() == "/big") {
    const std::string body(20'000'000, 'b');
    (void)co_await exchange.respond(200, kText, body);
    co_return;
  }
  std::string said = name != nullptr ? *name : "nobody";
  said.append(" ").append(exchange.body());
  (void)co_await exchange.respond(200, kText, said);
}

std::optional<HeadRefusal> who(const HttpRequestHead& head, std::shared_ptr<const void>& context) {
  const std::string_view name = head.headers.get("who");
  if (name.empty()) return HeadRefusal{401, {{"www-authenticate", "Who"}}, "{\"no\":1}"};
  context = std::make_shared<const std::string>(name);
  return std::nullopt;
}

ServerOptions guarded() {
  ServerOptions options;
  options.check_head = who;
  return options;
}

TEST(ServerGuard, RefusesByTheHeadWithoutTakingTheBody) {
  ServerThread server(say_who, guarded());
  Raw client = Raw::connect(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n");
  const std::string reply = client.read_until("{\"no\":1}");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 401 Unauthorized\r\n")) << reply;
  EXPECT_NE(reply.find("www-authenticate: Who"), std::string::npos);
  EXPECT_NE(reply.find("connection: close"), std::string::npos);
  EXPECT_EQ(server.counters().requests, 0u) << "no handler has run";
}

TEST(ServerGuard, TellsTheHandlerWhomItLetIn) {
  ServerThread server(say_who, guarded());
  Raw client = Raw::connect(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nWho: alice\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_TRUE(client.read_until("alice hi").ends_with("alice hi"));
  // The next request of the connection is another's, or nobody's.
  client.send("POST / HTTP/1.1\r\nHost: x\r\nWho: bob\r\nContent-Length: 2\r\n\r\nho");
  EXPECT_TRUE(client.read_until("bob ho").ends_with("bob ho"));
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read_until("{\"no\":1}").find("401"), std::string::npos);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nWho: carol\r\n\r\n");
  EXPECT_TRUE(client.read_until("carol ").ends_with("carol ")) << "the connection stays usable";
}

TEST(ServerGuard, ABodyThatTricklesIsEnded) {
  ServerOptions options;
  options.body_timeout = milliseconds(150);
  ServerThread server(say_who, options);
  Raw client = Raw::connect(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  bool open = true;
  int sent = 0;
  for (; open && sent < 100; ++sent) {  // a byte every 30 ms never lets 150 ms pass in silence
    std::this_thread::sleep_for(milliseconds(30));
    open = client.send("x") && server.counters().open > 0;
    if (server.counters().bad_requests > 0) break;
  }
  EXPECT_LT(sent, 90);
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 408 "));
}

TEST(ServerGuard, ABodyThatIsSlowButSteadyIsTaken) {
  ServerOptions options;
  options.body_timeout = milliseconds(150);
  ServerThread server(say_who, options);
  Raw client = Raw::connect(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(milliseconds(40));
    ASSERT_TRUE(client.send(std::string(2000, 'x')));
  }
  EXPECT_TRUE(client.read_until("xxx").starts_with("HTTP/1.1 200 "));
}

TEST(ServerGuard, AClientThatTakesAByteNowAndThenIsEnded) {
  ServerOptions options;
  options.write_timeout = milliseconds(150);
  options.least_rate = 1'000'000'000;  // whatever the kernel's buffers took earns it nothing
  ServerThread server(say_who, options);
  Raw client = Raw::connect(server.port());
  client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  char buffer[200'000];
  bool open = true;
  for (int i = 0; i < 100 && open; ++i) {  // the socket takes more every time, but too little
    std::this_thread::sleep_for(milliseconds(30));
    (void)::recv(client.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
    open = server.counters().open > 0;
  }
  EXPECT_FALSE(open);
}

}  // namespace
}  // namespace rung
