#pragma once
// Comments in a stream that says nothing, so that no proxy on the way takes it for dead.

#include <chrono>
#include <functional>

#include "net/loop.h"
#include "net/server.h"

namespace rung::gateway {

/// Of one exchange. Writes ": keep-alive" whenever `every` has passed without a byte. The first one
/// commits the reply to status 200: what fails after it can only be told in the stream. Belongs to
/// the exchange's loop; must not outlive the exchange.
class KeepAlive {
 public:
  /// Starts the reply (head and all) where it has not begun.
  using StartReply = std::function<void()>;

  explicit KeepAlive(Exchange& exchange);
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;
  /// `every` of 0: never.
  void begin(std::chrono::milliseconds every, StartReply start_reply);
  /// Something was sent.
  void touch();
  void stop();

 private:
  static void on_time(void* self);
  void beat();

  Exchange& exchange_;
  std::chrono::milliseconds every_{0};
  StartReply start_reply_;
  Timer timer_;
};

}  // namespace rung::gateway
