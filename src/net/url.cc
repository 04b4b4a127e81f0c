#include "net/url.h"

#include <algorithm>
#include <charconv>

namespace rung {
namespace {

Error bad_url(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, "the URL \"" + std::string(text) + "\" " + std::string(why) +
                                           "; expected something like https://api.example.com/v1"};
}

bool parse_port(std::string_view text, std::uint16_t& port, bool zero_allowed) {
  if (text.empty() || text.size() > 5) return false;
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  if (value > 65535 || (value == 0 && !zero_allowed)) return false;
  port = static_cast<std::uint16_t>(value);
  return true;
}

/// Splits "host", "host:port" or "[v6]:port"; an absent port leaves `port` as it is.
bool split_authority(std::string_view text, std::string& host, std::uint16_t& port,
                     bool zero_allowed) {
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    if (host.find(':') == std::string::npos ||
        host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos)
      return false;
    rest = text.substr(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    if (host.find_first_of("[]") != std::string::npos) return false;
    rest = text.substr(colon);
  }
  if (rest.empty()) return true;
  return rest.front() == ':' && parse_port(rest.substr(1), port, zero_allowed);
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return name + ":" + std::to_string(port);
}

std::string Url::host_header() const {
  if (port != (tls ? 443 : 80)) return authority();
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    url.tls = true;
    url.port = 443;
  } else {
    return bad_url(text, "begins with neither http:// nor https://");
  }
  for (const char c : rest) {
    if (c <= 0x20 || c >= 0x7f) return bad_url(text, "holds white space or a non-ASCII character");
  }
  if (rest.find_first_of("?#") != std::string_view::npos)
    return bad_url(text, "has a query or a fragment");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) return bad_url(text, "holds a user name");
  if (!split_authority(authority, url.host, url.port, /*zero_allowed=*/false)) {
    return bad_url(
        text,
        "has an address in brackets that is none, or a port that is not a number from 1 to 65535");
  }
  if (url.host.empty()) return bad_url(text, "names no host");
  url.path = rest.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  return url;
}

Result<ListenAddress> parse_listen(std::string_view text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos ||
      !split_authority(text, address.host, address.port, /*zero_allowed=*/true)) {
    return Error{ErrorCode::kInvalidArgument, "the listen address \"" + std::string(text) +
                                                  "\" is not HOST:PORT, such as 127.0.0.1:4000"};
  }
  if (address.host.empty()) address.host = "0.0.0.0";
  return address;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace rung
