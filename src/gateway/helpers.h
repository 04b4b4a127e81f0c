#pragma once
// Threads beside the event loops, for estimates that take milliseconds (predict::Router::is_slow).
//
//   event loop ──► queue ──► a helper estimates ──► post to the loop, where the request goes on
//
// The other requests of the loop do not wait meanwhile. There is one lock, of the queue, and no
// request that a quick predictor decides comes near it.

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "gateway/decider.h"
#include "net/cancel.h"
#include "net/loop.h"
#include "net/task.h"

namespace rung::gateway {

class Helpers {
 public:
  /// Starts its threads with the first question. 0: half of the cores, at least one.
  explicit Helpers(std::size_t threads = 0);
  /// What is being estimated ends first; what waits is dropped. Must outlive who waits.
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  /// What the predictor of `route` expects of all arms; awaited on `loop`. `route` and `prompt`
  /// must live until it is first suspended. Error: kCancelled.
  Task<Result<Ahead>> estimate(Loop& loop, const Route& route, std::string_view prompt,
                               CancelToken client_gone);

 private:
  struct Question;
  void work(const std::stop_token& stop);
  void ask(std::shared_ptr<Question> question);

  const std::size_t threads_wanted_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any waiting_;
  std::deque<std::shared_ptr<Question>> questions_;
  std::vector<std::jthread> threads_;
};

}  // namespace rung::gateway
