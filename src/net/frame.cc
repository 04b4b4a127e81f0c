// Frames of coroutines, kept by size class (task.h).

#include <cstdlib>
#include <new>

#include "net/task.h"

namespace rung {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeep = false;  // a sanitizer must see each frame die
#else
constexpr bool kKeep = true;
#endif

constexpr std::size_t kStep = 64;
constexpr std::size_t kClasses = 64;         // frames of up to 4 KiB are kept
constexpr std::size_t kKeptPerClass = 1024;  // enough for the frames of as many requests at once

struct Block {
  Block* next;
};

struct FrameCache {
  Block* first[kClasses] = {};
  std::size_t kept[kClasses] = {};
  ~FrameCache();
};

// Plain data outlives thread_local objects with destructors: frames may be freed after the cache is
// gone.
thread_local bool t_cache_gone = false;
thread_local FrameCache t_cache;

FrameCache::~FrameCache() {
  t_cache_gone = true;
  for (Block* block : first) {
    while (block != nullptr) std::free(std::exchange(block, block->next));
  }
}

std::size_t size_class(std::size_t bytes) { return (bytes + kStep - 1) / kStep - 1; }

}  // namespace

void* allocate_frame(std::size_t bytes) {
  const std::size_t index = size_class(bytes);
  if (kKeep && index < kClasses && !t_cache_gone && t_cache.first[index] != nullptr) {
    Block* block = t_cache.first[index];
    t_cache.first[index] = block->next;
    --t_cache.kept[index];
    return block;
  }
  void* frame = std::malloc((index + 1) * kStep);
  RUNG_CHECK(frame != nullptr, "no memory for a coroutine");
  return frame;
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t index = size_class(bytes);
  if (kKeep && index < kClasses && !t_cache_gone && t_cache.kept[index] < kKeptPerClass) {
    auto* block = static_cast<Block*>(frame);
    block->next = t_cache.first[index];
    t_cache.first[index] = block;
    ++t_cache.kept[index];
    return;
  }
  std::free(frame);
}

}  // namespace rung
