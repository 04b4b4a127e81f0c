#include "gateway/keep_alive.h"

namespace rung::gateway {

KeepAlive::KeepAlive(Exchange& exchange)
    : exchange_(exchange), timer_(exchange.loop(), &KeepAlive::on_time, this) {}

void KeepAlive::begin(std::chrono::milliseconds every, StartReply start_reply) {
  every_ = every;
  start_reply_ = std::move(start_reply);
  touch();
}

void KeepAlive::touch() {
  if (every_.count() > 0) timer_.set(std::chrono::steady_clock::now() + every_);
}

void KeepAlive::stop() {
  every_ = {};
  timer_.clear();
}

void KeepAlive::on_time(void* self) { static_cast<KeepAlive*>(self)->beat(); }

void KeepAlive::beat() {
  if (exchange_.ended()) return;
  if (!exchange_.started()) start_reply_();
  // Not awaited: a client that does not read costs a few bytes, and its time-out ends it.
  static_cast<void>(exchange_.write(": keep-alive\n\n"));
  touch();
}

}  // namespace rung::gateway
