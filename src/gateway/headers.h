#pragma once
// Which headers cross the gateway, in each direction, and what it adds.

#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "net/http_parser.h"

namespace rung::gateway {

/// The client's headers that go to an upstream: no hop-by-hop ones, no host, no credentials, no
/// cookies, nothing of ours; no accept-encoding, because the reply is read on the way. Adds
/// `authorization` (for Anthropic `x-api-key`) where the upstream has a key. Views point into
/// `client`, `upstream` and `authorization` (working memory).
void request_headers(const HttpHeaders& client, const UpstreamConfig& upstream,
                     std::string& authorization, std::vector<HttpHeader>& out);

/// The upstream's headers that go to the client: no hop-by-hop ones, no length, no cookies, no
/// credentials, none whose value holds the upstream's key, and nothing about which websites may
/// read the reply (CORS), which is not the upstream's to say.
void response_headers(const HttpHeaders& from, const UpstreamConfig& upstream,
                      std::vector<HttpHeader>& out);

/// The id that the caller gave its request: at most 128 visible ASCII characters; "" if it gave
/// none that can be repeated.
std::string_view callers_request_id(const HttpHeaders& client);

/// Names of dropped fields as a header value: ASCII, one line; ", ..." ends what is over 1000
/// bytes. The names come from clients.
std::string dropped_text(const std::vector<std::string>& names);

/// A text as a header value: ASCII, one line, at most 300 bytes.
std::string header_text(std::string_view text);

}  // namespace rung::gateway
