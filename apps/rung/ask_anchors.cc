#include "ask_anchors.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "base/progress.h"
#include "json/value.h"
#include "json/write.h"
#include "net/client.h"
#include "outcomes/answer_score.h"
#include "outcomes/writer.h"

namespace rung::cli {
namespace {

using namespace std::chrono_literals;
constexpr int kTries = 3;
constexpr std::size_t kMaxReplyBytes = 64u << 20;

struct Answer {
  bool came = false;
  std::string text, failure;
  std::optional<std::int64_t> prompt_tokens, completion_tokens;
};

std::optional<json::Value> member(std::optional<json::Value> object, std::string_view key) {
  return object && object->is_object() ? json::find(*object, key) : std::nullopt;
}

/// The text and the usage of a chat completion. A message without text (a refusal, a tool call) is
/// an answer too: an empty one.
Answer read_answer(std::string_view body) {
  Answer answer;
  const auto root = json::parse(body);
  const auto choices = member(root ? std::optional(*root) : std::nullopt, "choices");
  if (!choices || !choices->is_array()) {
    answer.failure = "the reply is no chat completion";
    return answer;
  }
  for (const json::Value choice : json::elements(*choices)) {
    answer.came = true;
    const auto content = member(member(choice, "message"), "content");
    if (content && content->is_string()) answer.text = content->text();
    break;
  }
  if (!answer.came) answer.failure = "the reply has no choices";
  const auto usage = member(*root, "usage");
  if (const auto n = member(usage, "prompt_tokens")) answer.prompt_tokens = n->integer();
  if (const auto n = member(usage, "completion_tokens")) answer.completion_tokens = n->integer();
  return answer;
}

/// All questions of one run, on one loop.
class Asking {
 public:
  Asking(const outcomes::Outcomes& anchors, const AskOptions& options, Url url, TlsContext* tls,
         std::string key)
      : anchors_(anchors),
        options_(options),
        target_(url.path + "/chat/completions"),
        key_(std::move(key)),
        pool_(loop_, std::move(url),
              {.tls = tls, .max_connections = std::max<std::size_t>(1, options.concurrency)}),
        progress_("asking", anchors.table.rows()) {
    answers_.resize(anchors.table.rows());
  }

  std::vector<Answer> run() {
    running_ = std::min(std::max<std::size_t>(1, options_.concurrency), answers_.size());
    for (std::size_t i = 0, n = running_; i < n; ++i) loop_.spawn(ask_in_turn());
    loop_.spawn(watch());
    if (running_ > 0) loop_.run();
    return std::move(answers_);
  }

 private:
  Task<void> ask_in_turn() {
    while (next_ < answers_.size() && !stop_.cancelled()) {
      const std::size_t row = next_++;
      for (int attempt = 1; attempt <= kTries && !answers_[row].came; ++attempt) {
        if (attempt > 1) {
          auto slept = co_await loop_.sleep_for(attempt * 500ms, stop_.token());
          if (!slept) break;
        }
        bool again = false;
        answers_[row] = co_await ask(row, again);
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

  Task<Answer> ask(std::size_t row, bool& again) {
    json::Writer w;
    w.begin_object().key("model").string(options_.model).key("messages").begin_array();
    w.begin_object().key("role").string("user").key("content");
    w.string(anchors_.table.prompts[row]).end_object().end_array();
    if (options_.max_tokens > 0) w.key("max_tokens").number(options_.max_tokens);
    const std::string body = w.end_object().take();
    const std::string authorization = "Bearer " + key_;
    std::vector<HttpHeader> headers{{"content-type", "application/json"}};
    if (!key_.empty()) headers.push_back({"authorization", authorization});
    ClientRequest out;
    out.target = target_;
    out.headers = headers;
    out.body = body;
    const Deadline deadline{std::chrono::steady_clock::now() +
                            std::chrono::seconds(options_.timeout_s)};
    Answer failed;
    again = true;
    auto response = co_await pool_.request(out, stop_.token(), deadline);
    if (!response) {
      failed.failure = response.error().message;
      co_return failed;
    }
    auto reply = co_await response->read_all(kMaxReplyBytes);
    if (!reply) {
      failed.failure = reply.error().message;
      co_return failed;
    }
    const int status = response->status();
    again = status == 429 || status >= 500;
    if (status != 200) {
      failed.failure =
          fmt::format("status {}: {}", status, std::string_view(*reply).substr(0, 200));
      co_return failed;
    }
    co_return read_answer(*reply);
  }

  const outcomes::Outcomes& anchors_;
  const AskOptions& options_;
  const std::string target_, key_;
  Loop loop_;
  CancelSource stop_;
  ClientPool pool_;
  Progress progress_;
  std::vector<Answer> answers_;
  std::size_t next_ = 0, running_ = 0;
};

Result<bool> write_row(const outcomes::Outcomes& anchors, std::size_t row, const Answer& answer,
                       const AskOptions& options, outcomes::PackedFile& file) {
  const outcomes::Table& table = anchors.table;
  json::Writer w;
  w.begin_object().key("id").string(table.ids[row]);
  if (table.category[row] != outcomes::kNoCategory)
    w.key("category").string(table.categories[static_cast<std::size_t>(table.category[row])]);
  w.key("prompt").string(table.prompts[row]);
  std::optional<double> score;
  if (anchors.texts.has_reference[row] != 0) {
    const std::string_view reference = anchors.texts.references[row];
    w.key("reference").string(reference);
    score = outcomes::score_answer(reference, answer.text);
  }
  w.key("models").begin_object();
  w.key(options.name.empty() ? options.model : options.name);
  w.begin_object();
  if (score) w.key("score").number(*score);
  if (answer.prompt_tokens && answer.completion_tokens && options.input_price >= 0)
    w.key("cost").number(1e-6 *
                         (static_cast<double>(*answer.prompt_tokens) * options.input_price +
                          static_cast<double>(*answer.completion_tokens) * options.output_price));
  if (answer.prompt_tokens) w.key("prompt_tokens").number(*answer.prompt_tokens);
  if (answer.completion_tokens) w.key("completion_tokens").number(*answer.completion_tokens);
  w.key("output").string(answer.text).end_object().end_object().end_object();
  if (auto done = file.write(w.take() + "\n"); !done) return done.error();
  return score.has_value();
}

}  // namespace

Result<AskSummary> ask_anchors(const outcomes::Outcomes& anchors, const AskOptions& options,
                               const std::string& file) {
  auto url = parse_url(options.url);
  if (!url) return url.error().with("--ask");
  std::string key;
  if (!options.key_env.empty()) {
    const char* value = std::getenv(options.key_env.c_str());
    if (value == nullptr || *value == '\0')
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("--key-env names {}, which is not set; expected a variable that "
                               "holds the upstream's key",
                               options.key_env)};
    key = value;
  }
  std::unique_ptr<TlsContext> tls;
  if (url->tls) {
    auto made = TlsContext::create();
    if (!made) return made.error();
    tls = *std::move(made);
  }
  auto out = outcomes::PackedFile::create(file);
  if (!out) return out.error();
  std::vector<Answer> answers;
  {
    Asking asking(anchors, options, *std::move(url), tls.get(), std::move(key));
    answers = asking.run();
  }
  if (interrupted()) return Error{ErrorCode::kCancelled, "asking was interrupted"};
  AskSummary summary;
  for (std::size_t row = 0; row < answers.size(); ++row) {
    ++summary.asked;
    if (!answers[row].came) {
      if (summary.first_failure.empty())
        summary.first_failure =
            fmt::format("id \"{}\": {}", anchors.table.ids[row], answers[row].failure);
      continue;
    }
    ++summary.answered;
    auto scored = write_row(anchors, row, answers[row], options, *out);
    if (!scored) return scored.error();
    summary.scored += *scored ? 1 : 0;
  }
  if (summary.answered == 0)
    return Error{ErrorCode::kUnavailable,
                 fmt::format("{}: no anchor was answered; {}", options.url, summary.first_failure)};
  if (auto done = out->commit(); !done) return done.error();
  return summary;
}

}  // namespace rung::cli
