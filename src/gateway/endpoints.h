#pragma once
// Which path is answered by whom.

#include "gateway/worker.h"
#include "net/task.h"

namespace rung::gateway {

/// The handler of the public listener. `/v1` may be left out, a trailing slash may stay.
Task<void> answer(Worker& worker, Exchange& exchange);

}  // namespace rung::gateway
