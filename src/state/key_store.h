#pragma once
// Keys that were made while the gateway runs (admin API) or on the command line: one small SQLite
// file, which several processes may open. Never holds a key, only its digest.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "state/key_spec.h"

namespace rung::state {

/// Thread-safe: one question at a time.
class KeyStore {
 public:
  /// Opens or creates it; a created file can be read by its owner only. Errors: kCorruptFile (not a
  /// key store, or of a newer Rung), kIo.
  static Result<std::unique_ptr<KeyStore>> open(const std::filesystem::path& file);
  virtual ~KeyStore() = default;

  /// By name, the revoked ones too: their names stay taken, for the ledger's sake.
  virtual Result<std::vector<KeySpec>> list() = 0;
  /// Error kInvalidArgument: the name or the digest is there already.
  virtual Result<void> add(const KeySpec& spec) = 0;
  /// Writes its rights. Error kNotFound: no such key, or revoked.
  virtual Result<void> update(const KeySpec& spec) = 0;
  /// For good. Error kNotFound: no such key.
  virtual Result<void> revoke(const std::string& name, std::int64_t wall_us) = 0;
  /// Changes when another connection has written.
  virtual Result<std::int64_t> version() = 0;
};

/// Where the keys of a ledger are, if nothing else is said: "rung.db" has "rung.keys.db".
std::filesystem::path key_store_beside(const std::filesystem::path& ledger);

}  // namespace rung::state
