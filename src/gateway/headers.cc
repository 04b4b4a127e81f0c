#include "gateway/headers.h"

#include <algorithm>
#include <array>

namespace rung::gateway {
namespace {

constexpr std::array<std::string_view, 9> kHopByHop{"connection",
                                                    "keep-alive",
                                                    "proxy-authenticate",
                                                    "proxy-authorization",
                                                    "proxy-connection",
                                                    "te",
                                                    "trailer",
                                                    "transfer-encoding",
                                                    "upgrade"};
constexpr std::array<std::string_view, 10> kNotUpstream{
    "host",           "content-length", "authorization",   "x-api-key", "api-key",
    "x-goog-api-key", "cookie",         "accept-encoding", "expect",    "content-encoding"};
constexpr std::array<std::string_view, 8> kNotClient{"content-length", "date",      "set-cookie",
                                                     "authorization",  "x-api-key", "api-key",
                                                     "x-goog-api-key", "alt-svc"};
constexpr std::string_view kCors = "access-control-";

template <std::size_t N>
bool listed(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view other) { return same_name(name, other); });
}

bool is_ours(std::string_view name) {
  return name.size() >= 7 && same_name(name.substr(0, 7), "x-rung-");
}

/// A header that `connection` names is hop-by-hop too (RFC 9110, 7.6.1).
bool crosses(const HttpHeaders& headers, std::string_view name, bool has_connection) {
  return !listed(kHopByHop, name) && !is_ours(name) &&
         !(has_connection && headers.has_token("connection", name));
}

}  // namespace

void request_headers(const HttpHeaders& client, const UpstreamConfig& upstream,
                     std::string& authorization, std::vector<HttpHeader>& out) {
  const bool has_connection = client.find("connection").has_value();
  bool has_type = false;
  for (const HttpHeader& header : client) {
    if (listed(kNotUpstream, header.name) || !crosses(client, header.name, has_connection))
      continue;
    has_type = has_type || same_name(header.name, "content-type");
    out.push_back(header);
  }
  if (!has_type) out.push_back({"content-type", "application/json"});
  if (upstream.api_key.empty()) return;
  if (upstream.dialect == "anthropic") {
    out.push_back({"x-api-key", upstream.api_key.reveal()});
  } else {
    authorization = "Bearer " + upstream.api_key.reveal();
    out.push_back({"authorization", authorization});
  }
}

void response_headers(const HttpHeaders& from, const UpstreamConfig& upstream,
                      std::vector<HttpHeader>& out) {
  const bool has_connection = from.find("connection").has_value();
  const std::string_view key = upstream.api_key.reveal();
  for (const HttpHeader& header : from) {
    if (listed(kNotClient, header.name) || !crosses(from, header.name, has_connection)) continue;
    if (same_name(header.name.substr(0, kCors.size()), kCors)) continue;
    if (!key.empty() && header.value.find(key) != std::string_view::npos) continue;
    out.push_back(header);
  }
}

std::string_view callers_request_id(const HttpHeaders& client) {
  constexpr std::size_t kMostBytes = 128;
  const std::string_view id = client.get("x-request-id");
  const bool plain = std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return plain && id.size() <= kMostBytes ? id : std::string_view{};
}

std::string dropped_text(const std::vector<std::string>& names) {
  constexpr std::size_t kMostBytes = 1000;
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out.append(", ");
    if (out.size() + name.size() > kMostBytes) return out.append("...");
    out.append(header_text(name));
  }
  return out;
}

std::string header_text(std::string_view text) {
  std::string out;
  out.reserve(std::min<std::size_t>(text.size(), 300));
  for (std::size_t i = 0; i < text.size() && out.size() < 300; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (text.substr(i, 2) == "\xc2\xb1") {  // plus-minus
      out.append("+/-");
      ++i;
    } else if (c >= 0x20 && c < 0x7f) {
      out.push_back(text[i]);
    } else if (c < 0x80 || c >= 0xc0) {  // one mark for each character that ASCII does not have
      out.push_back('?');
    }
  }
  return out;
}

}  // namespace rung::gateway
