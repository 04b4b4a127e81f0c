#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

namespace rung {

constexpr int kEventsPerTurn = 256;

/// The letter box of a loop: shared, so that a letter to a loop that is gone is dropped, not
/// delivered to freed memory.
class LoopMail final : public FdHandler {
 public:
  LoopMail() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    RUNG_CHECK(fd_ >= 0, "the system gives no eventfd; is the limit of open files reached?");
  }
  ~LoopMail() { ::close(fd_); }
  LoopMail(const LoopMail&) = delete;
  LoopMail& operator=(const LoopMail&) = delete;

  void post(std::function<void()> function) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      letters_.push_back(std::move(function));
      if (letters_.size() > 1) return;  // whoever posted the first one rang the bell
    }
    const std::uint64_t one = 1;
    // The counter cannot overflow: the loop empties it. A full one would still wake it.
    if (::write(fd_, &one, sizeof one) < 0) return;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    letters_.clear();
  }
  void on_events(std::uint32_t /*epoll_events*/) override {
    std::uint64_t count = 0;
    if (::read(fd_, &count, sizeof count) < 0) count = 0;
    std::vector<std::function<void()>> letters;
    {
      const std::lock_guard lock(mutex_);
      letters.swap(letters_);
    }
    for (auto& letter : letters) letter();
  }
  int fd() const { return fd_; }

 private:
  int fd_;
  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::function<void()>> letters_;
};

void LoopPoster::post(std::function<void()> function) const {
  if (mail_) mail_->post(std::move(function));
}

// --- spawned tasks
// ---------------------------------------------------------------------------------------

struct Loop::RootNode : ListNode {
  std::coroutine_handle<> handle;
};

/// Owns a task, frees itself when the task returns.
struct Loop::Root {
  struct promise_type {
    RootNode node;
    Ready ready;
    Root get_return_object() {
      node.handle = ready.handle = std::coroutine_handle<promise_type>::from_promise(*this);
      return Root{this};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      free_frame(frame, bytes);
    }
  };
  promise_type* promise;
};

Loop::Root Loop::root(Task<void> task) { co_await task; }

std::coroutine_handle<> Loop::spawn(Task<void> task) {
  const Root started = root(std::move(task));
  roots_.push_back(started.promise->node);
  ready_.push_back(started.promise->ready);
  return started.promise->ready.handle;
}

// --- the loop
// --------------------------------------------------------------------------------------------

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      mail_(std::make_shared<LoopMail>()),
      now_(std::chrono::steady_clock::now()),
      events_(new epoll_event[kEventsPerTurn]) {
  RUNG_CHECK(epoll_ >= 0,
             "the system gives no epoll descriptor; is the limit of open files reached?");
  std::signal(SIGPIPE, SIG_IGN);  // TLS writes cannot say MSG_NOSIGNAL
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = static_cast<FdHandler*>(mail_.get());
  RUNG_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, mail_->fd(), &event) == 0,
             "epoll refuses an eventfd");
}

Loop::~Loop() {
  mail_->close();
  while (!roots_.empty()) static_cast<RootNode&>(roots_.front()).handle.destroy();
  ::close(epoll_);
  RUNG_CHECK(heap_.empty(), "a timer outlives its loop");
}

void Loop::run() {
  stopped_ = false;
  now_ = std::chrono::steady_clock::now();
  while (!stopped_) turn();
}

void Loop::stop() {
  post([this] { stopped_ = true; });
}

void Loop::post(std::function<void()> function) { mail_->post(std::move(function)); }

LoopPoster Loop::poster() const {
  LoopPoster poster;
  poster.mail_ = mail_;
  return poster;
}

void Loop::turn() {
  // 1. Sleep until something happens.
  event_count_ = ::epoll_wait(epoll_, events_.get(), kEventsPerTurn, wait_ms());
  now_ = std::chrono::steady_clock::now();
  // 2. Events. unwatch() blanks those that are still to come for its handler.
  for (event_at_ = 0; event_at_ < event_count_; ++event_at_) {
    const epoll_event& event = events_[static_cast<std::size_t>(event_at_)];
    if (event.data.ptr != nullptr) static_cast<FdHandler*>(event.data.ptr)->on_events(event.events);
  }
  event_at_ = event_count_ = 0;
  // 3. Times that have come.
  run_timers();
  // 4. Coroutines that were made ready, but not those that these make ready: events must not
  // starve.
  List<Ready> now_ready;
  now_ready.take(ready_);
  while (!now_ready.empty()) {
    Ready& next = now_ready.front();
    next.unlink();
    next.handle.resume();
  }
  // 5. What gathered bytes sends them.
  while (!turn_ends_.empty()) {
    TurnEnd& node = turn_ends_.front();
    node.unlink();
    node.at_end(node.context);
  }
}

int Loop::wait_ms() const {
  if (!ready_.empty()) return 0;
  if (heap_.empty()) return -1;
  const Duration left = heap_.front()->key_ - std::chrono::steady_clock::now();
  if (left <= Duration::zero()) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<long long>(ms, 60'000));
}

Result<void> Loop::watch(int fd, FdHandler& handler) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error{ErrorCode::kIo,
                 std::string("epoll refuses a descriptor: ") + std::strerror(errno)};
  }
  return {};
}

void Loop::unwatch(int fd, FdHandler& handler) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = event_at_; i < event_count_; ++i) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &handler) event.data.ptr = nullptr;
  }
}

// --- timers
// ----------------------------------------------------------------------------------------------

Timer::~Timer() {
  if (index_ != kNowhere) loop_.erase(index_);
}

void Timer::set(TimePoint when) {
  when_ = when;
  if (index_ == kNowhere) {
    if (when != TimePoint::max()) loop_.insert(*this);
  } else if (when < key_) {
    key_ = when;
    loop_.sift_up(index_);
  }  // later: corrected when the old key comes to the top
}

void Loop::place(Timer& timer, std::size_t index) {
  heap_[index] = &timer;
  timer.index_ = index;
}

void Loop::insert(Timer& timer) {
  timer.key_ = timer.when_;
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  sift_up(timer.index_);
}

void Loop::erase(std::size_t index) {
  heap_[index]->index_ = Timer::kNowhere;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  place(*last, index);
  sift_up(index);
  sift_down(last->index_);
}

void Loop::sift_up(std::size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->key_ <= timer->key_) break;
    place(*heap_[parent], index);
    index = parent;
  }
  place(*timer, index);
}

void Loop::sift_down(std::size_t index) {
  Timer* timer = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->key_ < heap_[child]->key_) ++child;
    if (timer->key_ <= heap_[child]->key_) break;
    place(*heap_[child], index);
    index = child;
  }
  place(*timer, index);
}

void Loop::run_timers() {
  while (!heap_.empty() && heap_.front()->key_ <= now_) {
    Timer& timer = *heap_.front();
    // It was moved or cleared in the meantime. Its new time may have come too, after others'.
    if (timer.when_ > timer.key_) {
      if (timer.when_ == TimePoint::max()) {
        erase(0);
      } else {
        timer.key_ = timer.when_;
        sift_down(0);
      }
      continue;
    }
    erase(0);
    timer.when_ = TimePoint::max();
    timer.on_time_(timer.context_);
  }
}

// --- waiting
// ---------------------------------------------------------------------------------------------

Loop::SleepOp::SleepOp(Loop& loop, TimePoint when, CancelToken cancel)
    : loop_(loop),
      when_(when),
      cancel_(cancel),
      timer_(
          loop,
          [](void* self) {
            auto& op = *static_cast<SleepOp*>(self);
            op.link_.unlink();
            op.loop_.schedule(op.ready_);
          },
          this),
      link_(
          [](void* self) {
            auto& op = *static_cast<SleepOp*>(self);
            op.cancelled_ = true;
            op.timer_.clear();
            op.loop_.schedule(op.ready_);
          },
          this) {}

bool Loop::SleepOp::await_ready() const { return cancel_.cancelled() || when_ <= loop_.now(); }

void Loop::SleepOp::await_suspend(std::coroutine_handle<> awaiter) {
  ready_.handle = awaiter;
  timer_.set(when_);
  cancel_.subscribe(link_);
}

Result<void> Loop::SleepOp::await_resume() const {
  if (cancelled_ || cancel_.cancelled())
    return Error{ErrorCode::kCancelled, "the wait was cancelled"};
  return {};
}

Loop::SleepOp Loop::sleep_until(TimePoint when, CancelToken cancel) {
  return {*this, when, cancel};
}

Loop::SleepOp Loop::sleep_for(Duration duration, CancelToken cancel) {
  return {*this, now_ + duration, cancel};
}

void Event::set() {
  set_ = true;
  waiters_.for_each([this](Ready& waiter) {
    waiter.unlink();
    loop_.schedule(waiter);
  });
}

Event::WaitOp Event::wait(CancelToken cancel, Deadline deadline) {
  return {*this, cancel, deadline};
}

Event::WaitOp::WaitOp(Event& event, CancelToken cancel, Deadline deadline)
    : event_(event),
      cancel_(cancel),
      deadline_(deadline),
      timer_(event.loop_, &WaitOp::timed_out, this),
      link_(&WaitOp::cancelled, this) {}

bool Event::WaitOp::await_ready() const {
  return event_.set_ || cancel_.cancelled() || deadline_.passed(event_.loop_.now());
}

void Event::WaitOp::await_suspend(std::coroutine_handle<> awaiter) {
  ready_.handle = awaiter;
  end_ = End::kSet;  // unless one of the others comes first
  event_.waiters_.push_back(ready_);
  timer_.set(deadline_.at);
  cancel_.subscribe(link_);
}

void Event::WaitOp::timed_out(void* self) {
  auto& op = *static_cast<WaitOp*>(self);
  op.end_ = End::kTimeout;
  op.link_.unlink();
  op.ready_.unlink();
  op.event_.loop_.schedule(op.ready_);
}

void Event::WaitOp::cancelled(void* self) {
  auto& op = *static_cast<WaitOp*>(self);
  op.end_ = End::kCancelled;
  op.timer_.clear();
  op.ready_.unlink();
  op.event_.loop_.schedule(op.ready_);
}

Result<void> Event::WaitOp::await_resume() const {
  End end = end_;
  if (end == End::kNotWaited) {
    end = event_.set_ ? End::kSet : cancel_.cancelled() ? End::kCancelled : End::kTimeout;
  }
  if (end == End::kCancelled) return Error{ErrorCode::kCancelled, "the wait was cancelled"};
  if (end == End::kTimeout) return Error{ErrorCode::kTimeout, "the wait passed its deadline"};
  return {};
}

}  // namespace rung
