#pragma once
// Base URLs of upstreams: scheme, host, port and a path prefix. No user info, no fragment, no
// query.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung {

struct Url {
  bool tls = false;
  std::string host;  // without brackets for IPv6
  std::uint16_t port = 80;
  std::string path;  // prefix without a trailing slash: "" or "/v1"

  /// "host:port", with brackets for IPv6: for sentences.
  std::string authority() const;
  /// The value of the Host header: the port only where it is not the scheme's own.
  std::string host_header() const;
};

/// Parses "http://127.0.0.1:8000/v1". Error: kInvalidArgument; the sentence quotes the text.
Result<Url> parse_url(std::string_view text);

/// Parses "127.0.0.1:4000", "[::1]:4000" or ":4000" (all interfaces of IPv4). Error:
/// kInvalidArgument.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};
Result<ListenAddress> parse_listen(std::string_view text);

/// "a%2Fb" as "a/b"; a percent sign without two hexadecimal digits behind it stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace rung
