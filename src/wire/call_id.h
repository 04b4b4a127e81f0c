#pragma once
// Gemini, asked in Chat Completions, ties each tool call to an `extra_content` (its thought
// signature) and refuses the next turn without it. Other dialects have no place for it but the
// call's id, which clients repeat as it is.

#include <string>
#include <string_view>

namespace rung::wire {

/// The id with `extra` (JSON; empty: none) behind it, in letters, digits, - and _.
std::string with_extra(std::string_view id, std::string_view extra);

struct CallId {
  std::string id;
  std::string extra;  // JSON; empty: none
};
/// Takes an id apart again; one that with_extra did not make is its own.
CallId split_call_id(std::string_view id);

/// The id of a call as Anthropic takes it: without what with_extra put behind it, and with '_' for
/// all but letters, digits, - and _. In a call and in its result alike.
std::string anthropic_call_id(std::string_view id);

}  // namespace rung::wire
