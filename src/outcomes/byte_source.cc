#include "outcomes/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace rung::outcomes {
namespace {

constexpr std::size_t kInputBytes = 1 << 17;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

enum class Packing { kUnknown, kPlain, kGzip, kZstd };

class FileCloser {
 public:
  explicit FileCloser(int fd) : fd_(fd) {}
  ~FileCloser() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  FileCloser(const FileCloser&) = delete;
  FileCloser& operator=(const FileCloser&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

struct ByteSource::Impl {
  std::string name;
  Pull pull;
  Packing packing = Packing::kUnknown;
  std::vector<char> input = std::vector<char>(kInputBytes);
  std::size_t begin = 0, end = 0;  // unread part of `input`
  bool input_ended = false;
  bool between_frames = true;  // no gzip member or zstd frame is open
  std::uint64_t consumed = 0, total = 0;
  z_stream gzip{};
  bool gzip_open = false;
  ZSTD_DStream* zstd = nullptr;

  ~Impl() {
    if (gzip_open) inflateEnd(&gzip);
    ZSTD_freeDStream(zstd);
  }

  Error bad(std::string_view what) const {
    return {ErrorCode::kInvalidData, fmt::format("{}: {}", name, what)};
  }
  Error cut(std::string_view kind) const {
    return bad(fmt::format("ends in the middle of its {} data; the file is probably cut", kind));
  }

  // Appends to the unread part; false when the input has ended.
  Result<bool> fill() {
    if (input_ended) return false;
    if (begin > 0) {
      std::memmove(input.data(), input.data() + begin, end - begin);
      end -= begin;
      begin = 0;
    }
    std::ptrdiff_t n = 0;
    do {
      n = pull(input.data() + end, input.size() - end);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
      return Error{ErrorCode::kIo, fmt::format("cannot read {}: {}", name, std::strerror(errno))};
    }
    if (n == 0) input_ended = true;
    end += static_cast<std::size_t>(n);
    consumed += static_cast<std::uint64_t>(n);
    return n > 0;
  }

  Result<void> detect() {
    while (end - begin < kZstdMagic.size()) {
      auto more = fill();
      if (!more) return more.error();
      if (!*more) break;
    }
    const std::string_view head(input.data() + begin, end - begin);
    packing = head.starts_with(kGzipMagic)   ? Packing::kGzip
              : head.starts_with(kZstdMagic) ? Packing::kZstd
                                             : Packing::kPlain;
    if (packing == Packing::kGzip) {
      RUNG_CHECK(inflateInit2(&gzip, 16 + MAX_WBITS) == Z_OK, "zlib gave no memory");
      gzip_open = true;
    } else if (packing == Packing::kZstd) {
      zstd = ZSTD_createDStream();
      RUNG_CHECK(zstd != nullptr, "zstd gave no memory");
    }
    return {};
  }

  std::size_t read_plain(char* into, std::size_t capacity) {
    const std::size_t n = std::min(capacity, end - begin);
    std::memcpy(into, input.data() + begin, n);
    begin += n;
    return n;
  }

  Result<std::size_t> read_gzip(char* into, std::size_t capacity) {
    if (between_frames) {
      if (input[begin] == '\0') {  // tar and some tools pad the end with zeros
        ++begin;
        return std::size_t{0};
      }
      if (input[begin] != kGzipMagic[0]) {
        return bad("has other bytes after its gzip data; expected its end or another gzip member");
      }
      inflateReset(&gzip);
      between_frames = false;
    }
    gzip.next_in = reinterpret_cast<Bytef*>(input.data() + begin);
    gzip.avail_in = static_cast<uInt>(end - begin);
    gzip.next_out = reinterpret_cast<Bytef*>(into);
    gzip.avail_out = static_cast<uInt>(std::min<std::size_t>(capacity, 1u << 30));
    const uInt room = gzip.avail_out;
    const int status = inflate(&gzip, Z_NO_FLUSH);
    begin = end - gzip.avail_in;
    if (status == Z_STREAM_END) {
      between_frames = true;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return bad(fmt::format("its gzip data is damaged ({}); unpack it with gzip -t to see where",
                             gzip.msg != nullptr ? gzip.msg : "unknown reason"));
    }
    return std::size_t{room - gzip.avail_out};
  }

  Result<std::size_t> read_zstd(char* into, std::size_t capacity) {
    ZSTD_inBuffer in{input.data() + begin, end - begin, 0};
    ZSTD_outBuffer out{into, capacity, 0};
    const std::size_t status = ZSTD_decompressStream(zstd, &out, &in);
    begin += in.pos;
    if (ZSTD_isError(status) != 0) {
      return bad(fmt::format("its zstd data is damaged ({}); check it with zstd -t",
                             ZSTD_getErrorName(status)));
    }
    between_frames = status == 0;
    return out.pos;
  }

  Result<std::size_t> read(char* into, std::size_t capacity) {
    if (packing == Packing::kUnknown) {
      if (auto found = detect(); !found) return found.error();
    }
    for (;;) {
      if (begin == end) {
        auto more = fill();
        if (!more) return more.error();
        if (!*more) break;
      }
      Result<std::size_t> n = packing == Packing::kGzip   ? read_gzip(into, capacity)
                              : packing == Packing::kZstd ? read_zstd(into, capacity)
                                                          : read_plain(into, capacity);
      if (!n || *n > 0) return n;
    }
    // The input is used up, but the unpacker may still hold bytes.
    if (packing == Packing::kGzip && !between_frames) {
      auto n = read_gzip(into, capacity);
      if (!n || *n > 0) return n;
      if (!between_frames) return cut("gzip");
    }
    if (packing == Packing::kZstd && !between_frames) {
      auto n = read_zstd(into, capacity);
      if (!n || *n > 0) return n;
      if (!between_frames) return cut("zstd");
    }
    return std::size_t{0};
  }
};

Result<ByteSource> ByteSource::open(const std::string& path) {
  if (path == "-") {
    return ByteSource("standard input", [](char* into, std::size_t capacity) {
      return static_cast<std::ptrdiff_t>(::read(STDIN_FILENO, into, capacity));
    });
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int number = errno;
    return Error{number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 fmt::format("cannot read {}: {}", path, std::strerror(number))};
  }
  auto file = std::make_shared<FileCloser>(fd);
  struct stat info {};
  const bool known = ::fstat(fd, &info) == 0;
  if (known && S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("cannot read {}: it is a folder; expected a file", path)};
  }
  ByteSource source(path, [file](char* into, std::size_t capacity) {
    return static_cast<std::ptrdiff_t>(::read(file->fd(), into, capacity));
  });
  if (known && info.st_size > 0) source.impl_->total = static_cast<std::uint64_t>(info.st_size);
  return source;
}

ByteSource::ByteSource(std::string name, Pull pull) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->pull = std::move(pull);
}

ByteSource::ByteSource(ByteSource&&) noexcept = default;
ByteSource& ByteSource::operator=(ByteSource&&) noexcept = default;
ByteSource::~ByteSource() = default;

Result<std::size_t> ByteSource::read(char* into, std::size_t capacity) {
  return impl_->read(into, capacity);
}

const std::string& ByteSource::name() const { return impl_->name; }
std::uint64_t ByteSource::consumed() const { return impl_->consumed; }
std::uint64_t ByteSource::total() const { return impl_->total; }

}  // namespace rung::outcomes
