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
/// `authorization` where the upstream has a key. Views point into `client`, `upstream` and
/// `authorization` (working memory).
void request_headers(const HttpHeaders& client, const UpstreamConfig& upstream,
                     std::string& authorization, std::vector<HttpHeader>& out);

/// The upstream's headers that go to the client: no hop-by-hop ones, no length, no cookies, no
/// credentials.
void response_headers(const HttpHeaders& upstream, std::vector<HttpHeader>& out);

/// A text as a header value: ASCII, one line, at most 300 bytes.
std::string header_text(std::string_view text);

}  // namespace rung::gateway
