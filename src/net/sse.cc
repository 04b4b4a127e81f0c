#include "net/sse.h"

#include <algorithm>
#include <cstring>

namespace rung {
namespace {

/// The first CR or LF at or after `from`; the size if there is none. Two memchr are faster than a
/// set of characters.
std::size_t line_end(std::string_view text, std::size_t from) {
  if (from >= text.size()) return text.size();
  const void* lf = std::memchr(text.data() + from, '\n', text.size() - from);
  const std::size_t end = lf != nullptr
                              ? static_cast<std::size_t>(static_cast<const char*>(lf) - text.data())
                              : text.size();
  const void* cr = std::memchr(text.data() + from, '\r', end - from);
  return cr != nullptr ? static_cast<std::size_t>(static_cast<const char*>(cr) - text.data()) : end;
}

}  // namespace

void SseSplitter::feed(std::string_view bytes) {
  if (pending_.empty()) {
    input_ = bytes;
    from_pending_ = false;
  } else {
    pending_.append(bytes);
    input_ = pending_;
    from_pending_ = true;
  }
  // scanned_ and line_ stay: they are relative to begin_, which is 0 after a feed.
  begin_ = 0;
}

/// Looks for the empty line that ends the event which starts at begin_. Each byte is looked at
/// once.
bool SseSplitter::find_end(std::size_t& end) {
  const std::string_view text = input_.substr(begin_);
  while (scanned_ < text.size()) {
    const std::size_t at = line_end(text, scanned_);
    if (at == text.size()) {
      scanned_ = text.size();
      return false;
    }
    // A CR at the very end may be half of a CR LF. It ends its line now; a LF that follows is then
    // taken as part of that line end, whichever event it falls into.
    const bool empty = at == line_;
    std::size_t next = at + 1;
    if (text[at] == '\n' && after_cr_ && at == line_) {
      scanned_ = line_ = next;  // the second half of a CR LF that was split
      after_cr_ = false;
      continue;
    }
    after_cr_ = false;
    if (text[at] == '\r') {
      if (next < text.size()) {
        if (text[next] == '\n') ++next;
      } else {
        after_cr_ = true;
      }
    }
    scanned_ = line_ = next;
    if (empty) {
      end = next;
      return true;
    }
  }
  return false;
}

bool SseSplitter::next(SseEvent& event) {
  std::size_t length = 0;
  if (!overflow_ && find_end(length)) {
    if (length <= max_event_) {
      parse(input_.substr(begin_, length), event);
      begin_ += length;
      scanned_ = line_ = 0;
      return true;
    }
    overflow_ = true;
  }
  // Keep the unfinished event for the next feed.
  if (input_.size() - begin_ > max_event_) overflow_ = true;
  if (from_pending_) {
    pending_.erase(0, begin_);
  } else {
    pending_.assign(input_.substr(begin_));
  }
  input_ = pending_;
  from_pending_ = true;
  begin_ = 0;
  return false;
}

std::string_view SseSplitter::rest() const { return input_.substr(begin_); }

void SseSplitter::parse(std::string_view raw, SseEvent& event) {
  event = SseEvent{};
  event.raw = raw;
  if (first_event_ && raw.starts_with("\xEF\xBB\xBF")) raw.remove_prefix(3);
  first_event_ = false;
  bool several = false;
  while (!raw.empty()) {
    const std::size_t end = line_end(raw, 0);
    const std::string_view line = raw.substr(0, end);
    raw.remove_prefix(
        std::min(end + 1, raw.size()));  // CR LF gives an empty line, which says nothing
    if (line.empty() || line.front() == ':') continue;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (field == "data") {
      if (!event.has_data) {
        event.data = value;
        event.has_data = true;
        continue;
      }
      if (!several) joined_.assign(event.data);
      several = true;
      joined_.append("\n").append(value);
    } else if (field == "event") {
      event.event = value;
    }
  }
  if (several) event.data = joined_;
}

}  // namespace rung
