#pragma once
// Streams between dialects: a reader takes the upstream's events apart, a sink writes the client's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/stream_relay.h"
#include "wire/translate.h"

namespace rung::wire {

/// What a stream says, in the order in which it does; implementations append the client's events.
/// Texts are JSON strings with quotes, as they came.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  /// Once, before anything else. `prompt`: usage as far as it is known by then.
  virtual void start(std::string_view id, std::string_view model,
                     const std::optional<Usage>& prompt) = 0;
  virtual void text(std::string_view piece) = 0;
  virtual void refusal(std::string_view piece) = 0;
  virtual void thinking(std::string_view piece) = 0;
  virtual void signature(std::string_view piece) = 0;  // of the thinking so far
  virtual void redacted(std::string_view data) = 0;
  /// A call begins; `ordinal` counts from 0. Pieces belong to the call of their ordinal, and an
  /// earlier call gets no more of them once a later one has begun.
  virtual void tool(std::size_t ordinal, std::string_view id, std::string_view name) = 0;
  virtual void arguments(std::size_t ordinal, std::string_view piece) = 0;
  /// Once, last. `stop_sequence`: a JSON string or "".
  virtual void finish(Stop stop, std::string_view stop_sequence,
                      const std::optional<Usage>& usage) = 0;
  /// Instead of finish: the upstream's own error, or that its stream broke.
  virtual void error(int status, std::string_view message) = 0;

  /// Where events are appended; set before each of the calls above.
  std::string* out = nullptr;
};

/// Takes the upstream's events, tells the sink, and notes facts.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  virtual void take(const StreamEvent& event, StreamSink& sink, StreamFacts& facts) = 0;
  /// The upstream's stream has ended.
  virtual void end(StreamSink& sink, StreamFacts& facts) = 0;
};

/// Where client and upstream speak the same: the bytes as they came, read for their facts.
std::unique_ptr<StreamRelay> make_passing_stream(Dialect dialect, bool hide_usage);

std::unique_ptr<StreamReader> read_chat_stream();
std::unique_ptr<StreamReader> read_messages_stream();

/// What a sink knows of the request that it answers.
struct StreamContext {
  bool wants_usage = false;        // Chat Completions
  std::int64_t created = 0;        // seconds since 1970
  std::int64_t prompt_tokens = 0;  // our estimate, where a dialect wants one before the answer
  std::vector<std::string> custom_tools = {};
  std::string id = {};               // Responses
  std::string* kept = nullptr;       // Responses: gets the response object
  const Request* request = nullptr;  // Responses: repeated in the response; outlives the sink
};
std::unique_ptr<StreamSink> write_chat_stream(StreamContext context);
std::unique_ptr<StreamSink> write_messages_stream(StreamContext context);
std::unique_ptr<StreamSink> write_responses_stream(StreamContext context);

}  // namespace rung::wire
