#pragma once
// Server-sent events out of bytes that may be split anywhere (WHATWG HTML, section 9.2.6), in a
// form that lets a pass-through forward exactly the bytes it received.
//
//   splitter.feed(piece);
//   while (splitter.next(event)) ...   // event.raw, event.data: valid until the next call
//
// The `raw` views of all events in a row, then rest(), are the input, byte for byte.

#include <cstddef>
#include <string>
#include <string_view>

namespace rung {

struct SseEvent {
  std::string_view raw;    // the bytes of the event with its empty line
  std::string_view event;  // its `event:` field; "" when it has none
  std::string_view data;   // its `data:` lines, joined by LF
  bool has_data = false;   // false for comments such as ": ping" and for stray empty lines
};

class SseSplitter {
 public:
  /// An event longer than `max_event_bytes` makes the splitter fail: overflow().
  explicit SseSplitter(std::size_t max_event_bytes = 16u << 20) : max_event_(max_event_bytes) {}

  /// Gives the next bytes of the stream. They must stay valid and unchanged until next() has
  /// returned false; an unfinished event is then copied. Call next() until false before feeding
  /// again.
  void feed(std::string_view bytes);
  bool next(SseEvent& event);
  /// The bytes of an event that has not ended. At the end of a stream it must be empty (or white
  /// space).
  std::string_view rest() const;
  bool overflow() const { return overflow_; }

 private:
  bool find_end(std::size_t& end);
  void parse(std::string_view raw, SseEvent& event);

  std::size_t max_event_;
  std::string pending_;     // bytes of an event that came in several pieces
  std::string_view input_;  // what is being split: the fed bytes or pending_
  bool from_pending_ = false;
  std::size_t begin_ = 0;    // of the current event in input_
  std::size_t scanned_ = 0;  // up to where lines were looked for
  std::size_t line_ = 0;     // begin of the current line
  bool after_cr_ = false;    // the input ended with CR: a LF that comes next belongs to it
  bool overflow_ = false;
  bool first_event_ = true;  // a byte order mark may come once
  std::string joined_;       // data of several lines
};

}  // namespace rung
