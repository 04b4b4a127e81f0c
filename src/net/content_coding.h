#pragma once
// Compressed bodies (RFC 9110, 8.4.1): gzip, deflate and zstd, undone in memory with a limit on
// what comes out.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung {

/// The plain bytes of `body`, whose Content-Encoding is `coding` (any case; "gzip", "x-gzip",
/// "deflate" with or without its zlib wrapper, "zstd", "identity", ""). At least 64 allocated bytes
/// follow them. Errors: kUnsupported, another coding or several of them; kInvalidArgument, the
/// bytes are not what the coding says, or end too early; kTooLarge, they unpack to more than
/// `limit` bytes (memory follows what really came out, never what a header claims).
Result<std::string> decode_content(std::string_view coding, std::string_view body,
                                   std::size_t limit);

}  // namespace rung
