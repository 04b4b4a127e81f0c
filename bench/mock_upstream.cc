// A small OpenAI-like upstream for benchmarks. The model name says how it behaves:
// "mock[-ttft<ms>][-n<chunks>][-gap<ms>][-s<status>][-big<bytes>][-cut<chunks>][-drop]"; "[[...]]"
// anywhere in the body overrides the name, for gateways that change it. GET /stats tells what it
// saw.
//
//   mock_upstream --listen 127.0.0.1:9100 [--threads 1]

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "net/server.h"
#include "net/url.h"

namespace rung {
namespace {

using std::chrono::milliseconds;

/// The number that follows `word` in `name`, or `otherwise`.
int number_after(std::string_view name, std::string_view word, int otherwise) {
  const std::size_t at = name.find(word);
  if (at == std::string_view::npos) return otherwise;
  int value = 0, digits = 0;
  for (const char c : name.substr(at + word.size(), 9)) {
    if (c < '0' || c > '9') break;
    value = value * 10 + (c - '0');
    ++digits;
  }
  return digits > 0 ? value : otherwise;
}

/// Good enough for a mock: the first string after "model", or what stands in [[ ]].
std::string behaviour(std::string_view body) {
  const std::size_t open = body.find("[[");
  if (open != std::string_view::npos) {
    const std::size_t close = body.find("]]", open);
    if (close != std::string_view::npos)
      return std::string(body.substr(open + 2, close - open - 2));
  }
  const std::size_t key = body.find("\"model\"");
  if (key == std::string_view::npos) return "";
  const std::size_t begin = body.find('"', body.find(':', key));
  if (begin == std::string_view::npos) return "";
  return std::string(body.substr(begin + 1, body.find('"', begin + 1) - begin - 1));
}

bool asks(std::string_view body, std::string_view key) {
  const std::size_t at = body.find(key);
  if (at == std::string_view::npos) return false;
  const std::string_view rest = body.substr(at + key.size(), 2);
  return rest.starts_with("t") || rest == " t";
}

struct Mock {
  Server* server = nullptr;
  std::uint64_t completed = 0;

  Task<void> operator()(Exchange& exchange);
  Task<void> stream(Exchange& exchange, std::string name, bool usage);
};

constexpr std::string_view kChunk =
    R"(data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":)";

Task<void> Mock::stream(Exchange& exchange, std::string name, bool usage) {
  const int chunks = number_after(name, "-n", 20), gap = number_after(name, "-gap", 0);
  const int cut = number_after(name, "-cut", -1);
  const HttpHeader headers[] = {{"content-type", "text/event-stream"},
                                {"cache-control", "no-cache"}};
  if (!co_await exchange.start(200, headers)) co_return;
  for (int i = 0; i < chunks; ++i) {
    if (i == cut) co_return exchange.abort();
    std::string event(kChunk);
    event += R"([{"index":0,"delta":{)";
    if (i == 0) event += R"("role":"assistant",)";
    event += R"("content":"tok "},"finish_reason":null}]})";
    event += "\n\n";
    if (!co_await exchange.write(event)) co_return;
    if (gap > 0 && !co_await exchange.loop().sleep_for(milliseconds(gap), exchange.client_gone()))
      co_return;
  }
  std::string end(kChunk);
  end += R"([{"index":0,"delta":{},"finish_reason":"stop"}]})";
  end += "\n\n";
  if (usage) {
    const std::string count = std::to_string(chunks), total = std::to_string(chunks + 9);
    end.append(kChunk)
        .append(R"([],"usage":{"prompt_tokens":9,"completion_tokens":)")
        .append(count);
    end.append(R"(,"total_tokens":)").append(total).append("}}\n\n");
  }
  end += "data: [DONE]\n\n";
  if (!co_await exchange.write(end)) co_return;
  if (co_await exchange.finish()) ++completed;
}

Task<void> Mock::operator()(Exchange& exchange) {
  const HttpHeader json[] = {{"content-type", "application/json"}, {"x-request-id", "req_mock"}};
  if (exchange.path() == "/stats") {
    const ServerCounters& seen = server->counters();
    const std::string text = "{\"requests\":" + std::to_string(seen.requests) +
                             ",\"connections\":" + std::to_string(seen.connections) +
                             ",\"completed\":" + std::to_string(completed) +
                             ",\"client_aborts\":" + std::to_string(seen.client_gone) + "}\n";
    (void)co_await exchange.respond(200, json, text);
    co_return;
  }
  if (!exchange.path().ends_with("/chat/completions")) {
    const std::string text = openai_error("no such path");
    (void)co_await exchange.respond(404, json, text);
    co_return;
  }
  const std::string name = behaviour(exchange.body());
  const int wait = number_after(name, "-ttft", 0), status = number_after(name, "-s", 200);
  if (wait > 0 && !co_await exchange.loop().sleep_for(milliseconds(wait), exchange.client_gone()))
    co_return;
  if (name.find("-drop") != std::string::npos) co_return exchange.abort();
  if (status != 200) {
    const HttpHeader limited[] = {{"content-type", "application/json"}, {"retry-after", "7"}};
    const std::string text =
        status == 429 ? openai_error("mock says no", "rate_limit_error", "rate_limit_exceeded")
                      : openai_error("mock says no", "server_error", "mock_failed");
    (void)co_await exchange.respond(
        status, status == 429 ? std::span<const HttpHeader>(limited) : json, text);
    ++completed;
    co_return;
  }
  if (asks(exchange.body(), "\"stream\":")) {
    co_await stream(exchange, name, asks(exchange.body(), "\"include_usage\":"));
    co_return;
  }
  std::string text =
      R"({"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"Hello from the mock upstream, this is a short answer.)";
  text.append(static_cast<std::size_t>(number_after(name, "-big", 0)), 'x');
  text +=
      R"(","x_extra":1},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,)"
      R"("total_tokens":21,"prompt_tokens_details":{"cached_tokens":3}},"x_big":9007199254740993,"x_one":1.0})";
  if (co_await exchange.respond(200, json, text)) ++completed;
}

int serve(const ListenAddress& address, int threads) {
  std::vector<std::jthread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&address] {
      Loop loop;
      Mock mock;
      ServerOptions options;
      options.host = address.host;
      options.port = address.port;
      options.reuse_port = true;
      auto server = Server::listen(loop, options, std::ref(mock));
      if (!server) {
        std::fprintf(stderr, "mock_upstream: %s\n", server.error().message.c_str());
        std::exit(2);
      }
      mock.server = server->get();
      loop.run();  // until a signal ends the process
    });
  }
  return 0;
}

}  // namespace
}  // namespace rung

int main(int argc, char** argv) {
  auto address = rung::parse_listen("127.0.0.1:9100");
  int threads = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--listen") == 0) address = rung::parse_listen(argv[i + 1]);
    if (std::strcmp(argv[i], "--threads") == 0) threads = std::atoi(argv[i + 1]);
  }
  if (!address || threads < 1) {
    std::fprintf(stderr, "usage: mock_upstream --listen HOST:PORT [--threads N]\n");
    return 2;
  }
  return rung::serve(*address, threads);
}
