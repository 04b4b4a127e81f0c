#pragma once
// OpenAI Responses: what the gateway must know of a request, the few edits it makes, and the
// response object that translated answers are put into. Thread-safe: there is no state.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "wire/request.h"
#include "wire/target.h"
#include "wire/translate.h"

namespace rung::wire {

/// `encrypted_content` of a reasoning item that we made out of another model's thinking: what
/// follows is its signature, or the data of thinking that was redacted. OpenAI cannot read it.
inline constexpr std::string_view kSigned = "rung-signed:";
inline constexpr std::string_view kHidden = "rung-hidden:";

/// Errors as parse_chat_request's. What needs state on the upstream's side (previous_response_id,
/// conversation, prompt, background) is noted in Request::only_native.
Result<Request> parse_responses_request(std::string_view body);

/// The body with model and effort spliced in, for an upstream that speaks Responses; without
/// reasoning that we made ourselves.
Outgoing edit_responses_request(const Request& request, std::string_view body,
                                const Target& target);

/// As Chat Completions. Toward Anthropic Messages the result is the first half of the way: thinking
/// then keeps its signatures, as thinking_blocks.
Result<Outgoing> responses_to_chat(const Request& request, const Target& target);

/// What a response object repeats of its request, and how it stands.
struct ResponseObject {
  std::string id, model;
  std::int64_t created = 0;
  std::string_view status = "in_progress";
  std::string_view incomplete_reason = {};  // "max_output_tokens", "content_filter"; empty: null
  std::string_view error_message = {};      // empty: null
  std::string output = "[]";                // JSON
  std::optional<Usage> usage;
  bool stored = false;
};
std::string write_response(const ResponseObject& object, const Request& request);
/// "completed" or "incomplete" with its reason.
void set_status(Stop stop, ResponseObject& object);

/// Items of the output. Texts are JSON strings; `status` "in_progress" or "completed".
std::string message_item(std::string_view id, std::string_view status, std::string_view content);
std::string text_part(std::string_view text);
std::string refusal_part(std::string_view text);
/// `sealed` is the encrypted_content as text; "" for none.
std::string reasoning_item(std::string_view id, std::string_view summary, std::string_view sealed);
std::string call_item(std::string_view id, std::string_view status, const Block& call);
/// "msg_...", "fc_..." and so on: the kind's prefix, the response's id, the place in the output.
std::string item_id(std::string_view kind, std::string_view response, std::size_t place);
std::string response_id(std::string_view upstream_id);

/// `id` names the response; empty: as the upstream named its answer.
std::string write_responses_answer(const Answer& answer, const Request& request,
                                   std::int64_t created, std::string_view id, bool stored);
std::string responses_usage(const Usage& usage);

}  // namespace rung::wire
