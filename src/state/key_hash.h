#pragma once
// Keys of clients: how they are made, and the only form in which they are kept.
//
// A key is 256 random bits, and what is kept is its plain SHA-256. A slow hash with a salt (bcrypt,
// Argon2) protects passwords, which can be guessed; nobody guesses 256 random bits, so it would
// protect nothing here and cost 100 ms of processor for each request. Looking a digest up needs no
// constant time either: who chooses a key does not choose its digest, and how far two digests agree
// tells nothing about a key that would match.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace rung::state {

using KeyDigest = std::array<std::uint8_t, 32>;

/// SHA-256. Thread-safe; about a quarter of a microsecond.
KeyDigest digest_of(std::string_view key);

/// A new key, "rung-" and 43 characters of base64url, from the operating system's random numbers.
std::string make_key();

/// "sha256:" and 64 hexadecimal digits, and back; nullopt for anything else.
std::string text_of(const KeyDigest& digest);
std::optional<KeyDigest> parse_digest(std::string_view text);

/// The part of a key that may be shown, so that people can tell keys apart: "rung-Ab3...", 18 of
/// its 256 bits.
std::string shown_part(std::string_view key);

/// The first bytes of a digest are as good as any hash of it.
struct DigestHash {
  std::size_t operator()(const KeyDigest& digest) const noexcept {
    std::size_t first = 0;
    std::memcpy(&first, digest.data(), sizeof first);
    return first;
  }
};

/// Takes as long for equal texts as for different ones of the same length.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace rung::state
