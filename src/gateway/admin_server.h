#pragma once
// The dashboard and its API on their own listener, thread and loop: their reads of the ledger never
// hold up a request.

#include <memory>
#include <thread>

#include "gateway/admin.h"
#include "net/server.h"
#include "net/url.h"

namespace rung::gateway {

class AdminServer {
 public:
  /// Errors: those of listening. `ledger` must outlive the server.
  static Result<std::unique_ptr<AdminServer>> start(const ListenAddress& address,
                                                    const state::Ledger& ledger,
                                                    AdminOptions options);
  ~AdminServer();  // closes its connections
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  std::uint16_t port() const { return server_->port(); }

 private:
  AdminServer(const state::Ledger& ledger, AdminOptions options)
      : api_(ledger, std::move(options)) {}
  Task<void> answer(Exchange& exchange) const;

  AdminApi api_;
  Loop loop_;
  std::unique_ptr<Server> server_;
  std::jthread thread_;
};

}  // namespace rung::gateway
