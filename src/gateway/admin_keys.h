#pragma once
// Keys, budgets and spend over the admin API, as a function from request to reply; the part of the
// admin listener that can change something. docs/keys-and-budgets.md lists what it takes.

#include <string_view>

#include "gateway/admin.h"
#include "gateway/auth.h"
#include "state/ledger.h"

namespace rung::gateway {

/// Answers /api/keys, /api/keys/NAME, /api/budgets and /api/spend. Thread-safe; blocks on the key
/// store. Who asks has been checked already.
class KeysApi {
 public:
  /// All must outlive this.
  KeysApi(Keys& keys, const state::Ledger& ledger, const Clock& clock)
      : keys_(keys), ledger_(ledger), clock_(clock) {}

  /// Whether it answers this path.
  static bool owns(std::string_view path);
  AdminReply handle(std::string_view method, std::string_view path, std::string_view query,
                    std::string_view body) const;

 private:
  AdminReply list() const;
  AdminReply create(std::string_view body) const;
  AdminReply change(const std::string& name, std::string_view body) const;
  AdminReply revoke(const std::string& name) const;
  AdminReply budgets() const;
  AdminReply spend(std::string_view query) const;

  Keys& keys_;
  const state::Ledger& ledger_;
  const Clock& clock_;
};

}  // namespace rung::gateway
