#pragma once
// What the end of a call to an upstream means: whose fault it was, and what may be done about it.
// Only what happens before the first byte of content counts here; after it nothing is tried again.

#include <cstdint>
#include <string_view>

namespace rung::upstream {

enum class Fault : std::uint8_t {
  kNone,         // an answer
  kUnreachable,  // nobody was reached: no name, refused, TLS
  kBroken,       // hung up or talked nonsense before the head of an answer, or cut before content
  kStalled,      // a deadline passed before any content
  kRateLimited,  // 429: come back later
  kOverloaded,   // 503, 529
  kServerError,  // 408, 409, 500, 502, 504 and other statuses from 500 on; an error as first event
  kCredentials,  // 401, 403: our key for this host is not good; another host may take it
  kRefused,      // any other 4xx: the request itself is wrong, here and elsewhere
  kMalformed,    // a 2xx whose body is not what it should be
  kEmpty,        // a 2xx that says nothing, though it says that it is done
  kTooLarge,     // a reply over our limit
};
inline constexpr Fault kFaults[] = {Fault::kNone,        Fault::kUnreachable, Fault::kBroken,
                                    Fault::kStalled,     Fault::kRateLimited, Fault::kOverloaded,
                                    Fault::kServerError, Fault::kCredentials, Fault::kRefused,
                                    Fault::kMalformed,   Fault::kEmpty,       Fault::kTooLarge};

/// Stable, lower case: "none", "unreachable", "broken", ...; labels of metrics.
std::string_view name(Fault fault);
Fault fault_of_status(int status);

/// Where the next attempt may go.
enum class Next : std::uint8_t {
  kNowhere,         // pass it on as it is
  kElsewhere,       // another host or arm only
  kElsewhereFirst,  // another host or arm; the same host again if there is none
  kHereOnce,        // the same model once more, then elsewhere
};
Next next_after(Fault fault);

/// Whether it says that the host is not well. A rate limit, a refusal or an empty reply does not.
bool speaks_against_host(Fault fault);

}  // namespace rung::upstream
