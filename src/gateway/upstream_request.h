#pragma once
// What is sent to an upstream for a request: made again for each upstream that is tried, because
// the next may speak another dialect.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/config.h"
#include "net/http_parser.h"
#include "wire/request.h"

namespace rung::gateway {

/// The dialect in which `upstream` is asked for a request of `client`'s dialect.
wire::Dialect dialect_toward(const UpstreamConfig& upstream, wire::Dialect client);

/// How the reply to one upstream request is to be read and passed on.
struct ReplyForm {
  wire::Dialect dialect = wire::Dialect::kChat;  // of the reply
  bool hide_usage = false;           // streams: usage was asked for by us, not by the client
  std::vector<std::string> dropped;  // what the client asked for and this dialect cannot carry
};

/// One request as an upstream gets it. `headers` point into this object, the client's head and the
/// configuration, which must all outlive it; so it stays where it was made.
struct UpstreamRequest {
  UpstreamRequest() = default;
  UpstreamRequest(const UpstreamRequest&) = delete;
  UpstreamRequest& operator=(const UpstreamRequest&) = delete;

  std::string target;  // path and query
  std::vector<HttpHeader> headers;
  std::string body;
  ReplyForm form;
  std::string authorization, traceparent;  // working memory of `headers`
};

/// Fills `out` (whatever it held before) with what `upstream` is sent so that `model`, one of its
/// models, answers at `effort` (empty: as the client asked). `head` and `body` are the client's,
/// `request` what was read of them. Error: kUnsupported, what this upstream's dialect cannot carry.
Result<void> make_upstream_request(const HttpRequestHead& head, std::string_view body,
                                   const wire::Request& request, const ModelConfig& model,
                                   std::string_view effort, const UpstreamConfig& upstream,
                                   UpstreamRequest& out);

}  // namespace rung::gateway
