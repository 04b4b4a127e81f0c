#pragma once
// A request as a turn of its session: keeps the arm in use where changing it would break the
// conversation or cost more than it is worth, and notes the turn when it has ended.

#include <cstdint>
#include <string_view>

#include "gateway/decider.h"
#include "gateway/sessions.h"
#include "state/record.h"

namespace rung::gateway {

/// Belongs to one request.
class SessionHold {
 public:
  /// Reconsiders `choice`, which the policy made for this request alone, as a turn of its session:
  ///   a tool call is open, or the conversation holds what only its provider can read: the arm in
  ///     use stays, if it still can serve the request;
  ///   tradeoff, target_quality: the arm with the greatest worth over the turns to come;
  ///   else: as the policy chose.
  /// The first turn, a model that was named, an arm that was pinned: as they are. `named` is the
  /// x-rung-session header ("" if absent), `key_name` the client's key: sessions of different keys
  /// never meet. `sessions` may be null (off) and outlives this. `now_us`: steady clock.
  void apply(Sessions* sessions, const wire::Request& request, std::string_view named,
             std::string_view key_name, bool is_pinned, std::int64_t now_us, Choice& choice);

  /// An arm is about to answer; before the first byte of it goes to the client.
  void claim(const state::RequestRecord& record, std::int64_t now_us) const;
  /// Notes the turn if it was answered.
  void note(const state::RequestRecord& record, std::int64_t now_us) const;

 private:
  void lock(std::string_view why, std::size_t current, Choice& choice) const;
  void price(const Session& session, std::int64_t now_us, std::size_t current,
             Choice& choice) const;
  Sessions* sessions_ = nullptr;  // null: this request is no turn of a session
  std::uint64_t key_ = 0;
  bool begins_ = false;  // nothing was said before
  std::int64_t estimated_tokens_ = 0;
  std::optional<Session> before_;
  std::int64_t prompt_tokens_ = 0;  // estimated, in the provider's count where that is known
};

}  // namespace rung::gateway
