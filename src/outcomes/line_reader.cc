#include "outcomes/line_reader.h"

#include <fmt/format.h>

#include <cstring>

namespace rung::outcomes {
namespace {

constexpr std::size_t kFirstBuffer = 1 << 18;
constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";

}  // namespace

LineReader::LineReader(ByteSource source) : source_(std::move(source)), buffer_(kFirstBuffer) {}

Result<bool> LineReader::next_raw(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    const char* start = buffer_.data() + begin_;
    const std::size_t held = end_ - begin_;
    const void* hit =
        held > searched ? std::memchr(start + searched, '\n', held - searched) : nullptr;
    if (hit != nullptr || (ended_ && held > 0)) {
      const std::size_t size =
          hit != nullptr ? static_cast<std::size_t>(static_cast<const char*>(hit) - start) : held;
      line = std::string_view(start, size);
      begin_ += size + (hit != nullptr ? 1 : 0);
      ++line_number_;
      return true;
    }
    if (ended_) return false;
    searched = held;
    if (begin_ > 0) {
      std::memmove(buffer_.data(), start, held);
      begin_ = 0;
      end_ = held;
    }
    if (held > kMaxLine) {
      return Error{
          ErrorCode::kTooLarge,
          fmt::format("{}:{}: the line is longer than {} MiB; expected one JSON object per line",
                      source_.name(), line_number_ + 1, kMaxLine >> 20)};
    }
    if (buffer_.size() - end_ < kFirstBuffer / 2 + kPadding) buffer_.resize(buffer_.size() * 2);
    auto n = source_.read(buffer_.data() + end_, buffer_.size() - end_ - kPadding);
    if (!n) return n.error();
    end_ += *n;
    ended_ = *n == 0;
  }
}

Result<bool> LineReader::next(std::string_view& line) {
  for (;;) {
    auto more = next_raw(line);
    if (!more || !*more) return more;
    if (line_number_ == 1) {
      if (line.starts_with("\xff\xfe") || line.starts_with("\xfe\xff")) {
        return Error{ErrorCode::kInvalidData,
                     fmt::format("{}: is written in UTF-16; expected UTF-8", source_.name())};
      }
      if (line.starts_with(kUtf8Mark)) line.remove_prefix(kUtf8Mark.size());
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) return true;
  }
}

}  // namespace rung::outcomes
