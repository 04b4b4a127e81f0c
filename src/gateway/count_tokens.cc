#include "gateway/count_tokens.h"

#include <fmt/format.h>

#include "gateway/headers.h"
#include "gateway/upstream_request.h"
#include "wire/error_reply.h"
#include "wire/exchange.h"

namespace rung::gateway {
namespace {

constexpr std::size_t kMaxReplyBytes = 1u << 20;

/// Who can count for the request; `known` is false where its model names nothing.
struct Counter {
  const ModelConfig* model = nullptr;  // null: nobody
  bool known = false;
};

Counter find_counter(const Snapshot& snapshot, const wire::Request& request) {
  const auto speaks = [&](const ModelConfig& model) {
    return dialect_toward(snapshot.config->upstreams[model.upstream], request.dialect) ==
           wire::Dialect::kMessages;
  };
  if (const auto it = snapshot.model_by_name.find(request.model);
      it != snapshot.model_by_name.end())
    return {speaks(*it->second) ? it->second : nullptr, true};
  const auto route = snapshot.route_by_name.find(request.model);
  if (route == snapshot.route_by_name.end()) return {};
  for (const Arm& arm : route->second->arms)
    if (speaks(*arm.model)) return {arm.model, true};
  return {nullptr, true};
}

class Counting {
 public:
  Counting(Worker& worker, Exchange& exchange)
      : exchange_(exchange),
        serving_(worker.serving()),
        fresh_(worker.ids().next(worker.shared().clock.wall_us())) {}

  Task<void> run() {
    auto request = wire::parse_request(wire::Dialect::kMessages, exchange_.body());
    if (!request) co_return co_await refuse(request.error());
    const Counter counter = find_counter(*serving_->snapshot, *request);
    if (!counter.known)
      co_return co_await refuse({ErrorCode::kNotFound,
                                 fmt::format("there is no model or route \"{}\"; GET /v1/models "
                                             "lists them",
                                             request->model),
                                 "model"});
    if (counter.model != nullptr) co_return co_await ask(*request, *counter.model);
    headers_ = {{"content-type", "application/json"}, {"x-rung-estimated", "input_tokens"}};
    co_await respond(200, fmt::format(R"({{"input_tokens":{}}})", request->text_bytes / 4 + 1));
  }

 private:
  Task<void> ask(const wire::Request& request, const ModelConfig& model) {
    const UpstreamConfig& upstream = serving_->snapshot->config->upstreams[model.upstream];
    UpstreamRequest sent;
    if (auto made = make_upstream_request(exchange_.head(), exchange_.body(), request, model, {},
                                          upstream, sent);
        !made)
      co_return co_await refuse(made.error());
    const std::size_t path = std::min(sent.target.find('?'), sent.target.size());
    sent.target.insert(path, "/count_tokens");
    ClientRequest out;
    out.target = sent.target;
    out.headers = sent.headers;
    out.body = sent.body;
    const Deadline deadline{std::chrono::steady_clock::now() + upstream.first_byte_timeout};
    auto response =
        co_await serving_->pools[model.upstream]->request(out, exchange_.client_gone(), deadline);
    if (!response) co_return co_await refuse(response.error());
    auto body = co_await response->read_all(kMaxReplyBytes);
    if (!body) co_return co_await refuse(body.error());
    response_headers(response->head().headers, upstream, headers_);
    co_await respond(response->status(), *body);
  }

  Task<void> refuse(Error error) {
    if (error.code == ErrorCode::kCancelled) co_return;
    headers_ = {{"content-type", "application/json"}};
    co_await respond(wire::error_reply(error.code).status,
                     wire::error_body(wire::Dialect::kMessages, error, id()));
  }

  std::string_view id() const {
    const std::string_view own = callers_request_id(exchange_.head().headers);
    return own.empty() ? fresh_.view() : own;
  }

  Task<void> respond(int status, std::string body) {
    for (const std::string_view name : {"x-request-id", "request-id"}) {
      bool there = false;
      for (const HttpHeader& header : headers_) there = there || same_name(header.name, name);
      if (!there) headers_.push_back({name, id()});
    }
    auto sent = co_await exchange_.respond(status, headers_, body);
    static_cast<void>(sent);  // the client left: there is nobody to tell
  }

  Exchange& exchange_;
  std::shared_ptr<const Serving> serving_;
  state::DecisionId fresh_;
  std::vector<HttpHeader> headers_;
};

}  // namespace

Task<void> answer_count_tokens(Worker& worker, Exchange& exchange) {
  Counting counting(worker, exchange);
  co_await counting.run();
}

}  // namespace rung::gateway
