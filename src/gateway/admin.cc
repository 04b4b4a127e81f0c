#include "gateway/admin.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "gateway/admin_json.h"

namespace rung::gateway {
namespace {

constexpr std::int64_t kDefaultSince = 24 * 3600, kLeastSince = 60, kMostSince = 400LL * 24 * 3600;
constexpr std::int64_t kDefaultBuckets = 48, kMostBuckets = 200;
constexpr std::int64_t kDefaultLimit = 50, kMostLimit = 500;

AdminReply refusal(int status, std::string_view message) {
  json::Writer w;
  w.begin_object()
      .key("error")
      .begin_object()
      .key("message")
      .string(message)
      .end_object()
      .end_object();
  return {status, "application/json", w.take()};
}

AdminReply refusal(const Error& error) {
  const int status = error.code == ErrorCode::kNotFound          ? 404
                     : error.code == ErrorCode::kInvalidArgument ? 400
                                                                 : 503;
  return refusal(status, error.message);
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), bytes) == 1;
  }
  return inet_pton(AF_INET, host.c_str(), bytes) == 1;
}

/// A name in DNS can be pointed anywhere by its owner; an address and "localhost" cannot.
bool is_local(std::string_view header, const std::vector<std::string>& allowed) {
  std::string host(header);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) host.resize(colon);
  std::transform(host.begin(), host.end(), host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return host == "localhost" || is_address(host) ||
         std::find(allowed.begin(), allowed.end(), host) != allowed.end();
}

/// Takes as long for a wrong token as for a right one.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[b.empty() ? 0 : i % b.size()]);
  }
  return difference == 0;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

/// The value of a query parameter; empty if it is absent.
std::string parameter(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == key && equals != std::string_view::npos)
      return decoded(pair.substr(equals + 1));
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return {};
}

Result<std::int64_t> number(std::string_view query, std::string_view key, std::int64_t absent,
                            std::int64_t least, std::int64_t most) {
  const std::string text = parameter(query, key);
  if (text.empty()) return absent;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("parameter {} is '{}'; expected a whole number from {} to {}", key,
                             text, least, most)};
  }
  return value;
}

}  // namespace

std::vector<AdminHeader> admin_headers() {
  return {{"content-security-policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src "
           "'self' data:; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
          {"x-content-type-options", "nosniff"},
          {"x-frame-options", "DENY"},
          {"referrer-policy", "no-referrer"},
          {"cross-origin-resource-policy", "same-origin"},
          {"cache-control", "no-store"}};
}

const Clock& AdminApi::system_clock() {
  static const Clock clock;
  return clock;
}

AdminApi::AdminApi(const state::Ledger& ledger, AdminOptions options, const Clock& clock)
    : ledger_(ledger),
      options_(std::move(options)),
      clock_(clock),
      reader_(state::LedgerReader::open(ledger.reader_path())) {
  if (options_.endpoint.empty()) options_.endpoint = "http://127.0.0.1:4000";
}

AdminReply AdminApi::handle(std::string_view method, std::string_view target, std::string_view host,
                            std::string_view authorization, std::string_view body) const {
  if (!is_local(host, options_.allowed_hosts)) {
    return refusal(403,
                   "this listener answers only to localhost, to a literal address, or to a name in "
                   "its configuration");
  }
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const bool managed = options_.manages && options_.manages(path);
  if (method != "GET" && !managed) return refusal(405, "this only reads: use GET");
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  // The page and its parts hold nothing secret; what they ask for does.
  if (path == "/") return {200, "text/html; charset=utf-8", std::string(web_asset("index.html"))};
  if (path == "/dashboard.css")
    return {200, "text/css; charset=utf-8", std::string(web_asset("dashboard.css"))};
  if (path == "/dashboard.js") {
    return {200, "text/javascript; charset=utf-8", std::string(web_asset("dashboard.js"))};
  }
  constexpr std::string_view kApi = "/api/", kDecision = "/api/decisions/";
  if (!path.starts_with(kApi)) return refusal(404, "nothing is here; the dashboard is at /");
  if (!options_.token.empty() && !same_secret(authorization, "Bearer " + options_.token)) {
    return refusal(401,
                   "the admin token is missing or wrong; open the dashboard as /#token=YOUR-TOKEN");
  }
  if (managed) {
    if (method != "GET" && options_.token.empty())
      return refusal(403,
                     "keys can be changed only where the admin listener has a token: set "
                     "`admin: {listen: ..., token: ...}` in the configuration");
    return options_.manage(method, path, query, body);
  }
  if (path == "/api/summary") return summary(query);
  if (path == "/api/decisions") return decisions(query);
  if (path == "/api/routes") return routes();
  if (path.starts_with(kDecision)) return decision(path.substr(kDecision.size()));
  return refusal(404, "no such question; there are /api/summary, /api/decisions and /api/routes");
}

AdminReply AdminApi::summary(std::string_view query) const {
  const auto since = number(query, "since", kDefaultSince, kLeastSince, kMostSince);
  if (!since) return refusal(since.error());
  const auto buckets = number(query, "buckets", kDefaultBuckets, 1, kMostBuckets);
  if (!buckets) return refusal(buckets.error());
  const std::int64_t now = clock_.wall_us() + 1;  // the present microsecond is part of the window
  const auto found =
      reader_->summary({now - *since * 1'000'000, now}, static_cast<std::size_t>(*buckets));
  if (!found) return refusal(found.error());
  const state::LedgerStats stats = ledger_.stats();
  json::Writer w;
  w.begin_object();
  write(*found, w);
  w.key("ledger")
      .begin_object()
      .key("healthy")
      .boolean(stats.healthy)
      .key("waiting")
      .number(stats.waiting);
  w.key("lost")
      .number(stats.lost)
      .key("error")
      .string(stats.healthy ? "" : stats.last_error)
      .end_object();
  w.key("endpoint").string(options_.endpoint).end_object();
  return {200, "application/json", w.take()};
}

AdminReply AdminApi::decisions(std::string_view query) const {
  state::DecisionFilter filter;
  const auto limit = number(query, "limit", kDefaultLimit, 1, kMostLimit);
  if (!limit) return refusal(limit.error());
  filter.limit = static_cast<std::size_t>(*limit);
  filter.route = parameter(query, "route");
  filter.model = parameter(query, "model");
  if (const auto since = number(query, "since", 0, kLeastSince, kMostSince); !since) {
    return refusal(since.error());
  } else if (*since > 0) {
    filter.window.since_us = clock_.wall_us() - *since * 1'000'000;
  }
  if (const std::string outcome = parameter(query, "outcome"); !outcome.empty()) {
    filter.outcome = state::parse_outcome(outcome);
    if (!filter.outcome) {
      return refusal(400,
                     "parameter outcome is not one of ok, client_gone, upstream_error, timeout, "
                     "refused, internal, cancelled");
    }
  }
  if (const std::string before = parameter(query, "before"); !before.empty()) {
    filter.before = state::parse_decision_id(before);
    if (!filter.before) return refusal(400, "parameter before is not a decision id");
  }
  const auto page = reader_->recent(filter);
  if (!page) return refusal(page.error());
  json::Writer w;
  w.begin_object().key("decisions").begin_array();
  for (const auto& stored : *page) write_short(stored, w);
  w.end_array().key("next_before");
  if (page->size() == filter.limit) {
    w.string(page->back().record.id.view());
  } else {
    w.null();
  }
  w.end_object();
  return {200, "application/json", w.take()};
}

AdminReply AdminApi::decision(std::string_view text) const {
  const auto id = state::parse_decision_id(text);
  if (!id)
    return refusal(
        404,
        "this is not a decision id; expected the 26 characters of an x-rung-decision-id header");
  const auto found = reader_->decision(*id);
  if (!found) return refusal(found.error());
  json::Writer w;
  write_whole(*found, w);
  return {200, "application/json", w.take()};
}

AdminReply AdminApi::routes() const {
  const auto totals = reader_->totals({}, state::GroupBy::kRoute);
  if (!totals) return refusal(totals.error());
  json::Writer w;
  w.begin_object().key("routes").begin_array();
  for (const AdminRoute& route : options_.routes ? options_.routes() : std::vector<AdminRoute>()) {
    w.begin_object().key("name").string(route.name).key("arms").begin_array();
    for (const std::string& arm : route.arms) w.string(arm);
    w.end_array().key("policy").string(route.policy).key("predictor").string(route.predictor);
    w.key("reference_arm").string(route.reference_arm).key("share");
    route.share.empty() ? w.null() : w.string(route.share);
    w.key("drifted").boolean(route.drifted).end_object();
  }
  w.end_array().key("totals").begin_array();
  for (const state::Totals& item : *totals) write(item, w);
  w.end_array().end_object();
  return {200, "application/json", w.take()};
}

}  // namespace rung::gateway
