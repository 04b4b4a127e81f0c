#include "net/content_coding.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "net/http_parser.h"

namespace rung {
namespace {

constexpr std::size_t kStep = 64 * 1024;
constexpr std::size_t kSlack = 64;  // bytes behind a body, for parsers that read ahead
constexpr int kMostWindowLog = 27;  // of zstd: 128 MiB, what its own tool accepts

Error broken(std::string_view coding, std::string_view why) {
  return {ErrorCode::kInvalidArgument,
          "the body says content-encoding " + std::string(coding) + ", but " + std::string(why)};
}

/// What is unpacked so far; grows by doubling, up to the limit.
class Output {
 public:
  explicit Output(std::size_t limit) : limit_(limit) {}
  /// Makes room; false when the limit is used up.
  bool make_room() {
    if (used_ < bytes_.size()) return true;
    if (used_ == limit_) return false;
    const std::size_t size = std::min(limit_, std::max(kStep, used_ * 2));
    bytes_.reserve(size + kSlack);
    bytes_.resize(size);
    return true;
  }
  char* at() { return bytes_.data() + used_; }
  std::size_t room() const { return bytes_.size() - used_; }
  void took(std::size_t bytes) { used_ += bytes; }
  std::string take() {
    bytes_.resize(used_);
    bytes_.reserve(used_ + kSlack);
    return std::move(bytes_);
  }
  Error too_large() const {
    return {ErrorCode::kTooLarge, "the body unpacks to more than " + std::to_string(limit_) +
                                      " bytes, the most that this server takes"};
  }

 private:
  std::size_t limit_, used_ = 0;
  std::string bytes_;
};

Result<std::string> inflate_all(std::string_view coding, std::string_view body, int window_bits,
                                bool members, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) {
    return Error{ErrorCode::kInternal, "zlib gives no memory for the body"};
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  Output out(limit);
  bool ended = false;
  while (!ended) {
    const std::size_t before = body.size();
    const auto piece = static_cast<uInt>(std::min<std::size_t>(body.size(), 1u << 30));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = piece;
    const bool has_room = out.make_room();
    char beyond = 0;  // without room: whether one more byte would come
    const auto room = static_cast<uInt>(has_room ? std::min<std::size_t>(out.room(), 1u << 30) : 1);
    stream.next_out = reinterpret_cast<Bytef*>(has_room ? out.at() : &beyond);
    stream.avail_out = room;
    const int code = inflate(&stream, Z_NO_FLUSH);
    const bool is_sound = code == Z_OK || code == Z_BUF_ERROR;
    const std::size_t made = room - stream.avail_out;
    if (made > 0 && !has_room) return out.too_large();
    out.took(made);
    body.remove_prefix(piece - stream.avail_in);
    if (code == Z_STREAM_END) {
      if (body.empty()) {
        ended = true;
      } else if (!members || inflateReset(&stream) != Z_OK) {
        return broken(coding, "bytes follow its end");
      }
    } else if (is_sound && body.empty() && stream.avail_out > 0) {
      return broken(coding, "it ends too early");
    } else if (!is_sound || (made == 0 && body.size() == before)) {
      return broken(coding, "its bytes are not that");
    }
  }
  return out.take();
}

Result<std::string> unzstd_all(std::string_view body, std::size_t limit) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                             ZSTD_freeDStream);
  if (!stream) return Error{ErrorCode::kInternal, "zstd gives no memory for the body"};
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kMostWindowLog);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  Output out(limit);
  for (;;) {
    const bool has_room = out.make_room();
    char beyond = 0;
    ZSTD_outBuffer piece{has_room ? out.at() : &beyond, has_room ? out.room() : 1, 0};
    const std::size_t left = ZSTD_decompressStream(stream.get(), &piece, &in);
    if (ZSTD_isError(left) != 0) return broken("zstd", "its bytes are not that");
    if (piece.pos > 0 && !has_room) return out.too_large();
    out.took(piece.pos);
    if (left == 0 && in.pos == in.size) return out.take();
    if (in.pos == in.size && piece.pos < piece.size) return broken("zstd", "it ends too early");
  }
}

}  // namespace

Result<std::string> decode_content(std::string_view coding, std::string_view body,
                                   std::size_t limit) {
  if (coding.empty() || same_name(coding, "identity")) {
    if (body.size() > limit) return Output(limit).too_large();
    std::string plain;
    plain.reserve(body.size() + kSlack);
    return std::move(plain.append(body));
  }
  if (same_name(coding, "gzip") || same_name(coding, "x-gzip")) {
    return inflate_all(coding, body, 16 + MAX_WBITS, /*members=*/true, limit);
  }
  if (same_name(coding, "deflate")) {
    // The name means the zlib wrapper; some clients send the bare stream. A wrapper's first two
    // bytes are a multiple of 31 with 8 in the low half byte.
    const auto byte = [&](std::size_t i) -> unsigned {
      return i < body.size() ? static_cast<unsigned char>(body[i]) : 0u;
    };
    const bool wrapped = (byte(0) & 15u) == 8 && (byte(0) * 256 + byte(1)) % 31 == 0;
    return inflate_all(coding, body, wrapped ? MAX_WBITS : -MAX_WBITS, /*members=*/false, limit);
  }
  if (same_name(coding, "zstd")) return unzstd_all(body, limit);
  return Error{ErrorCode::kUnsupported,
               "content-encoding \"" + std::string(coding) +
                   "\" is not supported; send the body plain, or as gzip, deflate or zstd"};
}

}  // namespace rung
