#pragma once
// The log of the process, on standard error: lines of text, or of JSON for those who collect them.

#include <string>
#include <string_view>

#include "gateway/config_observe.h"
#include "state/record.h"

namespace rung::gateway {

/// Sets the form of the default logger's lines. Before threads start.
void set_log_format(bool json);

/// One line of a request that has ended; `trace` may be empty. Any thread. Waits for standard
/// error, so it is off unless `log.requests` asks for it.
void log_request(const state::RequestRecord& record, std::string_view trace, bool json);

/// What such a line says, without time and level; as JSON the members of an object.
std::string request_line(const state::RequestRecord& record, std::string_view trace, bool json);

}  // namespace rung::gateway
