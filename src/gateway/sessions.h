#pragma once
// What is remembered of conversations, for as long as their prompts may be warm somewhere.
//
// A fixed number of places in sets of eight; a new session takes the place of the one in its set
// that was longest not heard of, so memory has a bound and nothing is ever searched or freed.
// Thread-safe: a session is found from every worker; a set is guarded by one of 64 locks, held for
// the copy of one session.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace rung::gateway {

struct SessionOptions {
  std::size_t most = 65'536;  // sessions; about 200 bytes each, used as they are needed
  double idle_s = 3'600;      // a session that was not heard of for so long has ended
  double cache_ttl_s = 300;   // how long providers keep a prompt that nobody reads
  double drift_points = 1;    // quality that a change costs once
  bool operator==(const SessionOptions&) const = default;
};

/// What a model read last in a session.
struct WarmModel {
  std::uint64_t model = 0;  // hash of its name; 0: empty
  std::int64_t tokens = 0;  // of the prompt, as the provider counted
  std::int64_t at_us = 0;   // steady clock
  float hit_share = -1;     // of the tokens that should have been cached; below 0: not seen
};

struct Session {
  static constexpr std::size_t kModels = 4;  // that are remembered at once, the latest ones
  std::uint64_t arm = 0;                     // hash of the label of the arm in use
  std::int64_t last_us = 0;                  // steady clock
  std::int64_t turns = 0;                    // answered
  std::int64_t prompt_tokens = 0;            // of the last turn, as the provider counted
  std::int64_t estimated_tokens = 0;         // the same turn, as we estimated
  float growth = -1;                         // tokens a turn, smoothed; below 0: not seen
  std::array<WarmModel, kModels> warm{};

  const WarmModel* find(std::uint64_t model) const;
};

/// One answered turn.
struct SessionTurn {
  std::uint64_t arm = 0, model = 0;
  bool begins = false;  // the first of a conversation: only what is warm is kept of one before
  std::int64_t now_us = 0;
  std::int64_t estimated_tokens = 0;
  std::optional<std::int64_t> prompt_tokens, cached_tokens;  // as the provider counted
  std::int64_t expected_warm = 0;                            // tokens that we took for cached
};

struct SessionStats {
  std::uint64_t held = 0;    // turns that stayed although the policy alone would have changed
  std::uint64_t locked = 0;  // turns that stayed because they had to
  std::uint64_t left = 0;    // turns that changed the arm
};

class Sessions {
 public:
  explicit Sessions(SessionOptions options = {});
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  const SessionOptions& options() const { return options_; }
  /// Empty: not known, or not heard of for too long.
  std::optional<Session> find(std::uint64_t key, std::int64_t now_us) const;
  /// Says which arm is about to answer, before any of the answer is sent: the client's next turn
  /// may be with another worker before this one has ended. Makes the session where it is new.
  void claim(std::uint64_t key, std::uint64_t arm, std::int64_t now_us);
  /// Notes a turn; makes the session where it is new.
  void note(std::uint64_t key, const SessionTurn& turn);

  SessionStats stats() const;
  std::atomic<std::uint64_t> held{0}, locked{0}, left{0};

 private:
  struct Place;
  static constexpr std::size_t kWays = 8, kLocks = 64;
  Place* set_of(std::uint64_t key) const;
  Session& place_for(std::uint64_t key, std::int64_t now_us);  // under its lock
  std::mutex& lock_of(std::uint64_t key) const;
  SessionOptions options_;
  std::size_t sets_;
  Place* places_;  // calloc: pages that no session ever used stay untouched
  std::unique_ptr<std::mutex[]> locks_;
};

}  // namespace rung::gateway
