#pragma once
// Whether what an upstream sent is an answer, before any of it is passed on: while nothing has
// reached the client, somebody else may still be asked. Thread-safe: there is no state.

#include <cstdint>
#include <string_view>

#include "wire/dialect.h"

namespace rung::wire {

enum class Opening : std::uint8_t {
  kNothing,    // metadata only: a role, a ping, usage
  kContent,    // something that the client waits for: text, thought, a tool call
  kEnd,        // the stream says that it is done
  kError,      // the stream reports an error
  kMalformed,  // not JSON
};

/// One event of a stream that has shown no content yet. Views point into its data.
struct OpeningEvent {
  Opening kind = Opening::kNothing;
  bool stopped = false;      // kEnd: for no other reason than that the answer is complete
  int status = 0;            // kError: the HTTP status that this error would have had
  std::string_view model{};  // who answers, where the event says it
};
OpeningEvent read_opening(Dialect dialect, std::string_view data);

/// A whole reply with a status below 400. Views point into its body.
struct ReplyCheck {
  bool is_malformed = false;  // not a JSON object
  int error_status = 0;       // an error object in spite of its status: what it would have been
  bool is_empty = false;      // complete, and says nothing: no text, no tool call, no refusal
  std::string_view model{};   // who answered, where it says so
};
ReplyCheck check_reply(Dialect dialect, std::string_view body);
/// The same for a body that is known to be JSON (read_reply() said so): it is not checked again.
ReplyCheck check_valid_reply(Dialect dialect, std::string_view json);

/// Whether `served` may be what was asked for: equal but for case, a provider's prefix
/// ("openai/gpt-5.1") and an ending ("gpt-5.1-2025-11-13", "qwen3:8b-q4"). Nothing said is no
/// contradiction.
bool is_model_asked(std::string_view asked, std::string_view served);

}  // namespace rung::wire
