#pragma once
// The name of one decision: 26 characters that sort by time, safe in headers, URLs and file names.
//
// Layout as ULID (github.com/ulid/spec): 48 bits of milliseconds since 1970, then 80 random bits,
// in Crockford's base 32, so that byte order is time order and any number of gateways can make ids
// without talking.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace rung::state {

struct DecisionId {
  static constexpr std::size_t kLength = 26;
  std::array<char, kLength> text{};  // all NUL bytes: no id

  bool is_set() const { return text[0] != '\0'; }
  std::string_view view() const { return {text.data(), is_set() ? kLength : 0}; }
  std::string str() const { return std::string(view()); }
  /// The wall time in the id, milliseconds since 1970; 0 for no id.
  std::int64_t time_ms() const;
  friend auto operator<=>(const DecisionId&, const DecisionId&) = default;
};

/// Reads an id as a client sends it back (upper or lower case). Empty if it is not 26 characters of
/// the alphabet.
std::optional<DecisionId> parse_decision_id(std::string_view text);

/// The smallest id of a millisecond: ids at or above it were made at that time or later. `ms` below
/// 0 counts as 0.
DecisionId first_id_of(std::int64_t ms);

/// Makes ids. One per worker thread (not thread-safe). Ids of one source rise strictly, also within
/// a millisecond and when the clock steps back. Not secret: an id names a decision, it does not
/// grant access to it.
class DecisionIdSource {
 public:
  /// Seeded from the operating system.
  DecisionIdSource();
  /// Seeded by the caller: same seed and times, same ids.
  explicit DecisionIdSource(std::uint64_t seed);
  /// `wall_us`: microseconds since 1970, as Clock::wall_us gives them.
  DecisionId next(std::int64_t wall_us);

 private:
  Rng rng_;
  std::uint64_t last_ms_ = 0;
  std::uint64_t high_ = 0;  // the top 16 of the 80 random bits
  std::uint64_t low_ = 0;   // the other 64
};

}  // namespace rung::state

template <>
struct std::hash<rung::state::DecisionId> {
  std::size_t operator()(const rung::state::DecisionId& id) const noexcept {
    return std::hash<std::string_view>{}({id.text.data(), id.text.size()});
  }
};
