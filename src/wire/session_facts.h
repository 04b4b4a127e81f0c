#pragma once
// What a request says of the conversation that it belongs to, in any of the dialects.
//
// A conversation is told from others by the first of these that a request has:
//   metadata.session_id; the session in metadata.user_id as Claude Code writes it; `conversation`
//   of the Responses API; else by how it begins: its instructions and its first message from the
//   user, with prompt_cache_key, which several conversations may share.

#include <cstdint>
#include <string>
#include <string_view>

#include "json/value.h"

namespace rung::wire {

struct SessionFacts {
  std::string id;            // as the client names it; empty: it does not
  std::string_view source;   // "metadata", "conversation" or "prefix"
  std::uint64_t prefix = 0;  // hash of how the conversation begins; 0: it has no message
  bool has_history = false;  // holds an answer that was given before: this is no first turn
  /// The last thing in it is a tool's result: who asked for the tool must read it.
  bool tool_call_open = false;
  /// Holds what only the provider that made it can read: "previous_response_id", "a thinking
  /// signature", "encrypted reasoning", "a thought signature"; empty: nothing of the kind.
  std::string_view provider_state;
};

/// `root`: the request, an object. Reads each member of the conversation once, and no text.
SessionFacts read_session_facts(json::Value root);

/// The session of Claude Code's metadata.user_id: "user_..._session_<id>", or a JSON object in a
/// string with "session_id". Empty: it names a person, not a session.
std::string session_of_user_id(std::string_view user_id);

}  // namespace rung::wire
