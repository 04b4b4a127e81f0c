// The least that a proxy can be on src/net: what the gateway adds is measured against this, and
// this against nginx.
//
//   proxy_example LISTEN UPSTREAM [THREADS]      proxy_example 127.0.0.1:9101 http://127.0.0.1:9100
//   2

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "net/client.h"
#include "net/server.h"

namespace rung {
namespace {

constexpr std::size_t kLargestBuffered = 1 << 20;  // a longer response is passed on in pieces

struct Proxy {
  ClientPool& pool;

  Task<void> operator()(Exchange& exchange) {
    std::vector<HttpHeader> headers;
    for (const HttpHeader& header : exchange.head().headers) {
      if (!same_name(header.name, "host") && !same_name(header.name, "content-length") &&
          !same_name(header.name, "connection") && !same_name(header.name, "transfer-encoding")) {
        headers.push_back(header);
      }
    }
    ClientRequest request;
    request.method = exchange.method();
    request.target = exchange.head().target;
    request.headers = headers;
    request.body = exchange.body();
    auto response = co_await pool.request(request, exchange.client_gone(), Deadline::never());
    if (!response) {
      const HttpHeader json[] = {{"content-type", "application/json"}};
      const std::string text = openai_error(response.error().message, "server_error");
      (void)co_await exchange.respond(502, json, text);
      co_return;
    }
    headers.clear();
    for (const HttpHeader& header : response->head().headers) {
      if (!same_name(header.name, "content-length") && !same_name(header.name, "connection") &&
          !same_name(header.name, "transfer-encoding") && !same_name(header.name, "date")) {
        headers.push_back(header);
      }
    }
    if (response->head().content_length.value_or(kLargestBuffered) < kLargestBuffered) {
      auto piece = co_await response->read();
      if (piece && response->complete()) {  // it came in one piece: one write passes it on
        (void)co_await exchange.respond(response->status(), headers, *piece);
        co_return;
      }
      if (!piece) co_return exchange.abort();
      if (!co_await exchange.start(response->status(), headers)) co_return;
      if (!co_await exchange.write(*piece)) co_return;
    } else if (!co_await exchange.start(response->status(), headers)) {
      co_return;
    }
    for (;;) {
      auto piece = co_await response->read();
      if (!piece) co_return exchange.abort();
      if (piece->empty()) break;
      if (!co_await exchange.write(*piece)) co_return;
    }
    (void)co_await exchange.finish();
  }
};

}  // namespace
}  // namespace rung

int main(int argc, char** argv) {
  const auto listen = rung::parse_listen(argc > 1 ? argv[1] : "");
  const auto upstream = rung::parse_url(argc > 2 ? argv[2] : "");
  if (!listen || !upstream) {
    std::fprintf(stderr, "usage: proxy_example LISTEN UPSTREAM [THREADS]\n");
    return 2;
  }
  std::vector<std::jthread> workers;
  for (int i = argc > 3 ? std::atoi(argv[3]) : 1; i > 0; --i) {
    workers.emplace_back([&listen, &upstream] {
      rung::Loop loop;
      rung::ClientPool pool(loop, *upstream);
      rung::Proxy proxy{pool};
      rung::ServerOptions options;
      options.host = listen->host;
      options.port = listen->port;
      options.reuse_port = true;
      auto server = rung::Server::listen(loop, options, std::ref(proxy));
      if (!server) {
        std::fprintf(stderr, "proxy_example: %s\n", server.error().message.c_str());
        std::exit(2);
      }
      loop.run();  // until a signal ends the process
    });
  }
}
