#pragma once
// One call to the classifier of a route, before its arm is chosen.

#include <string_view>

#include "gateway/decider.h"
#include "gateway/worker.h"
#include "net/task.h"
#include "state/record.h"

namespace rung::gateway {

/// CallRecord::step of such a call.
inline constexpr std::string_view kClassifyStep = "classify";

/// Asks the classifier of `route` about `prompt`, at most as long as it is configured to wait, and
/// appends the call with its tokens and its cost to `record`. Everything referred to must outlive
/// the task. Error: kCancelled (the client left); any other failure is told in Ahead::failure.
Task<Result<Ahead>> ask_classifier(const Serving& serving, const Route& route,
                                   std::string_view prompt, TimePoint arrived,
                                   CancelToken client_gone, state::RequestRecord& record);

}  // namespace rung::gateway
