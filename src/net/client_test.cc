#include "net/client.h"

#include <gtest/gtest.h>

#include <thread>

#include "net/net_test_kit.h"

namespace rung {
namespace {

using net_test::Raw;
using net_test::RawListener;
using net_test::run;
using net_test::ServerThread;
using std::chrono::milliseconds;

constexpr HttpHeader kText[] = {{"content-type", "text/plain"}};

Task<void> answer(Exchange& exchange) {
  const std::string_view path = exchange.path();
  if (path == "/echo") {
    const HttpHeader headers[] = {{"content-type", "text/plain"},
                                  {"x-host", exchange.header("host")}};
    (void)co_await exchange.respond(200, headers, exchange.body());
  } else if (path == "/stream") {
    (void)co_await exchange.start(200, kText);
    for (int i = 0; i < 5; ++i) {
      (void)co_await exchange.write("piece" + std::to_string(i) + " ");
      (void)co_await exchange.loop().sleep_for(milliseconds(2));
    }
    (void)co_await exchange.finish();
  } else if (path == "/cut") {
    (void)co_await exchange.start(200, kText);
    (void)co_await exchange.write("half of it");
    exchange.abort();
  } else if (path == "/drip") {
    (void)co_await exchange.start(200, kText);
    for (;;) {
      if (!co_await exchange.write("drop ")) co_return;
      if (!co_await exchange.loop().sleep_for(milliseconds(5), exchange.client_gone())) co_return;
    }
  } else if (path == "/wait") {
    (void)co_await exchange.loop().sleep_for(std::chrono::seconds(20), exchange.client_gone());
  } else {
    (void)co_await exchange.respond(404, kText, path);
  }
}

Url url_of(std::uint16_t port) {
  return Url{.tls = false, .host = "127.0.0.1", .port = port, .path = ""};
}

/// Asks, reads to the end; the body, or "!" and the error.
Task<std::string> ask(ClientPool& pool, std::string target, std::string body = "") {
  ClientRequest request;
  request.target = target;
  request.body = body;
  auto response = co_await pool.request(request, {}, {});
  if (!response) co_return "!" + response.error().message;
  auto whole = co_await response->read_all(1u << 26);
  if (!whole) co_return "!" + whole.error().message;
  co_return *whole;
}

/// Serves each accepted connection with the next script, one after the other.
std::thread serve_raw(RawListener& listener, std::vector<std::function<void(Raw&)>> scripts) {
  return std::thread([&listener, scripts = std::move(scripts)] {
    for (const auto& script : scripts) {
      Raw connection = listener.accept();
      script(connection);
    }
  });
}

TEST(ClientPool, AsksAndReusesItsConnection) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  auto body = [&]() -> Task<void> {
    for (int i = 0; i < 10; ++i) {
      const std::string sent = "body " + std::to_string(i);
      EXPECT_EQ(co_await ask(pool, "/echo", sent), sent);
    }
  };
  run(loop, body());
  EXPECT_EQ(pool.counters().connects, 1u);
  EXPECT_EQ(pool.counters().reused, 9u);
  EXPECT_EQ(pool.counters().idle, 1u);
}

TEST(ClientPool, SendsPartsInARowAndLargeBodies) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  auto body = [&]() -> Task<void> {
    const std::string large(10'000'000, 'x');
    const std::string_view parts[] = {"a", "", "bc", large, "d"};
    ClientRequest request;
    request.target = "/echo";
    request.body_parts = parts;
    auto response = co_await pool.request(request, {}, {});
    EXPECT_TRUE(response);
    if (!response) co_return;
    EXPECT_EQ(response->header("x-host"), "127.0.0.1:" + std::to_string(server.port()));
    auto whole = co_await response->read_all(1u << 26);
    EXPECT_TRUE(whole && *whole == "abc" + large + "d");
    EXPECT_TRUE(response->complete());
    auto small = co_await pool.request(request, {}, {});
    EXPECT_TRUE(small);
    if (!small) co_return;
    auto refused = co_await small->read_all(1000);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  };
  run(loop, body());
}

TEST(ClientPool, GivesAStreamPieceByPiece) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  int pieces = 0;
  std::string all;
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/stream";
    auto response = co_await pool.request(request, {}, {});
    EXPECT_TRUE(response);
    while (response) {
      auto piece = co_await response->read();
      EXPECT_TRUE(piece);
      if (!piece || piece->empty()) break;
      ++pieces;
      all += *piece;
    }
    EXPECT_EQ(all, "piece0 piece1 piece2 piece3 piece4 ");
  };
  run(loop, body());
  EXPECT_GE(pieces, 3);
  EXPECT_EQ(pool.counters().idle, 1u);
}

TEST(ClientPool, ManyAtOnceFromOnePool) {
  ServerThread server(answer);
  Loop loop;
  ClientOptions options;
  options.max_connections = 8;
  ClientPool pool(loop, url_of(server.port()), options);
  int done = 0;
  auto one = [&](int i) -> Task<void> {
    const std::string sent = "n" + std::to_string(i);
    const std::string got = co_await ask(pool, "/echo", sent);
    EXPECT_EQ(got, sent);
    if (++done == 200) loop.stop();
  };
  for (int i = 0; i < 200; ++i) loop.spawn(one(i));
  loop.run();
  EXPECT_LE(pool.counters().connects, 8u);
}

TEST(ClientPool, ARequestThatFindsNoFreeConnectionTimesOut) {
  ServerThread server(answer);
  Loop loop;
  ClientOptions options;
  options.max_connections = 1;
  ClientPool pool(loop, url_of(server.port()), options);
  CancelSource stop;
  auto holder = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/wait";
    (void)co_await pool.request(request, stop.token(), {});
  };
  auto body = [&]() -> Task<void> {
    (void)co_await loop.sleep_for(milliseconds(5));
    ClientRequest request;
    auto second = co_await pool.request(request, {}, Deadline{loop.now() + milliseconds(20)});
    EXPECT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kTimeout);
    stop.cancel();
    EXPECT_EQ(co_await ask(pool, "/echo", "free again"), "free again");
  };
  loop.spawn(holder());
  run(loop, body());
}

TEST(ClientPool, CancellingClosesTheConnectionAtOnce) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  CancelSource source;
  auto canceller = [&]() -> Task<void> {
    (void)co_await loop.sleep_for(milliseconds(20));
    source.cancel();
  };
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/wait";
    loop.spawn(canceller());
    auto response = co_await pool.request(request, source.token(), {});
    EXPECT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
  };
  run(loop, body());
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.client_gone == 1; }));
  EXPECT_EQ(pool.counters().open, 0u);
}

TEST(ClientPool, DroppingAnUnfinishedResponseCancelsTheHost) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/drip";
    {
      auto response = co_await pool.request(request, {}, {});
      EXPECT_TRUE(response);
      if (response) (void)co_await response->read();
    }
    EXPECT_EQ(pool.counters().open, 0u);
  };
  run(loop, body());
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.client_gone == 1; }));
}

TEST(ClientPool, CancellingBetweenReadsClosesToo) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  CancelSource source;
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/drip";
    auto response = co_await pool.request(request, source.token(), {});
    EXPECT_TRUE(response);
    if (!response) co_return;
    (void)co_await response->read();
    source.cancel();
    auto after = co_await response->read();
    EXPECT_FALSE(after);
    EXPECT_EQ(after.error().code, ErrorCode::kCancelled);
  };
  run(loop, body());
  EXPECT_TRUE(server.eventually([](const ServerCounters& c) { return c.client_gone == 1; }));
}

TEST(ClientPool, TimesOutWithASentence) {
  ServerThread server(answer);
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    request.target = "/wait";
    auto response = co_await pool.request(request, {}, Deadline{loop.now() + milliseconds(30)});
    EXPECT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::kTimeout);
    EXPECT_TRUE(response.error().message.starts_with("127.0.0.1:" + std::to_string(server.port()) +
                                                     ": timed out waiting for the response after "))
        << response.error().message;
    request.target = "/drip";
    auto dripping = co_await pool.request(request, {}, {});
    EXPECT_TRUE(dripping);
    if (!dripping) co_return;
    dripping->set_deadline(Deadline{loop.now() + milliseconds(30)});
    Result<std::string_view> piece = std::string_view("x");
    while (piece && !piece->empty()) piece = co_await dripping->read();
    EXPECT_FALSE(piece);
    if (!piece) {
      EXPECT_EQ(piece.error().code, ErrorCode::kTimeout);
    }
  };
  run(loop, body());
}

TEST(ClientPool, SaysWhoRefusedAndWhoseNameIsUnknown) {
  std::uint16_t closed = 0;
  {
    closed = RawListener().port();
  }
  Loop loop;
  ClientPool pool(loop, url_of(closed));
  ClientPool nameless(loop, *parse_url("http://no-such-host.invalid:81"));
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/"),
              "!cannot connect to 127.0.0.1:" + std::to_string(closed) + ": connection refused");
    const std::string unknown = co_await ask(nameless, "/");
    EXPECT_TRUE(unknown.starts_with("!cannot resolve no-such-host.invalid: ")) << unknown;
  };
  run(loop, body());
}

TEST(ClientPool, ResolvesNamesAndFallsBackToTheNextAddress) {
  ServerThread server(answer);  // on 127.0.0.1 only: a ::1 that comes first must not end the effort
  Loop loop;
  Url url = url_of(server.port());
  url.host = "localhost";
  ClientPool pool(loop, url);
  int done = 0;
  auto one = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/echo", "by name"), "by name");
    if (++done == 5) loop.stop();
  };
  for (int i = 0; i < 5; ++i) loop.spawn(one());
  loop.run();
}

TEST(ClientPool, ACutBodyIsAnErrorInEveryFraming) {
  const std::string cuts[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "HTTP/1.1 200 OK\r\nContent-Len",
      "HTTP/1.1 20x OK\r\n\r\n",
      ""};
  for (const std::string& bytes : cuts) {
    RawListener listener;
    Loop loop;
    ClientPool pool(loop, url_of(listener.port()));
    auto script = [&](Raw& connection) {
      connection.read_until("\r\n\r\n");
      connection.send(bytes);
    };
    std::thread host = serve_raw(listener, {script});
    auto body = [&]() -> Task<void> {
      const std::string got = co_await ask(pool, "/");
      EXPECT_TRUE(got.starts_with("!127.0.0.1:" + std::to_string(listener.port())))
          << bytes << " -> " << got;
    };
    run(loop, body());
    host.join();
    EXPECT_EQ(pool.counters().stale_retries, 0u);
  }
}

TEST(ClientPool, AResetInTheMiddleIsAnErrorAndUntilCloseIsNot) {
  RawListener listener;
  auto reset = [](Raw& connection) {
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\n\r\nhalf");
    std::this_thread::sleep_for(milliseconds(20));
    connection.reset();
  };
  auto close = [](Raw& connection) {
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\n\r\nwhole");
  };
  std::thread host = serve_raw(listener, {reset, close});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> {
    const std::string cut = co_await ask(pool, "/");
    EXPECT_NE(cut.find("connection reset by peer in the middle of the response"), std::string::npos)
        << cut;
    EXPECT_EQ(co_await ask(pool, "/"), "whole");
  };
  run(loop, body());
  host.join();
}

TEST(ClientPool, SkipsInterimResponses) {
  RawListener listener;
  auto script = [](Raw& connection) {
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(5));
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal");
  };
  std::thread host = serve_raw(listener, {script});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> { EXPECT_EQ(co_await ask(pool, "/"), "final"); };
  run(loop, body());
  host.join();
}

TEST(ClientPool, ReadsAnAnswerThatComesBeforeTheBodyWasTaken) {
  RawListener listener;
  auto script = [](Raw& connection) {
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nless");
    std::this_thread::sleep_for(milliseconds(50));
  };
  std::thread host = serve_raw(listener, {script});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/", std::string(30'000'000, 'x')), "less");
    EXPECT_EQ(pool.counters().open, 0u);  // half a request is in it: not to be used again
  };
  run(loop, body());
  host.join();
}

// --- kept connections that the host closes
// ---------------------------------------------------------------

void answer_once(Raw& connection) {
  connection.read_until("\r\n\r\n");
  connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST(ClientPool, AKeptConnectionThatTheHostClosesIsForgotten) {
  RawListener listener;
  std::thread host = serve_raw(listener, {answer_once, answer_once});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/"), "ok");
    (void)co_await loop.sleep_for(milliseconds(30));  // the close is seen
    EXPECT_EQ(pool.counters().open, 0u);
    EXPECT_EQ(co_await ask(pool, "/"), "ok");
  };
  run(loop, body());
  host.join();
  EXPECT_EQ(pool.counters().stale_retries, 0u);
}

TEST(ClientPool, ARequestIntoAClosedConnectionIsSentAgainOnce) {
  RawListener listener;
  auto answers_and_closes_later = [](Raw& connection) {
    answer_once(connection);
    std::this_thread::sleep_for(milliseconds(30));  // first the connection is kept
  };
  std::thread host = serve_raw(listener, {answers_and_closes_later, answer_once});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/"), "ok");
    // The loop sleeps while the host closes, so that nothing tells us before we write.
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_EQ(co_await ask(pool, "/", "a body"), "ok");
  };
  run(loop, body());
  host.join();
  EXPECT_EQ(pool.counters().stale_retries, 1u);
}

TEST(ClientPool, ARequestThatTheHostReadBeforeItHungUpIsNeverSentAgain) {
  RawListener listener;
  int asked = 0;
  auto reads_and_hangs_up = [&](Raw& connection) {
    answer_once(connection);
    connection.read_until("\r\n\r\n");
    ++asked;
  };
  std::thread host = serve_raw(listener, {reads_and_hangs_up});
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/"), "ok");
    const std::string got = co_await ask(pool, "/", "pay once");
    EXPECT_NE(got.find("before it answered"), std::string::npos) << got;
  };
  run(loop, body());
  host.join();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(pool.counters().stale_retries, 0u);
}

TEST(ClientPool, BytesThatNobodyAskedForNeverAnswerTheNextRequest) {
  RawListener listener;
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  const std::string answer_with = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  std::thread host = serve_raw(listener, {[&](Raw& connection) {
                                            connection.read_until("\r\n\r\n");
                                            connection.send(answer_with + "first");
                                            std::this_thread::sleep_for(milliseconds(20));
                                            connection.send(answer_with + "stray");
                                            connection.read_until("never");
                                          },
                                          [&](Raw& connection) {
                                            connection.read_until("\r\n\r\n");
                                            connection.send(answer_with + "right");
                                          }});
  auto body = [&]() -> Task<void> {
    ClientRequest request;
    {
      auto response = co_await pool.request(request, {}, {});
      EXPECT_TRUE(response);
      if (!response) co_return;
      EXPECT_EQ((co_await response->read_all(100)).value(), "first");
      (void)co_await loop.sleep_for(milliseconds(60));  // the client of this answer reads slowly
    }
    EXPECT_EQ(co_await ask(pool, "/"), "right");
  };
  run(loop, body());
  host.join();
}

TEST(ClientPool, AHostThatSaysContinueForeverCostsNoMemory) {
  RawListener listener;
  Loop loop;
  ClientPool pool(loop, url_of(listener.port()));
  std::thread host =
      serve_raw(listener, {[&](Raw& connection) {
                  connection.read_until("\r\n\r\n");
                  const std::string hint =
                      "HTTP/1.1 103 Early Hints\r\nlink: " + std::string(20'000, 'x') + "\r\n\r\n";
                  for (int i = 0; i < 10'000 && connection.send(hint); ++i) {
                  }
                }});
  auto body = [&]() -> Task<void> {
    const std::string got = co_await ask(pool, "/");
    EXPECT_NE(got.find("interim"), std::string::npos) << got;
  };
  run(loop, body());
  host.join();
}

TEST(ClientPool, LongIdleConnectionsAreClosed) {
  ServerThread server(answer);
  Loop loop;
  ClientOptions options;
  options.idle_timeout = milliseconds(20);
  ClientPool pool(loop, url_of(server.port()), options);
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(co_await ask(pool, "/echo", "x"), "x");
    EXPECT_EQ(pool.counters().idle, 1u);
    (void)co_await loop.sleep_for(milliseconds(60));
    EXPECT_EQ(pool.counters().open, 0u);
  };
  run(loop, body());
}

// --- a proxy of both
// -------------------------------------------------------------------------------------

TEST(Proxy, AClientThatLeavesCancelsTheUpstream) {
  ServerThread upstream(answer);
  Loop loop;
  ClientPool pool(loop, url_of(upstream.port()));
  auto forward = [&](Exchange& exchange) -> Task<void> {
    ClientRequest request;
    request.target = exchange.head().target;
    auto response = co_await pool.request(request, exchange.client_gone(), {});
    if (!response) co_return;
    if (!co_await exchange.start(response->status(), kText)) co_return;
    for (;;) {
      auto piece = co_await response->read();
      if (!piece) {
        exchange.abort();
        co_return;
      }
      if (piece->empty()) break;
      if (!co_await exchange.write(*piece)) co_return;
    }
    (void)co_await exchange.finish();
  };
  auto server = Server::listen(loop, {}, forward);
  ASSERT_TRUE(server);
  const std::uint16_t port = (*server)->port();
  std::string cut, whole;
  bool cancelled_waiting = false, cancelled_streaming = false;
  std::thread client([&] {
    {
      Raw waiting = Raw::connect(port);
      waiting.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
      upstream.eventually([](const ServerCounters& c) { return c.active == 1; });
    }
    cancelled_waiting =
        upstream.eventually([](const ServerCounters& c) { return c.client_gone == 1; });
    {
      Raw streaming = Raw::connect(port);
      streaming.send("GET /drip HTTP/1.1\r\nHost: x\r\n\r\n");
      streaming.read_until("drop");
    }
    cancelled_streaming =
        upstream.eventually([](const ServerCounters& c) { return c.client_gone == 2; });
    Raw other = Raw::connect(port);
    other.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    whole = other.read_until("0\r\n\r\n");
    other.send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
    cut = other.read_all();
    loop.stop();
  });
  loop.run();
  client.join();
  EXPECT_TRUE(cancelled_waiting);
  EXPECT_TRUE(cancelled_streaming);
  EXPECT_NE(whole.find("piece4"), std::string::npos);
  EXPECT_NE(cut.find("half of it"), std::string::npos);
  EXPECT_EQ(cut.find("0\r\n\r\n"), std::string::npos);
}

TEST(ClientPool, WaitingPatientlyForABodyDoesItNoHarm) {
  ServerThread server([](Exchange& exchange) -> Task<void> {
    (void)co_await exchange.start(200, kText);
    (void)co_await exchange.write("first");
    (void)co_await exchange.loop().sleep_for(milliseconds(60));
    (void)co_await exchange.write("second");
    (void)co_await exchange.finish();
  });
  Loop loop;
  ClientPool pool(loop, url_of(server.port()));
  auto body = [&]() -> Task<void> {
    auto response = co_await pool.request({}, {}, {});
    EXPECT_TRUE(response);
    if (!response) co_return;
    EXPECT_TRUE(co_await response->wait(loop.now() + std::chrono::seconds(5)));
    auto first = co_await response->read();
    EXPECT_TRUE(first && *first == "first");
    EXPECT_FALSE(co_await response->wait(loop.now() + milliseconds(10)));
    EXPECT_TRUE(co_await response->wait(loop.now() + std::chrono::seconds(5)));
    auto rest = co_await response->read_all(100);
    EXPECT_TRUE(rest && *rest == "second");
    EXPECT_TRUE(co_await response->wait(loop.now() + std::chrono::seconds(5))) << "the end is news";
  };
  run(loop, body());
}

TEST(Proxy, IsDestroyedInTheMiddleOfEverythingWithoutLeaks) {
  ServerThread upstream(answer);
  Loop loop;
  ClientPool pool(loop, url_of(upstream.port()));
  auto forward = [&](Exchange& exchange) -> Task<void> {
    ClientRequest request;
    request.target = exchange.head().target;
    auto response = co_await pool.request(request, exchange.client_gone(), {});
    (void)co_await exchange.loop().sleep_for(std::chrono::hours(1));
  };
  auto server = Server::listen(loop, {}, forward);
  ASSERT_TRUE(server);
  std::vector<Raw> clients;
  for (const char* path : {"/wait", "/drip", "/echo", "/stream"}) {
    clients.push_back(Raw::connect((*server)->port()));
    clients.back().send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  auto body = [&]() -> Task<void> { (void)co_await loop.sleep_for(milliseconds(50)); };
  run(loop, body());
  EXPECT_EQ((*server)->counters().active, 4u);
}

}  // namespace
}  // namespace rung
