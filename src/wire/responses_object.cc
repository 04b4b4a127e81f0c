#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"
#include "wire/fields.h"
#include "wire/openai_responses.h"

namespace rung::wire {
namespace {

/// A field of the request as the response repeats it.
void echo(json::Value request, std::string_view key, std::string_view fallback, json::Writer& w) {
  const auto value = present(request, key);
  w.key(key).raw(value ? value->raw : fallback);
}

}  // namespace

std::string responses_usage(const Usage& usage) {
  const std::int64_t prompt = usage.prompt_tokens.value_or(0);
  const std::int64_t answer = usage.completion_tokens.value_or(0);
  json::Writer w;
  w.begin_object().key("input_tokens").number(prompt);
  w.key("input_tokens_details").begin_object();
  w.key("cached_tokens").number(usage.cached_tokens.value_or(0));
  if (usage.cache_write_tokens) w.key("cache_write_tokens").number(*usage.cache_write_tokens);
  w.end_object().key("output_tokens").number(answer);
  w.key("output_tokens_details").begin_object().key("reasoning_tokens");
  w.number(usage.reasoning_tokens.value_or(0)).end_object();
  w.key("total_tokens").number(prompt + answer).end_object();
  return w.take();
}

std::string write_response(const ResponseObject& object, const Request& request) {
  const json::Value root = request.root;
  json::Writer w;
  w.begin_object().key("id").string(object.id).key("object").string("response");
  w.key("created_at").number(object.created).key("status").string(object.status);
  w.key("background").boolean(false).key("error");
  if (object.error_message.empty()) {
    w.null();
  } else {
    w.begin_object().key("code").string("server_error");
    w.key("message").string(object.error_message).end_object();
  }
  w.key("incomplete_details");
  if (object.incomplete_reason.empty()) {
    w.null();
  } else {
    w.begin_object().key("reason").string(object.incomplete_reason).end_object();
  }
  echo(root, "instructions", "null", w);
  echo(root, "max_output_tokens", "null", w);
  w.key("model").string(object.model).key("output").raw(object.output);
  echo(root, "parallel_tool_calls", "true", w);
  w.key("previous_response_id").null();
  echo(root, "reasoning", R"({"effort":null,"summary":null})", w);
  w.key("store").boolean(object.stored);
  echo(root, "temperature", "1.0", w);
  echo(root, "text", R"({"format":{"type":"text"}})", w);
  echo(root, "tool_choice", R"("auto")", w);
  echo(root, "tools", "[]", w);
  echo(root, "top_p", "1.0", w);
  w.key("truncation").string("disabled").key("usage");
  object.usage ? w.raw(responses_usage(*object.usage)) : w.null();
  echo(root, "user", "null", w);
  echo(root, "metadata", "{}", w);
  w.end_object();
  return w.take();
}

void set_status(Stop stop, ResponseObject& object) {
  object.status = "completed";
  if (stop == Stop::kLength) object.incomplete_reason = "max_output_tokens";
  if (stop == Stop::kFilter) object.incomplete_reason = "content_filter";
  if (!object.incomplete_reason.empty()) object.status = "incomplete";
}

std::string message_item(std::string_view id, std::string_view status, std::string_view content) {
  json::Writer w;
  w.begin_object().key("id").string(id).key("type").string("message");
  w.key("status").string(status).key("role").string("assistant");
  w.key("content").begin_array();
  if (!content.empty()) w.raw(content);
  w.end_array().end_object();
  return w.take();
}

std::string text_part(std::string_view text) {
  json::Writer w;
  w.begin_object().key("type").string("output_text").key("text").raw(text);
  w.key("annotations").begin_array().end_array().key("logprobs").begin_array().end_array();
  w.end_object();
  return w.take();
}

std::string refusal_part(std::string_view text) {
  json::Writer w;
  w.begin_object().key("type").string("refusal").key("refusal").raw(text).end_object();
  return w.take();
}

std::string reasoning_item(std::string_view id, std::string_view summary, std::string_view sealed) {
  json::Writer w;
  w.begin_object().key("id").string(id).key("type").string("reasoning");
  w.key("summary").begin_array();
  if (!summary.empty())
    w.begin_object().key("type").string("summary_text").key("text").raw(summary).end_object();
  w.end_array();
  if (!sealed.empty()) w.key("encrypted_content").string(sealed);
  w.end_object();
  return w.take();
}

std::string call_item(std::string_view id, std::string_view status, const Block& call) {
  json::Writer w;
  w.begin_object().key("id").string(id).key("type");
  w.string(call.is_custom ? "custom_tool_call" : "function_call").key("status").string(status);
  w.key(call.is_custom ? "input" : "arguments").raw(call.text.empty() ? "\"\"" : call.text);
  w.key("call_id").raw(call.id).key("name").raw(call.name).end_object();
  return w.take();
}

std::string item_id(std::string_view kind, std::string_view response, std::size_t place) {
  if (response.starts_with("resp_")) response.remove_prefix(5);
  return fmt::format("{}_{}_{}", kind, response, place);
}

std::string response_id(std::string_view upstream_id) {
  return fmt::format("resp_{}", upstream_id.empty() ? "rung" : upstream_id);
}

std::string write_responses_answer(const Answer& answer, const Request& request,
                                   std::int64_t created, std::string_view id, bool stored) {
  ResponseObject object;
  object.id = response_id(id.empty() ? std::string_view(answer.id) : id);
  object.stored = stored;
  object.model = answer.model;
  object.created = created;
  object.usage = answer.usage;
  set_status(answer.stop, object);
  const std::vector<std::string> custom = custom_tools(request);
  json::Writer output;
  std::size_t place = 0;
  output.begin_array();
  for (const Block& block : answer.blocks) {
    switch (block.kind) {
      case Block::Kind::kText:
        output.raw(
            message_item(item_id("msg", object.id, place), "completed", text_part(block.text)));
        break;
      case Block::Kind::kRefusal:
        output.raw(
            message_item(item_id("msg", object.id, place), "completed", refusal_part(block.text)));
        break;
      case Block::Kind::kThinking: {
        std::string sealed;
        if (!block.signature.empty())
          sealed = std::string(kSigned) + json::Value{block.signature}.text();
        output.raw(reasoning_item(item_id("rs", object.id, place),
                                  block.text == "\"\"" ? "" : block.text, sealed));
        break;
      }
      case Block::Kind::kRedacted:
        output.raw(reasoning_item(item_id("rs", object.id, place), "",
                                  std::string(kHidden) + json::Value{block.text}.text()));
        break;
      case Block::Kind::kTool: {
        Block call = block;
        call.is_custom = std::any_of(custom.begin(), custom.end(), [&](const std::string& name) {
          return json::Value{block.name}.equals(name);
        });
        if (call.is_custom) call.text = custom_input(block.text);
        output.raw(
            call_item(item_id(call.is_custom ? "ctc" : "fc", object.id, place), "completed", call));
        break;
      }
    }
    ++place;
  }
  output.end_array();
  object.output = output.take();
  return write_response(object, request);
}

}  // namespace rung::wire
