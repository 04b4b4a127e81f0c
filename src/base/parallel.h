#pragma once
// Work over an index range on all cores, with a result that does not depend on the number of
// threads.

#include <cstddef>
#include <functional>

namespace rung {

/// Number of worker threads that parallel_for uses: RUNG_THREADS if set, else the cores of the
/// machine.
std::size_t worker_count();

/// Calls body(i) once for each i in [0, count), from up to worker_count() threads; blocks until all
/// are done. The bodies must not depend on each other; what they write must be indexed by i, so
/// that the outcome is the same for one thread and for many. `body` must not throw. Not re-entrant
/// in spirit: nested calls run serially.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace rung
