#pragma once
// One sequence of UTF-8. Internal to this folder.

#include <cstddef>
#include <string_view>

namespace rung::json {

/// Length of the UTF-8 sequence at the front of `text`, or 0 if it is not one. Needs a byte.
std::size_t sequence_length(std::string_view text);

}  // namespace rung::json
