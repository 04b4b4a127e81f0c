#include "upstream/fault.h"

namespace rung::upstream {

std::string_view name(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "none";
    case Fault::kUnreachable:
      return "unreachable";
    case Fault::kBroken:
      return "broken";
    case Fault::kStalled:
      return "stalled";
    case Fault::kRateLimited:
      return "rate_limited";
    case Fault::kOverloaded:
      return "overloaded";
    case Fault::kServerError:
      return "server_error";
    case Fault::kCredentials:
      return "credentials";
    case Fault::kRefused:
      return "refused";
    case Fault::kMalformed:
      return "malformed";
    case Fault::kEmpty:
      return "empty";
    case Fault::kTooLarge:
      return "too_large";
  }
  return "unknown";
}

Fault fault_of_status(int status) {
  if (status < 400) return Fault::kNone;
  switch (status) {
    case 401:
    case 403:
      return Fault::kCredentials;
    case 408:  // the host lost patience with the request
    case 409:  // a lock of the host's; official clients retry it too
      return Fault::kServerError;
    case 429:
      return Fault::kRateLimited;
    case 503:
    case 529:
      return Fault::kOverloaded;
    default:
      return status >= 500 ? Fault::kServerError : Fault::kRefused;
  }
}

Next next_after(Fault fault) {
  switch (fault) {
    case Fault::kNone:
    case Fault::kRefused:
    case Fault::kTooLarge:
      return Next::kNowhere;
    case Fault::kCredentials:
      return Next::kElsewhere;
    case Fault::kUnreachable:
    case Fault::kStalled:
    case Fault::kRateLimited:
    case Fault::kOverloaded:
      return Next::kElsewhereFirst;
    case Fault::kBroken:
    case Fault::kServerError:
    case Fault::kMalformed:
    case Fault::kEmpty:
      return Next::kHereOnce;
  }
  return Next::kNowhere;
}

bool speaks_against_host(Fault fault) {
  switch (fault) {
    case Fault::kUnreachable:
    case Fault::kBroken:
    case Fault::kStalled:
    case Fault::kOverloaded:
    case Fault::kServerError:
    case Fault::kCredentials:
    case Fault::kMalformed:
      return true;
    case Fault::kNone:
    case Fault::kRateLimited:
    case Fault::kRefused:
    case Fault::kEmpty:
    case Fault::kTooLarge:
      return false;
  }
  return false;
}

}  // namespace rung::upstream
