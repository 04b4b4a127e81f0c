#include "gateway/helpers.h"

#include <algorithm>
#include <atomic>

namespace rung::gateway {

/// Owned by who waits and by who works, whoever is longer there.
struct Helpers::Question {
  std::shared_ptr<const predict::Router> predictor;
  std::vector<std::uint32_t> known;
  std::string prompt;
  LoopPoster poster;
  std::vector<predict::Estimate> estimates;  // written by the helper, read after its post
  std::atomic<bool> left{false};             // nobody waits any more
  Event* done = nullptr;                     // of the loop's thread; null: nobody waits any more
};

Helpers::Helpers(std::size_t threads)
    : threads_wanted_(threads != 0 ? threads
                                   : std::max(1u, std::thread::hardware_concurrency() / 2)) {}

Helpers::~Helpers() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();  // joins
}

void Helpers::work(const std::stop_token& stop) {
  predict::Scratch scratch;
  for (;;) {
    std::shared_ptr<Question> question;
    {
      std::unique_lock lock(mutex_);
      if (!waiting_.wait(lock, stop, [this] { return !questions_.empty(); })) return;
      if (stop.stop_requested()) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    if (question->left.load(std::memory_order_relaxed)) continue;
    question->estimates.resize(question->predictor->arms().size());
    question->predictor->estimate_for(question->known, question->prompt, question->estimates,
                                      scratch);
    question->poster.post([question] {
      if (question->done != nullptr) question->done->set();
    });
  }
}

void Helpers::ask(std::shared_ptr<Question> question) {
  {
    const std::lock_guard lock(mutex_);
    while (threads_.size() < threads_wanted_)
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    questions_.push_back(std::move(question));
  }
  waiting_.notify_one();
}

Task<Result<Ahead>> Helpers::estimate(Loop& loop, const Route& route, std::string_view prompt,
                                      CancelToken client_gone) {
  auto question = std::make_shared<Question>();
  question->predictor = route.predictor;
  question->known = route.known;
  question->prompt = prompt;
  question->poster = loop.poster();
  Event done(loop);
  question->done = &done;
  // The frame may be destroyed while it waits: then nobody is told.
  struct Leave {
    Question& question;
    ~Leave() {
      question.left.store(true, std::memory_order_relaxed);
      question.done = nullptr;
    }
  } leave{*question};
  ask(question);
  auto came = co_await done.wait(client_gone);
  if (!came) co_return came.error();
  Ahead ahead;
  ahead.estimates = std::move(question->estimates);
  co_return ahead;
}

}  // namespace rung::gateway
