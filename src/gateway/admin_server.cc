#include "gateway/admin_server.h"

namespace rung::gateway {

Result<std::unique_ptr<AdminServer>> AdminServer::start(const ListenAddress& address,
                                                        const state::Ledger& ledger,
                                                        AdminOptions options) {
  std::unique_ptr<AdminServer> admin(new AdminServer(ledger, std::move(options)));
  auto server = Server::listen(
      admin->loop_, {.host = address.host, .port = address.port, .max_body_bytes = 1 << 20},
      [self = admin.get()](Exchange& exchange) { return self->answer(exchange); });
  if (!server) return server.error().with("admin");
  admin->server_ = *std::move(server);
  admin->thread_ = std::jthread([self = admin.get()] { self->loop_.run(); });
  return admin;
}

AdminServer::~AdminServer() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
  server_.reset();
}

Task<void> AdminServer::answer(Exchange& exchange) const {
  const AdminReply reply = api_.handle(exchange.method(), exchange.head().target,
                                       exchange.header("host"), exchange.header("authorization"), exchange.body());
  const std::vector<AdminHeader> extra = admin_headers();
  std::vector<HttpHeader> headers{{"content-type", reply.content_type}};
  for (const AdminHeader& header : extra) headers.push_back({header.name, header.value});
  auto sent = co_await exchange.respond(reply.status, headers, reply.body);
  static_cast<void>(sent);  // the visitor left: there is nobody to tell
}

}  // namespace rung::gateway
