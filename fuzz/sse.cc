// Server-sent events: cuts change nothing, and what passes through is the input, byte for byte.

#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/target.h"
#include "net/sse.h"

namespace {

using namespace rung;

struct Read {
  std::string raw;                  // everything, with the rest
  std::vector<std::string> events;  // name, data
  bool overflow = false;
};

Read read(std::string_view input, bool in_pieces) {
  Read out;
  SseSplitter splitter(4096);
  fuzz::Pieces pieces(input);
  for (std::string_view piece = in_pieces ? pieces.next() : input; !piece.empty();
       piece = in_pieces ? pieces.next() : std::string_view()) {
    // A buffer of its own that goes away: nothing may point into an old piece.
    const std::string own(piece);
    splitter.feed(own);
    for (SseEvent event; splitter.next(event);) {
      out.raw += event.raw;
      if (event.has_data)
        out.events.push_back(std::string(event.event) + "\n" + std::string(event.data));
    }
    if (splitter.overflow()) break;
  }
  out.overflow = splitter.overflow();
  if (!out.overflow) out.raw += splitter.rest();
  return out;
}

}  // namespace

RUNG_FUZZ(sse) {
  const Read whole = read(input, false), split = read(input, true);
  if (whole.overflow || split.overflow) return;  // how far it got depends on the cuts
  RUNG_CHECK(whole.raw == input && split.raw == input, "what passes is the input");
  RUNG_CHECK(whole.events == split.events, "where bytes are cut changes the events");
}
