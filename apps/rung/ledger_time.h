#pragma once
// Times as the command line takes and shows them.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung::cli {

/// "2026-11-24", "2026-11-24T10:30", "2026-11-24T10:30:00Z" (all UTC), or how long ago: "90s",
/// "30m", "12h", "7d". Gives microseconds since 1970. Error: kInvalidArgument.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_us);

/// "2026-11-24 10:30:00", UTC.
std::string show_time(std::int64_t us);

}  // namespace rung::cli
