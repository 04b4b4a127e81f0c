#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"
#include "wire/fields.h"
#include "wire/thinking.h"
#include "wire/translate.h"

namespace rung::wire {
namespace {

std::string joined(const Answer& answer, Block::Kind kind) {
  std::string text = "\"";
  for (const Block& block : answer.blocks)
    if (block.kind == kind) text.append(inside(block.text));
  text.push_back('"');
  return text;
}

bool has(const Answer& answer, Block::Kind kind) {
  return std::any_of(answer.blocks.begin(), answer.blocks.end(),
                     [&](const Block& block) { return block.kind == kind; });
}

void write_thinking_blocks(const Answer& answer, json::Writer& w) {
  w.key("thinking_blocks").begin_array();
  for (const Block& block : answer.blocks) {
    if (block.kind == Block::Kind::kThinking && !block.signature.empty()) {
      w.begin_object().key("type").string("thinking").key("thinking").raw(block.text);
      w.key("signature").raw(block.signature).end_object();
    } else if (block.kind == Block::Kind::kRedacted) {
      w.begin_object().key("type").string("redacted_thinking").key("data").raw(block.text);
      w.end_object();
    }
  }
  w.end_array();
}

void write_chat_calls(const Answer& answer, const std::vector<std::string>& custom,
                      json::Writer& w) {
  w.key("tool_calls").begin_array();
  for (const Block& block : answer.blocks) {
    if (block.kind != Block::Kind::kTool) continue;
    const bool is_custom = std::any_of(custom.begin(), custom.end(), [&](const std::string& name) {
      return json::Value{block.name}.equals(name);
    });
    w.begin_object().key("id").raw(block.id).key("type");
    w.string(is_custom ? "custom" : "function").key(is_custom ? "custom" : "function");
    w.begin_object().key("name").raw(block.name).key(is_custom ? "input" : "arguments");
    w.raw(is_custom ? custom_input(block.text) : block.text).end_object().end_object();
  }
  w.end_array();
}

}  // namespace

std::string_view chat_reason(Stop stop) {
  switch (stop) {
    case Stop::kLength:
      return "length";
    case Stop::kTools:
      return "tool_calls";
    case Stop::kFilter:
      return "content_filter";
    case Stop::kEnd:
    case Stop::kSequence:
    case Stop::kPause:
    case Stop::kUnknown:
      break;
  }
  return "stop";
}

std::string_view messages_reason(Stop stop) {
  switch (stop) {
    case Stop::kLength:
      return "max_tokens";
    case Stop::kTools:
      return "tool_use";
    case Stop::kFilter:
      return "refusal";
    case Stop::kSequence:
      return "stop_sequence";
    case Stop::kPause:
      return "pause_turn";
    case Stop::kEnd:
    case Stop::kUnknown:
      break;
  }
  return "end_turn";
}

std::string chat_usage(const Usage& usage) {
  json::Writer w;
  w.begin_object();
  if (usage.prompt_tokens) w.key("prompt_tokens").number(*usage.prompt_tokens);
  if (usage.completion_tokens) w.key("completion_tokens").number(*usage.completion_tokens);
  if (usage.prompt_tokens && usage.completion_tokens)
    w.key("total_tokens").number(*usage.prompt_tokens + *usage.completion_tokens);
  if (usage.cached_tokens || usage.cache_write_tokens) {
    w.key("prompt_tokens_details").begin_object();
    if (usage.cached_tokens) w.key("cached_tokens").number(*usage.cached_tokens);
    if (usage.cache_write_tokens) w.key("cache_write_tokens").number(*usage.cache_write_tokens);
    w.end_object();
  }
  if (usage.reasoning_tokens) {
    w.key("completion_tokens_details").begin_object().key("reasoning_tokens");
    w.number(*usage.reasoning_tokens).end_object();
  }
  w.end_object();
  return w.take();
}

std::string messages_usage(const Usage& usage) {
  const std::int64_t cached = usage.cached_tokens.value_or(0);
  const std::int64_t written = usage.cache_write_tokens.value_or(0);
  json::Writer w;
  w.begin_object();
  // The dialect has no form for "not known".
  w.key("input_tokens")
      .number(std::max<std::int64_t>(usage.prompt_tokens.value_or(0) - cached - written, 0));
  w.key("cache_creation_input_tokens").number(written);
  w.key("cache_read_input_tokens").number(cached);
  w.key("output_tokens").number(usage.completion_tokens.value_or(0)).end_object();
  return w.take();
}

std::vector<std::string> custom_tools(const Request& request) {
  std::vector<std::string> names;
  const auto tools = json::find(request.root, "tools");
  if (!tools || !tools->is_array()) return names;
  for (const json::Value tool : json::elements(*tools)) {
    if (!tool.is_object() || !is_text(tool, "type", "custom")) continue;
    const auto inner = json::find(tool, "custom");
    names.push_back(text_of(inner && inner->is_object() ? *inner : tool, "name"));
  }
  return names;
}

std::string custom_input(std::string_view arguments_string) {
  const std::string arguments = json::Value{arguments_string}.text();
  const auto root = json::parse(arguments);
  if (!root || !root->is_object()) return std::string(arguments_string);
  const auto input = json::find(*root, "input");
  return input && input->is_string() ? std::string(input->raw) : std::string(arguments_string);
}

std::string write_chat_answer(const Answer& answer, const Request& request, std::int64_t created) {
  json::Writer w;
  w.begin_object().key("id").string(answer.id).key("object").string("chat.completion");
  w.key("created").number(created).key("model").string(answer.model);
  w.key("choices").begin_array().begin_object().key("index").number(0).key("message");
  w.begin_object().key("role").string("assistant").key("content");
  const bool calls = has(answer, Block::Kind::kTool);
  has(answer, Block::Kind::kText) || !calls ? w.raw(joined(answer, Block::Kind::kText)) : w.null();
  has(answer, Block::Kind::kRefusal) ? w.key("refusal").raw(joined(answer, Block::Kind::kRefusal))
                                     : w.key("refusal").null();
  if (has(answer, Block::Kind::kThinking)) {
    w.key("reasoning_content").raw(joined(answer, Block::Kind::kThinking));
  }
  if (has(answer, Block::Kind::kThinking) || has(answer, Block::Kind::kRedacted))
    write_thinking_blocks(answer, w);
  if (calls) write_chat_calls(answer, custom_tools(request), w);
  w.end_object().key("logprobs").null().key("finish_reason").string(chat_reason(answer.stop));
  w.end_object().end_array();
  if (answer.usage) w.key("usage").raw(chat_usage(*answer.usage));
  w.end_object();
  return w.take();
}

std::string write_messages_answer(const Answer& answer) {
  json::Writer w;
  w.begin_object().key("id").string(answer.id).key("type").string("message");
  w.key("role").string("assistant").key("model").string(answer.model);
  w.key("content").begin_array();
  bool refused = false;
  for (const Block& block : answer.blocks) {
    w.begin_object().key("type");
    switch (block.kind) {
      case Block::Kind::kRefusal:
        refused = true;
        [[fallthrough]];
      case Block::Kind::kText:
        w.string("text").key("text").raw(block.text);
        break;
      case Block::Kind::kThinking:
        w.string("thinking").key("thinking").raw(block.text).key("signature");
        block.signature.empty() ? w.string(kUnsigned) : w.raw(block.signature);
        break;
      case Block::Kind::kRedacted:
        w.string("redacted_thinking").key("data").raw(block.text);
        break;
      case Block::Kind::kTool: {
        w.string("tool_use").key("id").raw(block.id).key("name").raw(block.name).key("input");
        const std::string arguments = json::Value{block.text}.text();
        const auto input = json::parse(arguments);
        if (input && input->is_object())
          w.raw(input->raw);
        else if (arguments.empty())
          w.raw("{}");
        else  // what the model wrote is no JSON object; it reaches the client all the same
          w.begin_object().key("arguments").raw(block.text).end_object();
        break;
      }
    }
    w.end_object();
  }
  w.end_array().key("stop_reason");
  w.string(messages_reason(refused ? Stop::kFilter : answer.stop)).key("stop_sequence");
  answer.stop_sequence.empty() ? w.null() : w.raw(answer.stop_sequence);
  w.key("usage").raw(messages_usage(answer.usage.value_or(Usage{})));
  w.end_object();
  return w.take();
}

}  // namespace rung::wire
