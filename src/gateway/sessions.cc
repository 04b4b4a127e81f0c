#include "gateway/sessions.h"

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include "base/check.h"
#include "base/random.h"

namespace rung::gateway {

struct Sessions::Place {
  std::uint64_t key;  // 0: free
  Session session;
};

namespace {

constexpr std::int64_t kLeastWarm = 1'024;  // below it providers do not cache

std::int64_t us(double seconds) { return static_cast<std::int64_t>(seconds * 1e6); }

void note_warm(Session& session, const SessionTurn& turn) {
  if (!turn.prompt_tokens || turn.model == 0) return;
  WarmModel* place = &session.warm[0];
  for (WarmModel& warm : session.warm) {
    if (warm.model == turn.model) {
      place = &warm;
      break;
    }
    if (warm.at_us < place->at_us) place = &warm;
  }
  if (place->model != turn.model) *place = {};
  place->model = turn.model;
  place->tokens = *turn.prompt_tokens;
  place->at_us = turn.now_us;
  if (turn.cached_tokens && turn.expected_warm >= kLeastWarm)
    place->hit_share = std::clamp(
        static_cast<float>(*turn.cached_tokens) / static_cast<float>(turn.expected_warm), 0.f, 1.f);
}

}  // namespace

const WarmModel* Session::find(std::uint64_t model) const {
  for (const WarmModel& known : warm)
    if (known.model == model && model != 0) return &known;
  return nullptr;
}

Sessions::Sessions(SessionOptions options)
    : options_(options),
      sets_(std::max<std::size_t>(1, (options.most + kWays - 1) / kWays)),
      places_(static_cast<Place*>(std::calloc(sets_ * kWays, sizeof(Place)))),
      locks_(std::make_unique<std::mutex[]>(kLocks)) {
  static_assert(std::is_trivially_destructible_v<Place> && std::is_trivially_copyable_v<Place>);
  RUNG_CHECK(places_ != nullptr, "no memory for sessions");
}

Sessions::~Sessions() { std::free(places_); }

Sessions::Place* Sessions::set_of(std::uint64_t key) const {
  return places_ + (mix64(key) % sets_) * kWays;
}

std::mutex& Sessions::lock_of(std::uint64_t key) const {
  return locks_[(mix64(key) % sets_) % kLocks];
}

std::optional<Session> Sessions::find(std::uint64_t key, std::int64_t now_us) const {
  if (key == 0) return std::nullopt;
  const std::lock_guard lock(lock_of(key));
  const Place* set = set_of(key);
  for (std::size_t way = 0; way < kWays; ++way)
    if (set[way].key == key && now_us - set[way].session.last_us < us(options_.idle_s))
      return set[way].session;
  return std::nullopt;
}

Session& Sessions::place_for(std::uint64_t key, std::int64_t now_us) {
  Place* set = set_of(key);
  Place* place = set;
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set[way].key == key) {
      place = &set[way];
      break;
    }
    const bool is_older = set[way].key == 0 || set[way].session.last_us < place->session.last_us;
    if (place->key != 0 && is_older) place = &set[way];
  }
  if (place->key != key || now_us - place->session.last_us >= us(options_.idle_s))
    place->session = {};
  place->key = key;
  return place->session;
}

void Sessions::claim(std::uint64_t key, std::uint64_t arm, std::int64_t now_us) {
  if (key == 0) return;
  const std::lock_guard lock(lock_of(key));
  Session& session = place_for(key, now_us);
  session.arm = arm;
  session.last_us = now_us;
}

void Sessions::note(std::uint64_t key, const SessionTurn& turn) {
  if (key == 0) return;
  const std::lock_guard lock(lock_of(key));
  Session& session = place_for(key, turn.now_us);
  if (turn.begins) {
    const auto warm = session.warm;
    session = {};
    session.warm = warm;
  }
  session.arm = turn.arm;
  session.last_us = turn.now_us;
  ++session.turns;
  note_warm(session, turn);
  if (!turn.prompt_tokens) return;
  if (session.turns > 1 && session.prompt_tokens > 0) {
    const auto grown =
        static_cast<float>(std::max<std::int64_t>(0, *turn.prompt_tokens - session.prompt_tokens));
    session.growth = session.growth < 0 ? grown : 0.5f * (session.growth + grown);
  }
  session.prompt_tokens = *turn.prompt_tokens;
  session.estimated_tokens = turn.estimated_tokens;
}

SessionStats Sessions::stats() const {
  return {held.load(std::memory_order_relaxed), locked.load(std::memory_order_relaxed),
          left.load(std::memory_order_relaxed)};
}

}  // namespace rung::gateway
