#include "net/client.h"

#include <algorithm>
#include <cstring>

#include "net/client_impl.h"

namespace rung {
namespace {

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

constexpr std::size_t kSlack = 64;  // bytes behind a whole body, for parsers that read ahead

}  // namespace

ClientPool::Impl::Impl(Loop& its_loop, Url base, ClientOptions its_options)
    : loop(its_loop),
      url(std::move(base)),
      options(its_options),
      name(url.authority()),
      host_header(url.host_header()) {
  SocketAddress numeric;
  if (numeric_address(url.host, url.port, numeric)) {
    known_.push_back(numeric);
    known_until_ = TimePoint::max();
  }
}

ClientPool::Impl::~Impl() { idle_.clear(); }

Task<Result<std::vector<SocketAddress>>> ClientPool::Impl::addresses(CancelToken cancel,
                                                                     Deadline deadline) {
  if (loop.now() < known_until_) co_return known_;
  if (!lookup_) lookup_ = start_lookup(loop, url.host, url.port);
  const std::shared_ptr<Lookup> mine = lookup_;
  auto waited = co_await mine->done.wait(cancel, deadline);
  if (!waited) {
    if (waited.error().code == ErrorCode::kTimeout && !known_.empty()) co_return known_;
    co_return Error{waited.error().code, name + ": the name was not resolved in time"};
  }
  if (lookup_ == mine) {  // the first of those who waited keeps the outcome
    lookup_.reset();
    if (!mine->addresses.empty()) {
      known_ = mine->addresses;
      known_until_ = loop.now() + options.dns_ttl;
    }
  }
  if (mine->addresses.empty()) {
    if (!known_.empty()) co_return known_;  // old addresses are better than none
    co_return Error{ErrorCode::kUnavailable, "cannot resolve " + url.host + ": " + mine->error};
  }
  co_return mine->addresses;
}

Task<Result<ClientConnection*>> ClientPool::Impl::acquire(bool fresh, CancelToken cancel,
                                                          Deadline deadline) {
  if (counters.open - counters.idle >= options.max_connections || !waiting_.empty()) {
    Slot slot(loop);
    waiting_.push_back(slot);
    auto given = co_await slot.given.wait(cancel, deadline);
    if (!given) {
      if (slot.given.is_set()) give_slot();  // it came too late for us
      co_return Error{given.error().code,
                      name + ": all " + std::to_string(options.max_connections) +
                          " connections are in use, and none came free in time"};
    }
  }
  if (!fresh && !idle_.empty()) {
    ClientConnection* connection = idle_.back().release();
    idle_.pop_back();
    --counters.idle;
    connection->unpark();
    connection->reused = true;
    connection->begin_effort(cancel, deadline);
    co_return connection;
  }
  // Idle connections count against the limit too, but they give way.
  while (counters.open >= options.max_connections && !idle_.empty()) {
    idle_.erase(idle_.begin());
    --counters.idle;
  }
  auto connection = std::make_unique<ClientConnection>(*this, loop);
  connection->begin_effort(cancel, deadline);
  co_return connection.release();
}

void ClientPool::Impl::give_slot() {
  if (waiting_.empty()) return;
  Slot& next = waiting_.front();
  next.unlink();
  next.given.set();
}

void ClientPool::Impl::release(ClientConnection* connection) {
  if (!connection->reusable() || idle_.size() >= options.max_idle) {
    destroy(connection);
    return;
  }
  connection->park(loop.now() + options.idle_timeout);
  idle_.emplace_back(connection);
  ++counters.idle;
  give_slot();
}

void ClientPool::Impl::destroy(ClientConnection* connection) {
  if (connection->tls() != nullptr && connection->complete()) {
    TlsSession latest(SSL_get1_session(connection->tls()));
    if (latest && SSL_SESSION_is_resumable(latest.get()) == 1) session = std::move(latest);
  }
  delete connection;
  give_slot();
}

void ClientPool::Impl::drop_idle(ClientConnection* connection) {
  const auto found = std::find_if(idle_.begin(), idle_.end(),
                                  [&](const auto& held) { return held.get() == connection; });
  RUNG_CHECK(found != idle_.end(), "an idle connection is in the pool");
  static_cast<void>(found->release());  // destroy() has it
  idle_.erase(found);
  --counters.idle;
  destroy(connection);
}

ClientPool::ClientPool(Loop& loop, Url base, ClientOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(base), options)) {}
ClientPool::~ClientPool() = default;
const Url& ClientPool::base() const { return impl_->url; }
const ClientCounters& ClientPool::counters() const { return impl_->counters; }

Task<Result<ClientResponse>> ClientPool::request(ClientRequest request, CancelToken cancel,
                                                 Deadline deadline) {
  ++impl_->counters.requests;
  for (bool retried = false;; retried = true) {
    if (cancel.cancelled())
      co_return Error{ErrorCode::kCancelled, impl_->name + ": cancelled before it was asked"};
    if (deadline.passed(impl_->loop.now())) {
      co_return Error{ErrorCode::kTimeout,
                      impl_->name + ": the deadline had passed before it was asked"};
    }
    // 1. A connection. The response owns it from here on, whatever happens.
    auto acquired = co_await impl_->acquire(/*fresh=*/retried, cancel, deadline);
    if (!acquired) co_return acquired.error();
    ClientResponse response(*acquired);
    ClientConnection& connection = **acquired;
    if (connection.reused) {
      ++impl_->counters.reused;
    } else {
      auto connected = co_await connection.connect(deadline);
      if (!connected) co_return connected.error();
    }
    // 2. The request and the head of its response.
    auto exchanged = co_await connection.exchange(request);
    if (exchanged) co_return response;
    // 3. Once more on a fresh connection, if the kept one was dead before it carried anything.
    const bool safe =
        connection.untouched() || (connection.no_answer() && idempotent(request.method));
    if (retried || !connection.reused || !safe) co_return exchanged.error();
    ++impl_->counters.stale_retries;
  }
}

// --- ClientResponse
// --------------------------------------------------------------------------------------

ClientResponse::ClientResponse(ClientResponse&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}
ClientResponse& ClientResponse::operator=(ClientResponse&& other) noexcept {
  if (this != &other) {
    release();
    connection_ = std::exchange(other.connection_, nullptr);
  }
  return *this;
}
ClientResponse::~ClientResponse() { release(); }
void ClientResponse::release() {
  if (connection_ != nullptr) connection_->pool().release(std::exchange(connection_, nullptr));
}

const HttpResponseHead& ClientResponse::head() const { return connection_->head(); }
bool ClientResponse::complete() const { return connection_->complete(); }
void ClientResponse::set_deadline(Deadline deadline) { connection_->set_deadline(deadline); }
TimePoint ClientResponse::first_byte() const { return connection_->first_byte(); }
Task<Result<std::string_view>> ClientResponse::read() { return connection_->read_body(); }
Task<bool> ClientResponse::wait(TimePoint patience) { return connection_->wait_body(patience); }

Task<Result<std::string>> ClientResponse::read_all(std::size_t limit) {
  // A plain parameter-less coroutine on the connection: the response may be moved while this one
  // waits.
  ClientConnection& connection = *connection_;
  std::string body;
  const auto expected = connection.head().content_length.value_or(0);
  body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(expected, limit)) + kSlack);
  for (;;) {
    auto piece = co_await connection.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    if (piece->size() > limit - body.size()) {
      co_return Error{ErrorCode::kTooLarge, connection.pool().name +
                                                ": the response is larger than " +
                                                std::to_string(limit) + " bytes"};
    }
    body.append(*piece);
  }
  body.reserve(body.size() + kSlack);
  co_return body;
}

}  // namespace rung
