#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

namespace rung {
namespace {
thread_local bool t_inside = false;
}  // namespace

std::size_t worker_count() {
  // Nothing here ever writes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe)
  if (const char* text = std::getenv("RUNG_THREADS")) {
    const long n = std::strtol(text, nullptr, 10);
    if (n > 0) return static_cast<std::size_t>(n);
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  const std::size_t workers = t_inside ? 1 : std::min(worker_count(), count);
  if (workers <= 1) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    t_inside = true;
    for (std::size_t i; (i = next.fetch_add(1)) < count;) body(i);
    t_inside = false;
  };
  std::vector<std::jthread> threads;
  threads.reserve(workers - 1);
  for (std::size_t i = 1; i < workers; ++i) threads.emplace_back(work);
  work();
}

}  // namespace rung
