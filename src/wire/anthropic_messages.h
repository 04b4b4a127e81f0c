#pragma once
// Anthropic Messages: what the gateway must know of a request and of a reply, and the few edits it
// makes. Everything else passes byte for byte. Thread-safe: there is no state.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "wire/request.h"
#include "wire/target.h"

namespace rung::wire {

/// Errors as parse_chat_request's. A model's name loses a "[1m]" at its end: Claude Code marks the
/// long window so, and asks for it in a header as well.
Result<Request> parse_messages_request(std::string_view body);

/// The body with model and effort spliced in, for an upstream that speaks Messages. Thinking that
/// we signed ourselves (kUnsigned) is taken out: Anthropic would refuse it.
Outgoing edit_messages_request(const Request& request, std::string_view body, const Target& target);

/// Adds what a `usage` object says to `usage`: message_start counts the prompt, message_delta the
/// answer. prompt_tokens is the sum of fresh tokens, cache reads and cache writes; it is known only
/// if the fresh ones are.
void merge_messages_usage(json::Value object, std::optional<Usage>& usage);

/// A stream's event, by its name or by the `type` in its data where the name is missing.
std::string_view messages_event(std::string_view name, std::string_view data);

}  // namespace rung::wire
