#include "ask_anchors.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "ask_many.h"
#include "json/value.h"
#include "json/write.h"
#include "outcomes/answer_score.h"
#include "outcomes/writer.h"

namespace rung::cli {
namespace {

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
  auto out = outcomes::PackedFile::create(file);
  if (!out) return out.error();
  const AskMany how{.base_url = options.url,
                    .target = {},
                    .key = std::move(key),
                    .concurrency = options.concurrency,
                    .timeout_s = options.timeout_s,
                    .option = "--ask"};
  auto replies = ask_many(how, anchors.table.rows(), [&](std::size_t row) {
    json::Writer w;
    w.begin_object().key("model").string(options.model).key("messages").begin_array();
    w.begin_object().key("role").string("user").key("content");
    w.string(anchors.table.prompts[row]).end_object().end_array();
    if (options.max_tokens > 0) w.key("max_tokens").number(options.max_tokens);
    return w.end_object().take();
  });
  if (!replies) return replies.error();
  std::vector<Answer> answers;
  for (const Result<std::string>& reply : *replies) {
    answers.push_back(reply ? read_answer(*reply) : Answer{});
    if (!reply) answers.back().failure = reply.error().message;
  }
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
