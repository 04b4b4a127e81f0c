#include "net/server.h"

#include <gtest/gtest.h>

#include "net/net_test_kit.h"

namespace rung {
namespace {

using net_test::Raw;
using net_test::ServerThread;
using std::chrono::milliseconds;

constexpr HttpHeader kText[] = {{"content-type", "text/plain"}};

/// What the tests ask for, by path.
Task<void> answer(Exchange& exchange) {
  const std::string path(exchange.path());
  if (path == "/echo") {
    (void)co_await exchange.respond(200, kText, exchange.body());
  } else if (path == "/slack") {
    std::string& body = exchange.body();
    (void)co_await exchange.respond(200, kText,
                                    body.capacity() - body.size() >= 64 ? "slack" : "none");
  } else if (path == "/stream") {
    (void)co_await exchange.start(200, kText);
    for (const std::string_view piece : {"one ", "two ", "three"}) {
      if (!co_await exchange.write(piece)) co_return;
      (void)co_await exchange.loop().sleep_for(milliseconds(2));
    }
    (void)co_await exchange.finish();
  } else if (path == "/abort") {
    (void)co_await exchange.start(200, kText);
    (void)co_await exchange.write("half of it");
    exchange.abort();
  } else if (path == "/vanish") {
    exchange.abort();
  } else if (path == "/reset") {
    exchange.reset();
  } else if (path == "/forget") {
  } else if (path == "/half") {
    (void)co_await exchange.start(200, kText);
    (void)co_await exchange.write("half of it");
  } else if (path == "/wait") {
    const auto slept =
        co_await exchange.loop().sleep_for(std::chrono::seconds(20), exchange.client_gone());
    if (!slept) co_return;
    (void)co_await exchange.respond(200, kText, "too late");
  } else if (path == "/slow") {
    (void)co_await exchange.loop().sleep_for(milliseconds(100));
    (void)co_await exchange.respond(200, kText, "slow");
  } else if (path == "/flood") {
    const std::string piece(64 * 1024, 'f');
    (void)co_await exchange.start(200, kText);
    for (int i = 0; i < 320; ++i) {
      if (!co_await exchange.write(piece)) co_return;
    }
    (void)co_await exchange.finish();
  } else if (path == "/big") {
    const std::string body(20'000'000, 'b');
    (void)co_await exchange.respond(200, kText, body);
  } else {
    (void)co_await exchange.respond(404, kText, path);
  }
}

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}
std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
/// The body behind the head.
std::string body_of(const std::string& response) {
  const auto at = response.find("\r\n\r\n");
  return at == std::string::npos ? "(no head) " + response : response.substr(at + 4);
}

TEST(Server, AnswersAndKeepsTheConnection) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  for (const std::string_view body : {"first", "second"}) {
    client.send(post("/echo", body));
    const std::string response = client.read_until(body);
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_NE(response.find("content-length: " + std::to_string(body.size())), std::string::npos);
    EXPECT_NE(response.find("date: "), std::string::npos);
    EXPECT_EQ(response.find("connection: close"), std::string::npos);
    EXPECT_EQ(body_of(response), body);
  }
  EXPECT_EQ(server.counters().connections, 1u);
  EXPECT_EQ(server.counters().requests, 2u);
}

TEST(Server, TakesARequestByteByByte) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  for (const char c : post("/echo", "hello")) {
    client.send(std::string_view(&c, 1));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_EQ(body_of(client.read_until("hello")), "hello");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthird\r\n0\r\n\r\n";
  client.send(get("/slow") + post("/echo", "second") + chunked +
              get("/last", "Connection: close\r\n"));
  const std::string all = client.read_all();
  const auto at = [&](std::string_view what) { return all.find(what); };
  EXPECT_LT(at("\r\n\r\nslow"), at("\r\n\r\nsecond"));
  EXPECT_LT(at("\r\n\r\nsecond"), at("\r\n\r\nthird"));
  EXPECT_LT(at("\r\n\r\nthird"), at("\r\n\r\n/last"));
  EXPECT_NE(at("\r\n\r\n/last"), std::string::npos);
  EXPECT_EQ(client.how_ended(), "fin");
}

TEST(Server, DecodesChunkedBodiesInAnySplitAndKeepsWhatFollows) {
  ServerThread server(answer);
  const std::string bytes =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4\r\nchun\r\n3\r\nked\r\n0\r\n\r\n" +
      get("/next");
  for (std::size_t cut = 60; cut < bytes.size(); cut += 7) {
    Raw client = Raw::connect(server.port());
    client.send(std::string_view(bytes).substr(0, cut));
    std::this_thread::sleep_for(milliseconds(3));
    client.send(std::string_view(bytes).substr(cut));
    std::string all = client.read_until("/next");
    EXPECT_NE(all.find("\r\n\r\nchunked"), std::string::npos) << cut;
    EXPECT_NE(all.find("\r\n\r\n/next"), std::string::npos) << cut;
  }
}

TEST(Server, LeavesRoomBehindEveryBody) {
  ServerThread server(answer);
  for (const std::size_t size : {0u, 1u, 200u, 100'000u, 3'000'000u}) {
    Raw client = Raw::connect(server.port());
    client.send(post("/slack", std::string(size, 'x')));
    EXPECT_EQ(body_of(client.read_until("slack")), "slack") << size;
  }
}

TEST(Server, CarriesLargeBodiesBothWays) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  std::thread sender([&] { client.send(post("/echo", std::string(20'000'000, 'x') + "END")); });
  EXPECT_EQ(body_of(client.read_until("END")).size(), 20'000'003u);
  sender.join();
  client.send(get("/big", "Connection: close\r\n"));
  EXPECT_EQ(body_of(client.read_all()).size(), 20'000'000u);
}

TEST(Server, RefusesABodyOverTheLimitWithoutReadingIt) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  ServerThread server(answer, options);
  Raw client = Raw::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
  std::thread sender([&] { client.send(std::string(2'000'000, 'x')); });
  const std::string response = client.read_all();
  sender.join();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 413 ")) << response;
  EXPECT_NE(
      response.find(
          R"({"type":"error","error":{"message":"the body is larger than 1000 bytes, the most that this server takes","type":"invalid_request_error","param":null,"code":null}})"),
      std::string::npos)
      << response;
  Raw chunked = Raw::connect(server.port());
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
               std::string(2000, 'x'));
  EXPECT_TRUE(chunked.read_all().starts_with("HTTP/1.1 413 "));
}

TEST(Server, AFloodBehindARefusedBodyHoldsNobodyUpAndIsEnded) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  ServerThread server(answer, options);
  Raw client = Raw::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000000000\r\n\r\n");
  EXPECT_TRUE(client.read_until("}}").starts_with("HTTP/1.1 413 "));
  std::vector<std::thread> senders;
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] {
      const std::string bytes(1 << 20, 'x');
      for (int sent = 0; sent < 20'000 && client.send(bytes); ++sent) {
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    Raw other = Raw::connect(server.port());
    other.send(get("/x", "Connection: close\r\n"));
    EXPECT_EQ(body_of(other.read_all()), "/x") << i;
  }
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.open == 0; }));
  for (std::thread& sender : senders) sender.join();
}

TEST(Server, SaysContinueToWhoWaitsForIt) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_EQ(body_of(client.read_until("body")), "body");
}

TEST(Server, RefusesMalformedRequestsInOpenAiForm) {
  ServerThread server(answer);
  const std::pair<std::string, std::string> cases[] = {
      {"GET / HTTP/1.1\nHost: x\n\n", "400"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"GET /" + std::string(40'000, 'a'), "431"},
      {"GET / HTTP/3\r\n\r\n", "505"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
  };
  for (const auto& [bytes, status] : cases) {
    Raw client = Raw::connect(server.port());
    client.send(bytes);
    const std::string response = client.read_all();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 " + status)) << response;
    EXPECT_NE(response.find(R"("type":"invalid_request_error","param":null,"code":null}})"),
              std::string::npos);
    EXPECT_NE(response.find("content-type: application/json"), std::string::npos);
  }
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.open == 0; }));
}

TEST(Server, StreamsInChunksAndToOldClientsUntilClose) {
  ServerThread server(answer);
  Raw modern = Raw::connect(server.port());
  modern.send(get("/stream"));
  EXPECT_EQ(body_of(modern.read_until("0\r\n\r\n")),
            "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n");
  modern.send(get("/stream"));  // the connection goes on
  EXPECT_NE(modern.read_until("0\r\n\r\n").find("three"), std::string::npos);
  Raw old = Raw::connect(server.port());
  old.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string all = old.read_all();
  EXPECT_EQ(body_of(all), "one two three");
  EXPECT_NE(all.find("connection: close"), std::string::npos);
  EXPECT_EQ(old.how_ended(), "fin");
}

TEST(Server, KeepsOldClientsThatAskForIt) {
  ServerThread server(answer);
  Raw old = Raw::connect(server.port());
  for (int i = 0; i < 2; ++i) {
    old.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(old.read_until("/x").find("connection: keep-alive"), std::string::npos);
  }
}

TEST(Server, ACutStreamNeverLooksWhole) {
  ServerThread server(answer);
  for (const char* path : {"/abort", "/half"}) {
    Raw modern = Raw::connect(server.port());
    modern.send(get(path));
    const std::string all = modern.read_all();
    EXPECT_NE(all.find("half of it"), std::string::npos) << path;
    EXPECT_EQ(all.find("0\r\n\r\n"), std::string::npos) << path;
    Raw old = Raw::connect(server.port());
    old.send("GET " + std::string(path) + " HTTP/1.0\r\n\r\n");
    old.read_all();
    EXPECT_EQ(old.how_ended(), "reset") << path;
  }
  Raw vanish = Raw::connect(server.port());
  vanish.send(get("/vanish"));
  EXPECT_EQ(vanish.read_all(), "");
  EXPECT_EQ(vanish.how_ended(), "fin");
  Raw reset = Raw::connect(server.port());
  reset.send(get("/reset"));
  EXPECT_EQ(reset.read_all(), "");
  EXPECT_EQ(reset.how_ended(), "reset");
}

TEST(Server, AnswersForAHandlerThatForgot) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  client.send(get("/forget"));
  EXPECT_TRUE(client.read_all().starts_with("HTTP/1.1 500 "));
}

TEST(Server, TellsTheHandlerAtOnceThatTheClientLeft) {
  ServerThread server(answer);
  for (const bool reset : {false, true}) {
    Raw client = Raw::connect(server.port());
    client.send(get("/wait"));
    ASSERT_TRUE(server.eventually([](const ServerCounters& c) { return c.active == 1; }));
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    const auto before = std::chrono::steady_clock::now();
    EXPECT_TRUE(
        server.eventually([](const ServerCounters& c) { return c.active == 0 && c.open == 0; }));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
  }
  EXPECT_EQ(server.counters().client_gone, 2u);
}

TEST(Server, WaitsForAClientThatReadsSlowlyAndHoldsLittle) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  client.send(get("/flood", "Connection: close\r\n"));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(server.counters().active, 1u);  // it has not written 20 MB into memory
  const std::string all = client.read_all();
  EXPECT_GT(all.size(), 320u * 64 * 1024);
  EXPECT_TRUE(all.ends_with("0\r\n\r\n"));
}

TEST(Server, GivesUpOnAClientThatTakesNothing) {
  ServerOptions options;
  options.write_timeout = milliseconds(100);
  ServerThread server(answer, options);
  Raw client = Raw::connect(server.port());
  client.send(get("/big"));
  EXPECT_TRUE(
      server.eventually([](const ServerCounters& c) { return c.requests == 1 && c.open == 0; }));
}

TEST(Server, EndsSlowHeadsSlowBodiesAndIdleConnections) {
  ServerOptions options;
  options.head_timeout = options.body_timeout = milliseconds(60);
  options.idle_timeout = milliseconds(120);
  ServerThread server(answer, options);
  Raw head = Raw::connect(server.port());
  head.send("GET / HT");
  EXPECT_TRUE(head.read_all().starts_with("HTTP/1.1 408 "));
  Raw body = Raw::connect(server.port());
  body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(body.read_all().starts_with("HTTP/1.1 408 "));
  Raw idle = Raw::connect(server.port());
  idle.send(get("/x"));
  EXPECT_EQ(body_of(idle.read_all()), "/x");
  EXPECT_EQ(idle.how_ended(), "fin");
}

TEST(Server, AnswersHeadWithTheLengthAndNoBody) {
  ServerThread server(answer);
  Raw client = Raw::connect(server.port());
  client.send(
      "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: "
      "close\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_NE(all.find("content-length: 2\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("\r\n\r\n"));
  EXPECT_EQ(all.find("one"), std::string::npos);
}

TEST(Server, ClosesConnectionsBeyondTheLimit) {
  ServerOptions options;
  options.max_connections = 2;
  ServerThread server(answer, options);
  Raw a = Raw::connect(server.port()), b = Raw::connect(server.port());
  ASSERT_TRUE(server.eventually([](const ServerCounters& c) { return c.open == 2; }));
  Raw c = Raw::connect(server.port());
  EXPECT_EQ(c.read_all(), "");
  a.send(get("/x"));
  EXPECT_EQ(body_of(a.read_until("/x")), "/x");
}

TEST(Server, DrainsRunningRequestsAndClosesIdleOnes) {
  Loop loop;
  auto server = Server::listen(loop, {}, answer);
  ASSERT_TRUE(server);
  std::string slow, idle, refused;
  const std::uint16_t port = (*server)->port();
  std::thread clients([&] {
    Raw idler = Raw::connect(port);
    idler.send(get("/x"));
    idler.read_until("/x");
    Raw busy = Raw::connect(port);
    busy.send(get("/slow"));
    std::this_thread::sleep_for(milliseconds(30));
    loop.post([&] {
      auto stop = [](Loop& on, Server& draining) -> Task<void> {
        co_await draining.drain(Deadline{on.now() + std::chrono::seconds(5)});
        on.stop();
      };
      loop.spawn(stop(loop, **server));
    });
    slow = busy.read_all();
    idler.read_all();
    idle = idler.how_ended();
  });
  loop.run();
  clients.join();
  EXPECT_EQ(body_of(slow), "slow");
  EXPECT_NE(slow.find("connection: close"), std::string::npos);
  EXPECT_EQ(idle, "fin");
  EXPECT_EQ((*server)->counters().open, 0u);
}

TEST(Server, CutsOffWhatIsLeftAtTheDeadlineOfTheDrain) {
  Loop loop;
  auto server = Server::listen(loop, {}, answer);
  ASSERT_TRUE(server);
  Raw client = Raw::connect((*server)->port());
  client.send(get("/wait"));
  auto body = [&]() -> Task<void> {
    (void)co_await loop.sleep_for(milliseconds(30));
    EXPECT_EQ((*server)->counters().active, 1u);
    co_await (*server)->drain(Deadline{loop.now() + milliseconds(20)});
    EXPECT_EQ((*server)->counters().open, 0u);
    EXPECT_EQ((*server)->counters().active, 0u);
  };
  net_test::run(loop, body());
}

TEST(Server, SaysWhyItCannotListen) {
  Loop loop;
  auto first = Server::listen(loop, {}, answer);
  ASSERT_TRUE(first);
  ServerOptions same;
  same.port = (*first)->port();
  const auto second = Server::listen(loop, same, answer);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string(same.port)), std::string::npos);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
  ServerOptions named;
  named.host = "example.com";
  EXPECT_EQ(Server::listen(loop, named, answer).error().code, ErrorCode::kInvalidArgument);
}

TEST(Server, ManyConnectionsAtOnce) {
  ServerThread server(answer);
  std::vector<Raw> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(Raw::connect(server.port()));
  for (int i = 0; i < 300; ++i)
    clients[static_cast<std::size_t>(i)].send(post("/echo", "n" + std::to_string(i) + "."));
  for (int i = 0; i < 300; ++i) {
    const std::string expected = "n" + std::to_string(i) + ".";
    EXPECT_EQ(body_of(clients[static_cast<std::size_t>(i)].read_until(expected)), expected);
  }
}

}  // namespace
}  // namespace rung
