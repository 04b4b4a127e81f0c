#include "state/decision_id.h"

#include <algorithm>
#include <random>

namespace rung::state {
namespace {

constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::uint64_t kLastMs = (std::uint64_t{1} << 48) - 1;

/// 10 characters of time, 16 of the random part: 4 from `high` with 4 bits of `low`, 12 from the
/// rest.
DecisionId make(std::uint64_t ms, std::uint64_t high, std::uint64_t low) {
  DecisionId id;
  for (std::size_t i = 0; i < 10; ++i) {
    id.text[9 - i] = kAlphabet[(ms >> (5 * i)) & 31];
  }
  const std::uint64_t front = (high << 4) | (low >> 60);  // 20 bits
  for (std::size_t i = 0; i < 4; ++i) {
    id.text[13 - i] = kAlphabet[(front >> (5 * i)) & 31];
  }
  for (std::size_t i = 0; i < 12; ++i) {
    id.text[25 - i] = kAlphabet[(low >> (5 * i)) & 31];
  }
  return id;
}

int value_of(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const auto* end = kAlphabet + 32;
  const auto* found = std::find(kAlphabet, end, c);
  return found == end ? -1 : static_cast<int>(found - kAlphabet);
}

std::uint64_t system_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) ^ device();
}

}  // namespace

std::int64_t DecisionId::time_ms() const {
  if (!is_set()) return 0;
  std::uint64_t ms = 0;
  for (std::size_t i = 0; i < 10; ++i)
    ms = (ms << 5) | static_cast<std::uint64_t>(value_of(text[i]));
  return static_cast<std::int64_t>(ms);
}

std::optional<DecisionId> parse_decision_id(std::string_view text) {
  if (text.size() != DecisionId::kLength) return std::nullopt;
  DecisionId id;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = value_of(text[i]);
    // 26 characters hold 130 bits: the first may only carry 3 of its 5.
    if (value < 0 || (i == 0 && value > 7)) return std::nullopt;
    id.text[i] = kAlphabet[value];
  }
  return id;
}

DecisionId first_id_of(std::int64_t ms) {
  return make(std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)), kLastMs), 0, 0);
}

DecisionIdSource::DecisionIdSource() : DecisionIdSource(system_seed()) {}
DecisionIdSource::DecisionIdSource(std::uint64_t seed) : rng_(seed) {}

DecisionId DecisionIdSource::next(std::int64_t wall_us) {
  const auto ms =
      std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(wall_us, 0)) / 1000, kLastMs);
  if (ms > last_ms_) {
    last_ms_ = ms;
    // The top random bit stays free, so that counting up within a millisecond has room.
    high_ = rng_.next() & 0x7fff;
    low_ = rng_.next();
  } else {
    // Up by a random step, so that the next id is not simply the last one plus one.
    const std::uint64_t before = low_;
    low_ += 1 + (rng_.next() & 0xffffffff);
    if (low_ < before) ++high_;
  }
  return make(last_ms_, high_, low_);
}

}  // namespace rung::state
