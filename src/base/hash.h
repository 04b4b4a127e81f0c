#pragma once
// A stable 64-bit hash of bytes. It is part of formats (feature buckets, splits): its values never
// change.

#include <cstdint>
#include <string_view>

namespace rung {

/// FNV-1a with a SplitMix64 finish: byte order independent, same value on every machine. Not
/// cryptographic.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace rung
