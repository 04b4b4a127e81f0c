#pragma once
// Who is asking: the keys that are in force, and the check of a request's head against them.
//
//   configuration ─┐
//                  ├─► Keys ──(immutable KeyRing, version)──► each worker's view ──► head check
//   key store ─────┘
//
// A worker looks at one atomic number for each request; only when it has changed, because a key was
// made, changed or revoked, is the new ring fetched under a lock. So a revoked key is refused from
// the moment on at which the revocation was answered.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/config.h"
#include "net/http_parser.h"
#include "net/server.h"
#include "state/key_store.h"
#include "state/spend.h"

namespace rung::gateway {

/// A key in force, with the account of what it used. Immutable but for the account.
struct Key {
  state::KeySpec spec;
  std::shared_ptr<state::Account> account;  // never null
};

/// Whether an optional list of names holds `name`; an absent list holds all.
bool allows(const std::optional<std::vector<std::string>>& names, std::string_view name);

struct KeyRing {
  bool asks = false;  // false: everybody may come in without a key
  std::unordered_map<state::KeyDigest, std::shared_ptr<const Key>, state::DigestHash> by_digest;
  /// Of routes with limits, by name.
  std::unordered_map<std::string, std::shared_ptr<state::Account>> routes;
};

/// All keys and accounts of the process. Thread-safe.
class Keys {
 public:
  /// What each account had spent before, asked when one is made.
  using Before = std::function<Result<state::SpentBefore>()>;
  Keys(const Clock& clock, Before before);

  /// Takes the keys and limits of a configuration into force, and opens the key store if it is
  /// there. Errors: those of the store, and of what was spent before; then nothing has changed.
  Result<void> configure(const Config& config);
  /// Takes over what another process wrote to the store. A store that cannot be read leaves the
  /// keys as they are; the error is for the log.
  Result<void> poll();

  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const KeyRing> ring() const;
  bool asks() const { return ring()->asks; }

  // For the admin API. Changes are in force when they return.
  struct Listed {
    state::KeySpec spec;
    bool from_config = false;
    state::AccountState state = {};
  };
  std::vector<Listed> list() const;
  std::vector<std::pair<std::string, state::AccountState>> routes() const;
  /// The new key itself: it is nowhere else. Errors: kInvalidArgument, the name is taken;
  /// kUnsupported, there is no place for a store; those of the store.
  Result<std::string> create(state::KeySpec spec);
  /// `change` edits the rights of a key of the store.
  Result<void> update(const std::string& name,
                      const std::function<Result<void>(state::KeySpec&)>& change);
  Result<void> revoke(const std::string& name);

 private:
  Result<void> open_store(bool create);
  /// Builds a ring from what is known and puts it into force. Error: what was spent is not known.
  Result<void> rebuild();
  Result<std::shared_ptr<state::Account>> account(const std::string& scope, const std::string& name,
                                                  const state::Limits& limits);
  Error not_here(const std::string& name) const;

  const Clock& clock_;
  const Before before_;
  mutable std::mutex mutex_;  // guards the rest
  bool asks_ = false;
  std::vector<state::KeySpec> config_keys_, store_keys_;
  std::vector<std::pair<std::string, state::Limits>> route_limits_;
  std::filesystem::path store_path_;  // empty: there can be none
  std::unique_ptr<state::KeyStore> store_;
  std::int64_t store_version_ = 0;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<state::Account>> accounts_;
  std::shared_ptr<const KeyRing> ring_;
  std::atomic<std::uint64_t> version_{1};
};

/// One worker's view of the ring; its thread only.
class KeyView {
 public:
  explicit KeyView(const Keys& keys) : keys_(keys) {}
  const KeyRing& ring();

 private:
  const Keys& keys_;
  std::uint64_t seen_ = 0;
  std::shared_ptr<const KeyRing> ring_;
};

/// Checks a head: what a key lets through gets it as its context (nothing, where no keys are asked
/// for). Health checks and OPTIONS need none. A refusal has its dialect's error shape, and never
/// repeats what was sent.
std::optional<HeadRefusal> check_credentials(const KeyRing& ring, const HttpRequestHead& head,
                                             std::int64_t wall_us, std::string_view request_id,
                                             std::shared_ptr<const void>& context);

/// The key with which a request came in; null: none was asked for.
std::shared_ptr<const Key> key_of(const Exchange& exchange);

}  // namespace rung::gateway
