#pragma once
// What becomes of the events of an upstream's stream: read for what the ledger wants, and passed on
// as they came, or as the events of another dialect. Pure state machines over whole events; the
// caller splits bytes into events (net/sse.h) and sends what is appended to `out`.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/request.h"

namespace rung::wire {

/// One event of the upstream. `raw` are its bytes with the empty line.
struct StreamEvent {
  std::string_view raw, name, data;
  bool has_data = false;
};

/// What a stream has told so far.
struct StreamFacts {
  std::optional<Usage> usage;
  std::int64_t produced = 0;         // events with content: about a token each
  bool is_whole = false;             // an end that says why it is one, or an error event, has come
  bool has_error = false;            // the upstream reported an error in its stream
  std::vector<std::string> dropped;  // what the client's dialect has no form for
  std::string_view proper_end{};     // what a whole stream ends with, for the sentence of a cut one
};

/// Of one stream. Not thread-safe.
class StreamRelay {
 public:
  virtual ~StreamRelay() = default;
  /// Appends to `out` what the client gets for this event: nothing, or whole events.
  virtual void take(const StreamEvent& event, std::string& out) = 0;
  /// The upstream's stream has ended; `rest` are the bytes of an event without its empty line.
  virtual void end(std::string_view rest, std::string& out) = 0;
  /// Appends the event that tells the client, in its dialect, that the stream broke.
  virtual void break_off(const Error& error, std::string& out) = 0;
  const StreamFacts& facts() const { return facts_; }

 protected:
  StreamFacts facts_;
};

/// What else a reply is made of.
struct ReplyContext {
  Dialect upstream = Dialect::kChat;
  bool hide_usage = false;         // a chunk that is only about usage was not the client's wish
  std::int64_t created = 0;        // seconds since 1970, for replies that have no such time
  std::int64_t prompt_tokens = 0;  // our estimate, for dialects that want one before the answer
  std::string_view id = {};     // of a reply whose dialect names it so (Responses): a copy is taken
  std::string* kept = nullptr;  // Responses: gets the response object, if it is to be remembered
};
/// For the reply to `request`, which must outlive the relay.
std::unique_ptr<StreamRelay> make_stream_relay(const Request& request, const ReplyContext& context);

}  // namespace rung::wire
