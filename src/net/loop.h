#pragma once
// The event loop: one per thread, epoll underneath, coroutines on top. Nothing here blocks but
// epoll_wait.
//
//   Loop loop;                       threads: each has its own; only post() and stop() may be
//   called loop.spawn(work(loop));          from elsewhere loop.run();                      until
//   stop()
//
// One turn: wait for events, resume what they woke, run due timers, run what was scheduled, flush
// what asked for the end of the turn. Descriptors are registered once, edge-triggered: whoever
// reads or writes tries first and waits only after EAGAIN.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/cancel.h"
#include "net/list.h"
#include "net/task.h"

struct epoll_event;

namespace rung {

class Loop;
class LoopMail;

/// A point in time after which an effort is given up; the default one never comes.
struct Deadline {
  TimePoint at = TimePoint::max();
  static Deadline never() { return {}; }
  bool passed(TimePoint now) const { return now >= at; }
  /// The earlier of the two.
  Deadline sooner(Deadline other) const { return at < other.at ? *this : other; }
};

/// A callback at a time, at most one pending per Timer. Moving it later costs nothing (the heap is
/// corrected when the old time comes), so a connection keeps one Timer and moves it with each
/// request. Fires within about a millisecond after its time. Destruction cancels.
class Timer {
 public:
  using Callback = void (*)(void* context);
  Timer(Loop& loop, Callback on_time, void* context)
      : loop_(loop), on_time_(on_time), context_(context) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();
  void set(TimePoint when);
  void clear() { when_ = TimePoint::max(); }
  TimePoint when() const { return when_; }

 private:
  friend class Loop;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  Loop& loop_;
  Callback on_time_;
  void* context_;
  TimePoint when_ = TimePoint::max();  // when it should fire
  TimePoint key_{};                    // where it stands in the heap: never later than when_
  std::size_t index_ = kNowhere;
};

/// A coroutine that will be resumed by the loop in this turn or the next; destruction takes it
/// back.
struct Ready : ListNode {
  std::coroutine_handle<> handle;
};

/// A callback at the end of this turn of the loop, such as "send what was gathered".
struct TurnEnd : ListNode {
  using Callback = void (*)(void* context);
  TurnEnd(Callback callback, void* its_context) : at_end(callback), context(its_context) {}
  Callback at_end;
  void* context;
};

/// Receives the events of one registered descriptor.
class FdHandler {
 public:
  virtual void on_events(std::uint32_t epoll_events) = 0;

 protected:
  ~FdHandler() = default;
};

/// Posts to a loop from any thread, also when the loop may be gone by then (the function is then
/// dropped).
class LoopPoster {
 public:
  void post(std::function<void()> function) const;

 private:
  friend class Loop;
  std::shared_ptr<LoopMail> mail_;
};

class Loop {
 public:
  Loop();   // ends the process if the system gives no epoll descriptor; ignores SIGPIPE for the
            // process
  ~Loop();  // destroys spawned tasks that are still suspended
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop(). Turns go on while stop has not been called, also when nothing is pending.
  void run();
  /// Any thread, any signal-safe context excluded. The current turn ends first; run() may be called
  /// again.
  void stop();
  /// Any thread: runs `function` on the loop in its next turn.
  void post(std::function<void()> function);
  LoopPoster poster() const;

  /// Starts `task` in this or the next turn and owns it until it returns. The handle may be
  /// destroy()ed while the task is suspended, by who started it; otherwise ignore it.
  std::coroutine_handle<> spawn(Task<void> task);

  /// The time at the start of this turn: good enough for deadlines, and free.
  TimePoint now() const { return now_; }

  class SleepOp;
  /// `co_await loop.sleep_until(when, token)` is Result<void>: kCancelled if the token fired first.
  SleepOp sleep_until(TimePoint when, CancelToken cancel = {});
  SleepOp sleep_for(Duration duration, CancelToken cancel = {});

  // For operations (sockets, events), not for users of them.
  void schedule(Ready& ready) { ready_.push_back(ready); }
  void at_turn_end(TurnEnd& node) {
    if (!node.linked()) turn_ends_.push_back(node);
  }
  /// Registers for reading, writing and peer-closed events, edge-triggered. Error: kIo.
  Result<void> watch(int fd, FdHandler& handler);
  /// No event of before reaches `handler` after this. Closing the descriptor stays with the caller.
  void unwatch(int fd, FdHandler& handler);

 private:
  friend class Timer;
  struct Root;      // the coroutine that owns a spawned task
  struct RootNode;  // its place in roots_
  static Root root(Task<void> task);
  void turn();
  int wait_ms() const;
  void run_timers();
  void insert(Timer& timer);
  void erase(std::size_t index);
  void place(Timer& timer, std::size_t index);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);

  int epoll_ = -1;
  std::shared_ptr<LoopMail> mail_;
  bool stopped_ = false;
  TimePoint now_;
  std::vector<Timer*> heap_;  // binary min-heap by Timer::key_
  List<Ready> ready_;
  List<TurnEnd> turn_ends_;
  List<ListNode> roots_;
  std::unique_ptr<epoll_event[]> events_;
  int event_at_ = 0, event_count_ = 0;
};

class [[nodiscard]] Loop::SleepOp {
 public:
  SleepOp(Loop& loop, TimePoint when, CancelToken cancel);
  SleepOp(const SleepOp&) = delete;
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> awaiter);
  Result<void> await_resume() const;

 private:
  Loop& loop_;
  TimePoint when_;
  CancelToken cancel_;
  bool cancelled_ = false;
  Ready ready_;
  Timer timer_;
  CancelWaiter link_;
};

/// A flag that coroutines of one loop wait for. `set` wakes all waiters; it stays set until
/// `reset`.
class Event {
 public:
  explicit Event(Loop& loop) : loop_(loop) {}
  void set();
  void reset() { set_ = false; }
  bool is_set() const { return set_; }

  class WaitOp;
  /// Result<void>: kCancelled when the token fired, kTimeout when the deadline passed, whichever
  /// was first.
  WaitOp wait(CancelToken cancel = {}, Deadline deadline = {});

 private:
  Loop& loop_;
  bool set_ = false;
  List<Ready> waiters_;
};

class [[nodiscard]] Event::WaitOp {
 public:
  WaitOp(Event& event, CancelToken cancel, Deadline deadline);
  WaitOp(const WaitOp&) = delete;
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> awaiter);
  Result<void> await_resume() const;

 private:
  static void timed_out(void* self);
  static void cancelled(void* self);
  enum class End { kNotWaited, kSet, kCancelled, kTimeout };
  Event& event_;
  CancelToken cancel_;
  Deadline deadline_;
  End end_ = End::kNotWaited;
  Ready ready_;
  Timer timer_;
  CancelWaiter link_;
};

}  // namespace rung
