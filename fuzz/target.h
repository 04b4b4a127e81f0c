#pragma once
// A fuzz target is a function over bytes. Each file of this folder defines some:
//
//   RUNG_FUZZ(json) { ... input ... }
//
// With libFuzzer each becomes a program of its own (fuzz_json); in every other build one program
// replays the corpora through all of them, so that an input that once crashed is a test for good.
// A broken promise is RUNG_CHECK.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace rung::fuzz {

using Function = void (*)(std::string_view input);
struct Target {
  std::string_view name;
  Function run;
};
std::vector<Target>& targets();

struct Registered {
  Registered(std::string_view name, Function run) { targets().push_back({name, run}); }
};

/// Cuts the input into pieces whose sizes follow from its own bytes: the same input, the same cuts.
class Pieces {
 public:
  explicit Pieces(std::string_view input) : rest_(input), state_(input.size() * 2 + 1) {
    for (const char c : input.substr(0, 16)) mix(static_cast<unsigned char>(c));
  }
  /// Empty: the end.
  std::string_view next() {
    mix(rest_.size());
    std::size_t size = 1 + state_ % 7;
    if (state_ % 5 == 0) size += state_ % 300;
    if (size > rest_.size()) size = rest_.size();
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return piece;
  }

 private:
  void mix(std::uint64_t value) { state_ = (state_ ^ value) * 0x9e3779b97f4a7c15u >> 7; }
  std::string_view rest_;
  std::uint64_t state_;
};

/// Takes one byte off the front; 0 if there is none.
inline std::uint8_t take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

}  // namespace rung::fuzz

#define RUNG_FUZZ(name)                                                       \
  static void fuzz_##name(std::string_view input);                            \
  static const rung::fuzz::Registered registered_##name{#name, &fuzz_##name}; \
  static void fuzz_##name([[maybe_unused]] std::string_view input)
