#pragma once
// Asks hosts that offer it whether they are well, so that one that is down is known before a
// request finds out.

#include <memory>

#include "net/cancel.h"

namespace rung::gateway {

class Worker;

/// Ends the checks of `running` (null: none) and begins those of what `worker` serves now: one task
/// on its loop for each upstream with a path to check. What they find is in
/// ResilienceMetrics::down, for all workers. An upstream without checks is up.
void start_health_checks(Worker& worker, std::shared_ptr<CancelSource>& running);

}  // namespace rung::gateway
