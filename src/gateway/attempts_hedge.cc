// A second call beside a slow first one: whoever answers first is the answer, the other is
// cancelled.

#include "gateway/attempts.h"

namespace rung::gateway {
namespace {

/// A task beside its owner: it is destroyed with it, wherever it is, which cancels what it waits
/// for.
class Aside {
 public:
  Aside(Loop& loop, Task<void> task, Event& news) : state_(std::make_shared<State>()) {
    handle_ = loop.spawn(run(std::move(task), Mark(state_), news));
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  ~Aside() {
    if (!state_->is_gone) handle_.destroy();
  }
  bool is_done() const { return state_->is_done; }

 private:
  struct State {
    bool is_done = false, is_gone = false;
  };
  /// Lives in the task's frame and notes its end: the loop may have destroyed it before us.
  struct Mark {
    explicit Mark(std::shared_ptr<State> its_state) : state(std::move(its_state)) {}
    Mark(Mark&&) noexcept = default;
    Mark& operator=(Mark&&) = delete;
    std::shared_ptr<State> state;
    ~Mark() {
      if (state) state->is_gone = true;
    }
  };
  static Task<void> run(Task<void> task, Mark mark, Event& news) {
    co_await task;
    mark.state->is_done = true;
    news.set();
  }

  std::shared_ptr<State> state_;
  std::coroutine_handle<> handle_;
};

}  // namespace

/// Hedges are for models of which so much is known that the second call's cost is bounded.
bool Attempts::may_hedge(TimePoint at) {
  const HedgeConfig& hedge = choice_->model->hedge;
  std::optional<double> usd;
  for (const ArmOutlook& look : choice_->outlook)
    if (look.arm == choice_->arm) usd = look.cost_usd;
  if (!usd && request_->max_tokens) {
    wire::Usage most;
    most.prompt_tokens = choice_->prompt_tokens;
    most.completion_tokens = *request_->max_tokens * request_->choices;
    if (const auto cost = cost_of(*choice_->model, most)) usd = cost->usd().value;
  }
  return usd && *usd <= hedge.max_usd && made_ < rules().attempts && at < end_ &&
         state_of(*choice_->model).hedges.spend(at);
}

Task<void> Attempts::hedged(Attempt& a) {
  Event news(exchange_.loop());
  const HedgeConfig& hedge = choice_->model->hedge;
  state_of(*choice_->model).hedges.earn(now());
  std::optional<Aside> first(std::in_place, exchange_.loop(), once(a), news);
  auto waited = co_await news.wait({}, Deadline{now() + hedge.after});
  if (waited && first->is_done()) co_return;
  // 1. Another host, or the same once more: behind one name there are often many machines.
  const TimePoint at = now();
  if (!may_hedge(at)) {
    while (!first->is_done()) {
      news.reset();
      waited = co_await news.wait();
    }
    co_return;
  }
  const std::uint64_t before = tried_;
  tried_ |= std::uint64_t{1} << a.host;
  std::optional<Attempt> other = at_some_host(a.stand, at);
  tried_ = before;
  if (!other) {
    other.emplace();
    other->stand = a.stand;
    other->host = a.host;
    other->at = a.at;
  }
  other->is_hedge = true;
  ResilienceCells::bump(worker_.cells().hedges);
  std::optional<Aside> second(std::in_place, exchange_.loop(), once(*other), news);
  // 2. Until one has an answer, or neither has.
  const auto answers = [](const std::optional<Aside>& aside, const Attempt& attempt) {
    return aside->is_done() && attempt.fault == upstream::Fault::kNone;
  };
  while (!answers(first, a) && !answers(second, *other) &&
         !(first->is_done() && second->is_done())) {
    news.reset();
    waited = co_await news.wait();
  }
  // 3. The other one is cancelled, or has failed by itself.
  const bool second_wins = !answers(first, a) && answers(second, *other);
  Attempt& loser = second_wins ? a : *other;
  std::optional<Aside>& beside = second_wins ? first : second;
  const bool has_failed = beside->is_done();
  beside.reset();
  if (!has_failed) {
    loser.error = {ErrorCode::kCancelled, "cancelled: the other of two calls was faster"};
    end_call(loser, state::Outcome::kCancelled);
  } else {
    judge(loser, now());
    if (loser.fault != upstream::Fault::kNone) note_failed(loser);
  }
  if (second_wins) {
    ResilienceCells::bump(worker_.cells().hedges_won);
    second.reset();
    a = std::move(*other);
    become(a);
  }
}

}  // namespace rung::gateway
