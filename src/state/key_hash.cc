#include "state/key_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/check.h"

namespace rung::state {
namespace {

constexpr std::string_view kPrefix = "rung-", kTag = "sha256:";
constexpr char kHex[] = "0123456789abcdef";

/// OpenSSL's context with the algorithm looked up once: the lookup is dearer than the hash.
struct Sha256 {
  Sha256() : method(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context(EVP_MD_CTX_new()) {
    RUNG_CHECK(method != nullptr && context != nullptr, "OpenSSL has no SHA-256");
  }
  ~Sha256() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(method);
  }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  EVP_MD* method;
  EVP_MD_CTX* context;
};

int value_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

KeyDigest digest_of(std::string_view key) {
  thread_local Sha256 sha;
  KeyDigest digest;
  const bool done = EVP_DigestInit_ex2(sha.context, sha.method, nullptr) == 1 &&
                    EVP_DigestUpdate(sha.context, key.data(), key.size()) == 1 &&
                    EVP_DigestFinal_ex(sha.context, digest.data(), nullptr) == 1;
  RUNG_CHECK(done, "OpenSSL gives no SHA-256");
  return digest;
}

std::string make_key() {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::uint8_t bytes[33] = {};  // one more than is random, so that three make four characters
  RUNG_CHECK(RAND_bytes(bytes, 32) == 1, "the operating system gives no random numbers");
  std::string key(kPrefix);
  for (std::size_t i = 0; i < 33; i += 3) {
    const unsigned three = static_cast<unsigned>(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6) key.push_back(kAlphabet[three >> shift & 63u]);
  }
  key.pop_back();  // of the zero byte alone
  OPENSSL_cleanse(bytes, sizeof bytes);
  return key;
}

std::string text_of(const KeyDigest& digest) {
  std::string text(kTag);
  for (const std::uint8_t byte : digest) {
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

std::optional<KeyDigest> parse_digest(std::string_view text) {
  KeyDigest digest;
  if (!text.starts_with(kTag) || text.size() != kTag.size() + 2 * digest.size())
    return std::nullopt;
  text.remove_prefix(kTag.size());
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = value_of(text[2 * i]), low = value_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return digest;
}

std::string shown_part(std::string_view key) {
  // Of a key that somebody chose, nothing is shown that could matter.
  if (!key.starts_with(kPrefix) || key.size() < 40) return "...";
  return std::string(key.substr(0, kPrefix.size() + 3)) + "...";
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace rung::state
