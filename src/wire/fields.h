#pragma once
// Small words for reading JSON requests, shared by the dialects.

#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "wire/request.h"

namespace rung::wire {

/// kInvalidArgument with Error::field: "messages[2].role: found nothing; expected a string".
Error bad_field(std::string field, std::string_view found, std::string_view expected);

/// The member's text if it is a string, else "".
std::string text_of(json::Value object, std::string_view key);
/// Whether the member is a string with this text.
bool is_text(json::Value object, std::string_view key, std::string_view expected);
/// The member if it is there and not null.
std::optional<json::Value> present(json::Value object, std::string_view key);

/// Appends "\n\nTools:" and "\n- name(first, second): description" for each offered function to the
/// request's prompt; counts their bytes. Takes all shapes: {"function": {...}}, and flat ones with
/// `parameters` or `input_schema`.
void read_tools(json::Value tools, Request& request);

/// Names the first tool that only its own provider can run in request.only_native, unless that
/// names something already: where no other tool is offered, or the choice of such a one is
/// `forced`. Among others it may be left out, which is reported.
void note_own_tools(json::Value tools, bool (*is_own)(json::Value tool), bool forced,
                    Request& request);

/// The whole body as an object. Errors: kInvalidJson with the byte, kInvalidArgument.
Result<json::Value> parse_object(std::string_view body);

}  // namespace rung::wire
