#pragma once
// The front door of the dialects: a request read, sent on, its reply read and passed back, whatever
// the client and the upstream speak. Where both speak the same, bytes pass but for edits; else they
// are translated (docs/dialects.md has the tables). Thread-safe: there is no state.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/request.h"
#include "wire/stream_relay.h"
#include "wire/target.h"

namespace rung::wire {

/// Errors: kInvalidJson with the byte; kInvalidArgument with Error::field set; kUnsupported where a
/// dialect lets a client ask for what no gateway can do.
Result<Request> parse_request(Dialect dialect, std::string_view body);

/// Why an upstream that speaks `upstream` cannot take the request, as a sentence; empty: it can.
std::string why_not(const Request& request, Dialect upstream);

/// What is sent to `target` for a request whose body is `body`. Error kUnsupported: why_not.
Result<Outgoing> make_outgoing(const Request& request, std::string_view body, const Target& target);

/// Responses: whether the client wants to refer to the reply later; it does unless it says no.
bool asks_to_be_stored(const Request& request);

/// What the ledger wants of a whole reply.
struct ReplyFacts {
  std::string model;  // as served; empty: not said
  std::optional<Usage> usage;
};
/// Bad JSON gives kInvalidJson.
Result<ReplyFacts> read_reply(Dialect upstream, std::string_view body);

/// A whole reply of an upstream in the client's dialect. Only where the two differ. `dropped` gets
/// what it cannot carry. Error kInvalidJson: the reply is not what it should be.
Result<std::string> translate_reply(const Request& request, const ReplyContext& context,
                                    std::string_view body, std::vector<std::string>& dropped);
/// The same for an error reply with its HTTP status, whatever its body holds.
std::string translate_error(Dialect client, int status, std::string_view body,
                            std::string_view request_id);
/// The error that a whole reply stands for, where a stream was promised: by its status and what its
/// body says.
Error error_of_reply(int status, std::string_view body);
/// An error as an event of a stream in the client's dialect.
std::string error_event(Dialect client, const Error& error);

}  // namespace rung::wire
