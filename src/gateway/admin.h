#pragma once
// The dashboard and the questions it asks, as a function from request to reply: no sockets here.
//
//   GET /                      the dashboard: one page with its style and script, nothing from
//   other hosts GET /api/summary?since=S   the last S seconds (60 to 400 days; default one day), up
//   to 200 `buckets` GET /api/decisions?limit=&before=&route=&model=&outcome=&since=   newest
//   first; limit 1 to 500 GET /api/decisions/ID      one decision whole GET /api/routes what is
//   served now, with the totals of each route
//
// Of these everything is read-only and GET; /api/keys, /api/budgets and /api/spend (admin_keys.h)
// can change keys, and need a token to. A Host header that does not name a local address is
// refused: a page on the web may point its own name at 127.0.0.1, and would read the ledger through
// the visitor's browser.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "state/ledger.h"
#include "state/ledger_reader.h"

namespace rung::gateway {

struct AdminReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// Sent with every reply of the admin listener, names in lower case.
struct AdminHeader {
  std::string_view name, value;
};
std::vector<AdminHeader> admin_headers();

struct AdminRoute {
  std::string name;
  std::vector<std::string> arms;
  std::string policy;         // as a person reads it: "tradeoff, 0.0005 USD per point"
  std::string predictor;      // empty: none
  std::string reference_arm;  // empty: none
  std::string share = {};     // what its threshold does to live traffic, a sentence; empty: none
  bool drifted = false;       // and that is not what calibration expected
};

struct AdminOptions {
  std::string token;                       // empty: none asked; else "Authorization: Bearer TOKEN"
  std::vector<std::string> allowed_hosts;  // besides localhost and literal addresses, without port
  std::string endpoint;  // shown in the first-steps text; empty: http://127.0.0.1:4000
  std::function<std::vector<AdminRoute>()>
      routes;  // what is served now; may be empty; called from any thread
  /// Keys, budgets and spend: whether a path is theirs, and the answer. May be empty.
  std::function<bool(std::string_view path)> manages = {};
  std::function<AdminReply(std::string_view method, std::string_view path, std::string_view query,
                           std::string_view body)>
      manage = {};
};

class AdminApi {
 public:
  /// `ledger` (for its health) and `clock` must outlive this.
  AdminApi(const state::Ledger& ledger, AdminOptions options = {},
           const Clock& clock = system_clock());

  /// `target` is path and query as sent. Missing headers are "". Thread-safe; blocks on reads of
  /// the ledger.
  AdminReply handle(std::string_view method, std::string_view target, std::string_view host,
                    std::string_view authorization, std::string_view body = {}) const;

 private:
  static const Clock& system_clock();
  AdminReply summary(std::string_view query) const;
  AdminReply decisions(std::string_view query) const;
  AdminReply decision(std::string_view id) const;
  AdminReply routes() const;

  const state::Ledger& ledger_;
  AdminOptions options_;
  const Clock& clock_;
  std::unique_ptr<state::LedgerReader> reader_;
};

/// A file of web/, compiled in: "index.html", "dashboard.css", "dashboard.js". Empty: there is none
/// of that name.
std::string_view web_asset(std::string_view name);

}  // namespace rung::gateway
