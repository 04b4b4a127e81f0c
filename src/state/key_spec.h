#pragma once
// A client's key without the key: its digest, and what it may do. As JSON in the key store and in
// the admin API, as YAML in the configuration, with the same names.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"
#include "json/write.h"
#include "state/key_hash.h"
#include "state/limits.h"

namespace rung::state {

struct KeySpec {
  std::string name;
  KeyDigest digest{};
  std::string shown;                               // "rung-Ab3..."
  std::optional<std::vector<std::string>> routes;  // that it may name; empty: all
  std::optional<std::vector<std::string>> models;  // that may answer it; empty: all
  std::optional<std::int64_t> expires_us;          // refused from then on; empty: never
  bool disabled = false;
  std::string team;
  std::map<std::string, std::string> labels;
  Limits limits;
  std::int64_t created_us = 0;             // 0: of the configuration
  std::optional<std::int64_t> revoked_us;  // for good
};

/// Names of keys: 1 to 64 letters, digits, and . _ - @ +. They stand in logs, URLs and the ledger.
bool is_key_name(std::string_view name);

/// "2026-12-31" (its first moment, UTC) or "2026-12-31T12:00:00Z", in microseconds since 1970.
std::optional<std::int64_t> parse_time(std::string_view text);
/// As the second form, whole seconds.
std::string time_text(std::int64_t us);

/// What `read_rights` reads, as members of the object that is open. Empty ones are left out.
void write_rights(const KeySpec& spec, json::Writer& w);
void write_limits(const Limits& limits, json::Writer& w);
/// Reads routes, models, expires, disabled, team, labels and limits from an object into `spec`;
/// null takes one away. Members in `others` are left alone; any further one is an error. Errors:
/// kInvalidArgument with Error::field set.
Result<void> read_rights(json::Value object, const std::vector<std::string_view>& others,
                         KeySpec& spec);
Result<Limits> read_limits(json::Value object);

}  // namespace rung::state
