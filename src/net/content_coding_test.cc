#include "net/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/random.h"

namespace rung {
namespace {

constexpr std::size_t kPlenty = 64u << 20;

std::string deflated(std::string_view plain, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string gzipped(std::string_view plain) { return deflated(plain, 16 + MAX_WBITS); }
std::string zstded(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

/// "", about `size` bytes that compress somewhat.
std::string text_of(std::size_t size) {
  Rng rng(size + 1);
  std::string text;
  while (text.size() < size) text += "word" + std::to_string(rng.below(1000)) + " ";
  text.resize(size);
  return text;
}

TEST(DecodeContent, UndoesEachCodingAtAnySize) {
  for (const std::size_t size : {0u, 1u, 100u, 65'536u, 65'537u, 3'000'000u}) {
    const std::string plain = text_of(size);
    const std::pair<const char*, std::string> cases[] = {{"gzip", gzipped(plain)},
                                                         {"X-GZIP", gzipped(plain)},
                                                         {"zstd", zstded(plain)},
                                                         {"deflate", deflated(plain, MAX_WBITS)},
                                                         {"deflate", deflated(plain, -MAX_WBITS)},
                                                         {"identity", plain},
                                                         {"", plain}};
    for (const auto& [coding, body] : cases) {
      auto got = decode_content(coding, body, kPlenty);
      ASSERT_TRUE(got) << coding << " " << size << ": " << got.error().message;
      EXPECT_EQ(*got, plain) << coding << " " << size;
      EXPECT_GE(got->capacity() - got->size(), 64u) << coding << " " << size;
    }
  }
}

TEST(DecodeContent, JoinsMembersAndFrames) {
  EXPECT_EQ(decode_content("gzip", gzipped("one ") + gzipped("") + gzipped("two"), 100).value(),
            "one two");
  EXPECT_EQ(decode_content("zstd", zstded("one ") + zstded("two"), 100).value(), "one two");
}

TEST(DecodeContent, TakesExactlyTheLimitAndNotAByteMore) {
  const std::string plain = text_of(100'000);
  for (const char* coding : {"gzip", "deflate", "zstd", "identity"}) {
    const std::string body = coding[0] == 'g'   ? gzipped(plain)
                             : coding[0] == 'd' ? deflated(plain, MAX_WBITS)
                             : coding[0] == 'z' ? zstded(plain)
                                                : plain;
    EXPECT_TRUE(decode_content(coding, body, plain.size())) << coding;
    const auto over = decode_content(coding, body, plain.size() - 1);
    ASSERT_FALSE(over) << coding;
    EXPECT_EQ(over.error().code, ErrorCode::kTooLarge) << coding;
  }
}

TEST(DecodeContent, RefusesWhatIsCutDamagedOrFollowedByMore) {
  const std::string plain = text_of(5'000);
  const std::pair<const char*, std::string> whole[] = {
      {"gzip", gzipped(plain)}, {"deflate", deflated(plain, MAX_WBITS)}, {"zstd", zstded(plain)}};
  for (const auto& [coding, body] : whole) {
    for (const std::size_t cut :
         {std::size_t{0}, std::size_t{1}, body.size() / 2, body.size() - 1}) {
      const auto got = decode_content(coding, std::string_view(body).substr(0, cut), kPlenty);
      ASSERT_FALSE(got) << coding << " " << cut;
      EXPECT_EQ(got.error().code, ErrorCode::kInvalidArgument) << coding << " " << cut;
    }
    EXPECT_FALSE(decode_content(coding, body + "junk", kPlenty)) << coding;
    EXPECT_FALSE(decode_content(coding, plain, kPlenty)) << coding;
  }
}

TEST(DecodeContent, NeitherReadsOutOfBoundsNorHangsOnMutatedBytes) {
  Rng rng(5);
  const std::string plain = text_of(2'000);
  const std::pair<const char*, std::string> seeds[] = {
      {"gzip", gzipped(plain)}, {"deflate", deflated(plain, -MAX_WBITS)}, {"zstd", zstded(plain)}};
  for (int round = 0; round < 3'000; ++round) {
    auto [coding, bytes] = seeds[rng.below(3)];
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    bytes.resize(1 + rng.below(bytes.size()));
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const auto got = decode_content(coding, {exact.data(), exact.size()}, 10'000);
    if (got) {
      EXPECT_LE(got->size(), 10'000u);
    }
  }
}

TEST(DecodeContent, NamesWhatItCannotUndo) {
  for (const char* coding : {"br", "gzip, gzip", "compress"}) {
    const auto got = decode_content(coding, "x", 100);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(got.error().message.find(coding), std::string::npos);
  }
}

}  // namespace
}  // namespace rung
