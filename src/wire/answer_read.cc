#include <fmt/format.h>

#include "json/write.h"
#include "wire/anthropic_messages.h"
#include "wire/call_id.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"
#include "wire/translate.h"

namespace rung::wire {
namespace {

void drop(std::vector<std::string>& dropped, std::string field) {
  for (const std::string& known : dropped)
    if (known == field) return;
  dropped.push_back(std::move(field));
}

Error not_an_answer(std::string_view what) { return {ErrorCode::kInvalidJson, std::string(what)}; }

/// A member that is a JSON string, as it came; else "".
std::string raw_text(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_string() ? std::string(value->raw) : std::string();
}

/// The same, but a value of another kind is put into quotes as it is (Ollama gives arguments as an
/// object), and absence is `fallback`.
std::string raw_text_or(json::Value object, std::string_view key, std::string_view fallback) {
  const auto value = present(object, key);
  if (!value) return quoted(fallback);
  return value->is_string() ? std::string(value->raw) : quoted(value->raw);
}

bool says_something(const std::string& json_string) { return json_string.size() > 2; }

/// The id of a call, with what else of it must come back.
std::string call_id_of(json::Value call, std::size_t place) {
  std::string id = text_of(call, "id");
  if (id.empty()) id = fmt::format("call_{}", place);
  const auto extra = present(call, "extra_content");
  return quoted(with_extra(id, extra ? extra->raw : std::string_view()));
}

void read_chat_message(json::Value message, Answer& answer, std::vector<std::string>& dropped) {
  std::string thinking = raw_text(message, "reasoning_content");
  if (thinking.empty()) thinking = raw_text(message, "reasoning");
  if (says_something(thinking))
    answer.blocks.push_back({.kind = Block::Kind::kThinking, .text = thinking});
  if (const auto content = present(message, "content")) {
    if (content->is_string() && says_something(std::string(content->raw)))
      answer.blocks.push_back({.text = std::string(content->raw)});
    if (content->is_array())
      for (const json::Value part : json::elements(*content))
        if (part.is_object())
          if (std::string text = raw_text(part, "text"); says_something(text))
            answer.blocks.push_back({.text = std::move(text)});
  }
  if (std::string refusal = raw_text(message, "refusal"); says_something(refusal))
    answer.blocks.push_back({.kind = Block::Kind::kRefusal, .text = std::move(refusal)});
  if (const auto calls = present(message, "tool_calls"); calls && calls->is_array())
    for (const json::Value call : json::elements(*calls)) {
      if (!call.is_object()) continue;
      const bool custom = is_text(call, "type", "custom");
      const auto inner = json::find(call, custom ? "custom" : "function");
      if (!inner || !inner->is_object()) continue;
      answer.blocks.push_back({.kind = Block::Kind::kTool,
                               .text = raw_text_or(*inner, custom ? "input" : "arguments", ""),
                               .id = call_id_of(call, answer.blocks.size()),
                               .name = raw_text_or(*inner, "name", ""),
                               .is_custom = custom});
    }
  for (const std::string_view lost : {"audio", "annotations"})
    if (const auto value = present(message, lost); value && value->raw != "[]")
      drop(dropped, std::string(lost));
}

void read_messages_block(json::Value block, Answer& answer, std::vector<std::string>& dropped) {
  const std::string type = text_of(block, "type");
  if (type == "text") {
    if (const auto citations = present(block, "citations"); citations && citations->raw != "[]")
      drop(dropped, "citations");
    answer.blocks.push_back({.text = raw_text(block, "text")});
    if (answer.blocks.back().text.empty()) answer.blocks.pop_back();
  } else if (type == "thinking") {
    answer.blocks.push_back({.kind = Block::Kind::kThinking,
                             .text = raw_text(block, "thinking"),
                             .signature = raw_text(block, "signature")});
    if (answer.blocks.back().text.empty()) answer.blocks.back().text = "\"\"";
  } else if (type == "redacted_thinking") {
    answer.blocks.push_back(
        {.kind = Block::Kind::kRedacted, .text = raw_text_or(block, "data", "")});
  } else if (type == "tool_use") {
    const auto input = json::find(block, "input");
    answer.blocks.push_back(
        {.kind = Block::Kind::kTool,
         .text = quoted(input ? input->raw : std::string_view("{}")),
         .id = raw_text_or(block, "id", fmt::format("call_{}", answer.blocks.size())),
         .name = raw_text_or(block, "name", "")});
  } else {
    drop(dropped, "content." + type);
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out;
  json::append_quoted(text, out);
  return out;
}

Stop stop_of_chat(std::string_view reason) {
  if (reason == "stop") return Stop::kEnd;
  if (reason == "length") return Stop::kLength;
  if (reason == "tool_calls" || reason == "function_call") return Stop::kTools;
  if (reason == "content_filter") return Stop::kFilter;
  return Stop::kUnknown;
}

Stop stop_of_messages(std::string_view reason) {
  if (reason == "end_turn") return Stop::kEnd;
  if (reason == "max_tokens" || reason == "model_context_window_exceeded") return Stop::kLength;
  if (reason == "stop_sequence") return Stop::kSequence;
  if (reason == "tool_use") return Stop::kTools;
  if (reason == "refusal") return Stop::kFilter;
  if (reason == "pause_turn") return Stop::kPause;
  return Stop::kUnknown;
}

Result<Answer> read_chat_answer(std::string_view body, std::vector<std::string>& dropped) {
  const auto root = json::parse(body);
  if (!root) return root.error();
  const auto choices = root->is_object() ? json::find(*root, "choices") : std::nullopt;
  if (!choices || !choices->is_array() ||
      !(json::elements(*choices).begin() != std::default_sentinel))
    return not_an_answer("the reply has no choices");
  const json::Value choice = *json::elements(*choices).begin();
  const auto message = choice.is_object() ? present(choice, "message") : std::nullopt;
  if (!message || !message->is_object()) return not_an_answer("choices[0] has no message");
  Answer answer;
  answer.id = text_of(*root, "id");
  answer.model = text_of(*root, "model");
  read_chat_message(*message, answer, dropped);
  answer.stop = stop_of_chat(text_of(choice, "finish_reason"));
  // vLLM and SGLang name the sequence that was hit.
  answer.stop_sequence = raw_text(choice, "stop_reason");
  if (answer.stop_sequence.empty()) answer.stop_sequence = raw_text(choice, "matched_stop");
  if (answer.stop == Stop::kEnd && !answer.stop_sequence.empty()) answer.stop = Stop::kSequence;
  // Some hosts call tools and say "stop".
  if (answer.stop == Stop::kEnd || answer.stop == Stop::kUnknown)
    for (const Block& block : answer.blocks)
      if (block.kind == Block::Kind::kTool) answer.stop = Stop::kTools;
  if (const auto usage = present(*root, "usage")) answer.usage = parse_usage(*usage);
  return answer;
}

Result<Answer> read_messages_answer(std::string_view body, std::vector<std::string>& dropped) {
  const auto root = json::parse(body);
  if (!root) return root.error();
  const auto content = root->is_object() ? json::find(*root, "content") : std::nullopt;
  if (!content || !content->is_array()) return not_an_answer("the reply has no content");
  Answer answer;
  answer.id = text_of(*root, "id");
  answer.model = text_of(*root, "model");
  for (const json::Value block : json::elements(*content))
    if (block.is_object()) read_messages_block(block, answer, dropped);
  answer.stop = stop_of_messages(text_of(*root, "stop_reason"));
  answer.stop_sequence = raw_text(*root, "stop_sequence");
  if (const auto usage = present(*root, "usage")) merge_messages_usage(*usage, answer.usage);
  return answer;
}

}  // namespace rung::wire
