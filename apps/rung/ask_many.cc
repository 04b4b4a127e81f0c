#include "ask_many.h"

#include <fmt/format.h>

#include <optional>

#include "base/progress.h"
#include "net/client.h"

namespace rung::cli {
namespace {

using namespace std::chrono_literals;
constexpr int kTries = 3;
constexpr std::size_t kMaxReplyBytes = 64u << 20;

/// All questions of one run, on one loop.
class Asking {
 public:
  Asking(const AskMany& options, Url url, TlsContext* tls, std::size_t count,
         const std::function<std::string(std::size_t)>& body)
      : options_(options),
        body_(body),
        target_(options.target.empty() ? url.path + "/chat/completions" : options.target),
        authorization_("Bearer " + options.key),
        pool_(loop_, std::move(url),
              {.tls = tls, .max_connections = std::max<std::size_t>(1, options.concurrency)}),
        progress_("asking", count),
        replies_(count) {}

  std::vector<std::optional<Result<std::string>>> run() {
    running_ = std::min(std::max<std::size_t>(1, options_.concurrency), replies_.size());
    for (std::size_t i = 0, n = running_; i < n; ++i) loop_.spawn(ask_in_turn());
    loop_.spawn(watch());
    if (running_ > 0) loop_.run();
    return std::move(replies_);
  }

 private:
  Task<void> ask_in_turn() {
    while (next_ < replies_.size() && !stop_.cancelled()) {
      const std::size_t i = next_++;
      for (int attempt = 1; attempt <= kTries; ++attempt) {
        if (attempt > 1) {
          auto slept = co_await loop_.sleep_for(attempt * 500ms, stop_.token());
          if (!slept) break;
        }
        bool again = false;
        auto reply = co_await ask(i, again);
        replies_[i] = std::move(reply);
        if (!again) break;
      }
      progress_.advance();
    }
    if (--running_ == 0) loop_.stop();
  }

  /// An interrupt ends what is under way.
  Task<void> watch() {
    for (;;) {
      auto slept = co_await loop_.sleep_for(100ms, stop_.token());
      if (!slept) co_return;
      if (interrupted()) stop_.cancel();
    }
  }

  Task<Result<std::string>> ask(std::size_t i, bool& again) {
    const std::string body = body_(i);
    std::vector<HttpHeader> headers{{"content-type", "application/json"}};
    if (!options_.key.empty()) headers.push_back({"authorization", authorization_});
    ClientRequest out;
    out.target = target_;
    out.headers = headers;
    out.body = body;
    const Deadline deadline{std::chrono::steady_clock::now() +
                            std::chrono::seconds(options_.timeout_s)};
    again = true;
    auto response = co_await pool_.request(out, stop_.token(), deadline);
    if (!response) co_return response.error();
    auto reply = co_await response->read_all(kMaxReplyBytes);
    if (!reply) co_return reply.error();
    const int status = response->status();
    again = status == 429 || status >= 500;
    if (status == 200) co_return *std::move(reply);
    co_return Error{ErrorCode::kUpstream,
                    fmt::format("status {}: {}", status, std::string_view(*reply).substr(0, 200))};
  }

  const AskMany& options_;
  const std::function<std::string(std::size_t)>& body_;
  const std::string target_, authorization_;
  Loop loop_;
  CancelSource stop_;
  ClientPool pool_;
  Progress progress_;
  std::vector<std::optional<Result<std::string>>> replies_;
  std::size_t next_ = 0, running_ = 0;
};

}  // namespace

Result<std::vector<Result<std::string>>> ask_many(
    const AskMany& options, std::size_t count,
    const std::function<std::string(std::size_t)>& body) {
  auto url = parse_url(options.base_url);
  if (!url) return url.error().with(options.option);
  std::unique_ptr<TlsContext> tls;
  if (url->tls) {
    auto made = TlsContext::create();
    if (!made) return made.error();
    tls = *std::move(made);
  }
  std::vector<std::optional<Result<std::string>>> replies;
  {
    Asking asking(options, *std::move(url), tls.get(), count, body);
    replies = asking.run();
  }
  if (interrupted()) return Error{ErrorCode::kCancelled, "asking was interrupted"};
  std::vector<Result<std::string>> out;
  out.reserve(count);
  for (auto& reply : replies)
    out.push_back(reply ? *std::move(reply) : Error{ErrorCode::kCancelled, "it was not asked"});
  return out;
}

}  // namespace rung::cli
