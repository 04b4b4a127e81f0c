#include "wire/anthropic_messages.h"

#include <fmt/format.h>

#include <array>

#include "json/splice.h"
#include "json/write.h"
#include "wire/fields.h"
#include "wire/thinking.h"

namespace rung::wire {
namespace {

constexpr std::string_view kLongWindow = "[1m]";

bool is_foreign_thinking(json::Value block) {
  return block.is_object() && is_text(block, "type", "thinking") &&
         is_text(block, "signature", kUnsigned);
}

/// One message's content, noted in the request. `text` gets the text of a user's own words.
class ContentReader {
 public:
  ContentReader(Request& request, std::string where, std::string* text)
      : request_(request), where_(std::move(where)), text_(text) {}

  Result<void> read(json::Value content) {
    if (content.is_string()) {
      add_text(content);
      return {};
    }
    if (!content.is_array())
      return bad_field(where_, name(content.kind()), "a string or an array of blocks");
    for (const json::Value block : json::elements(content)) {
      if (!block.is_object())
        return bad_field(where_, name(block.kind()), "blocks that are objects");
      read_block(block);
    }
    return {};
  }

 private:
  void read_block(json::Value block) {
    const std::string type = text_of(block, "type");
    if (type == "text") {
      if (const auto text = json::find(block, "text"); text && text->is_string()) add_text(*text);
    } else if (type == "image" || type == "document") {
      read_media(block, type);
    } else if (type == "tool_result") {
      if (const auto content = present(block, "content")) {
        ContentReader inner(request_, where_, nullptr);
        static_cast<void>(inner.read(*content));  // what is wrong in it, the upstream says
      }
    } else if (type == "thinking") {
      request_.has_foreign_thinking = request_.has_foreign_thinking || is_foreign_thinking(block);
      request_.text_bytes += block.raw.size();
    } else {
      request_.text_bytes += block.raw.size();
      if (type != "tool_use" && type != "redacted_thinking")
        native(fmt::format("a block of type {}", type));
    }
  }

  void read_media(json::Value block, std::string_view type) {
    const auto source = json::find(block, "source");
    const std::string kind = source && source->is_object() ? text_of(*source, "type") : "";
    if (kind == "text" || kind == "content") {
      request_.text_bytes += block.raw.size();
      return;
    }
    request_.has_images = true;
    if (kind == "file" || (type == "document" && kind != "base64"))
      native(fmt::format("a {} by {}", type, kind.empty() ? "nothing" : kind));
  }

  void native(std::string what) {
    if (request_.only_native.empty())
      request_.only_native = fmt::format("{} holds {}", where_, what);
  }

  void add_text(json::Value text) {
    request_.text_bytes += text.raw.size() - 2;
    if (text_ == nullptr) return;
    if (!first_) text_->push_back('\n');
    first_ = false;
    text.append_text(*text_);
  }

  Request& request_;
  std::string where_;
  std::string* text_;
  bool first_ = true;
};

/// Whether a user's message says something beyond results of tools.
bool has_own_words(json::Value content) {
  if (!content.is_array()) return true;
  bool any = false;
  for (const json::Value block : json::elements(content)) {
    if (!block.is_object() || !is_text(block, "type", "tool_result")) return true;
    any = true;
  }
  return !any;
}

Result<void> read_messages(json::Value messages, Request& request) {
  if (!messages.is_array())
    return bad_field("messages", name(messages.kind()), "an array of messages");
  std::size_t index = 0;
  for (const json::Value message : json::elements(messages)) {
    const std::string where = fmt::format("messages[{}]", index);
    if (!message.is_object()) return bad_field(where, name(message.kind()), "an object");
    const auto role = json::find(message, "role");
    if (!role || !role->is_string())
      return bad_field(where + ".role", role ? name(role->kind()) : "nothing",
                       "\"user\" or \"assistant\"");
    const auto content = json::find(message, "content");
    if (!content) return bad_field(where + ".content", "nothing", "a string or an array of blocks");
    const bool is_prompt = role->equals("user") && has_own_words(*content);
    if (is_prompt) request.prompt.clear();
    ContentReader reader(request, where + ".content", is_prompt ? &request.prompt : nullptr);
    if (auto read = reader.read(*content); !read) return read;
    ++index;
  }
  if (index == 0) return bad_field("messages", "an empty array", "at least one message");
  return {};
}

/// A tool that Anthropic runs, or whose schema only its models know.
bool is_own_tool(json::Value tool) {
  if (!tool.is_object()) return false;
  const std::string type = text_of(tool, "type");
  return !type.empty() && type != "custom";
}

void read_messages_tools(json::Value tools, json::Value root, Request& request) {
  read_tools(tools, request);
  if (!tools.is_array()) return;
  const auto choice = json::find(root, "tool_choice");
  const bool forced = choice && choice->is_object() && is_text(*choice, "type", "tool");
  note_own_tools(tools, is_own_tool, forced, request);
}

void read_output_config(json::Value config, Request& request) {
  if (!config.is_object()) return;
  request.effort = text_of(config, "effort");
  const auto format = present(config, "format");
  if (!format || !format->is_object()) return;
  request.has_json_schema = is_text(*format, "type", "json_schema");
  request.text_bytes += format->raw.size();
}

/// The messages without thinking that we signed; a message that held nothing else goes too.
std::string without_foreign_thinking(json::Value messages) {
  std::string out = "[";
  for (const json::Value message : json::elements(messages)) {
    const auto content = json::find(message, "content");
    std::string kept = "[";
    bool removed = false;
    if (content && content->is_array()) {
      for (const json::Value block : json::elements(*content)) {
        if (is_foreign_thinking(block)) {
          removed = true;
          continue;
        }
        if (kept.size() > 1) kept.push_back(',');
        kept.append(block.raw);
      }
    }
    if (removed && kept.size() == 1) continue;
    if (out.size() > 1) out.push_back(',');
    if (!removed) {
      out.append(message.raw);
      continue;
    }
    kept.push_back(']');
    json::Splice splice(message.raw);
    splice.set(message, "content", kept);
    out.append(splice.apply());
  }
  out.push_back(']');
  return out;
}

/// Whether the last turn of the assistant calls tools without the thinking that led to it.
bool lost_thinking(json::Value messages) {
  bool lost = false;
  for (const json::Value message : json::elements(messages)) {
    const auto content = json::find(message, "content");
    if (!content) continue;
    if (!is_text(message, "role", "assistant")) {
      if (has_own_words(*content)) lost = false;
      continue;
    }
    if (!content->is_array()) continue;
    bool thinks = false, calls = false;
    for (const json::Value block : json::elements(*content)) {
      if (!block.is_object()) continue;
      thinks = thinks || (is_text(block, "type", "thinking") && !is_foreign_thinking(block)) ||
               is_text(block, "type", "redacted_thinking");
      calls = calls || is_text(block, "type", "tool_use");
    }
    lost = calls && !thinks;
  }
  return lost;
}

}  // namespace

Result<Request> parse_messages_request(std::string_view body) {
  auto root = parse_object(body);
  if (!root) return root.error();
  Request request;
  request.dialect = Dialect::kMessages;
  request.root = *root;
  request.wants_usage = true;  // a Messages stream always tells
  std::optional<json::Value> messages, tools;
  for (const json::Member& m : json::members(*root)) {
    const json::Value v = m.value;
    if (m.key.equals("model")) {
      if (!v.is_string()) return bad_field("model", name(v.kind()), "the name of a model or route");
      request.model = v.text();
    } else if (m.key.equals("messages")) {
      messages = v;
    } else if (m.key.equals("tools")) {
      tools = v;
    } else if (m.key.equals("system")) {
      ContentReader reader(request, "system", nullptr);
      if (v.is_null()) continue;
      if (auto read = reader.read(v); !read) return read.error();
    } else if (m.key.equals("stream")) {
      if (!v.is_bool() && !v.is_null()) return bad_field("stream", name(v.kind()), "true or false");
      request.stream = v.is_true();
    } else if (m.key.equals("max_tokens")) {
      if (const auto n = v.integer(); n && *n > 0) request.max_tokens = *n;
    } else if (m.key.equals("output_config")) {
      read_output_config(v, request);
    } else if ((m.key.equals("mcp_servers") || m.key.equals("container")) && !v.is_null() &&
               v.raw != "[]") {
      request.only_native = fmt::format("{} is set", m.key.text());
    }
  }
  if (request.model.ends_with(kLongWindow))
    request.model.resize(request.model.size() - kLongWindow.size());
  if (request.model.empty())
    return bad_field("model", "nothing", "the name of a model or route; GET /v1/models lists them");
  if (!messages) return bad_field("messages", "nothing", "an array of messages");
  if (auto read = read_messages(*messages, request); !read) return read.error();
  if (tools) read_messages_tools(*tools, *root, request);
  return request;
}

Outgoing edit_messages_request(const Request& request, std::string_view body,
                               const Target& target) {
  Outgoing out;
  json::Splice splice(body);
  const auto own = json::find(request.root, "model");
  if (!target.model.empty() && !(own && own->equals(target.model))) {
    std::string quoted;
    json::append_quoted(target.model, quoted);
    splice.set(request.root, "model", quoted);
  }
  const auto messages = json::find(request.root, "messages");
  if (request.has_foreign_thinking)
    splice.set(request.root, "messages", without_foreign_thinking(*messages));
  if (!target.effort.empty()) {
    const auto choice = present(request.root, "tool_choice");
    const auto temperature = present(request.root, "temperature");
    const ThinkingLimits limits{
        .max_tokens = request.max_tokens.value_or(0),
        .fixed_sampling = (temperature && temperature->number() != 1.0) ||
                          present(request.root, "top_k") || present(request.root, "top_p"),
        .forced_tool = choice && choice->is_object() &&
                       (is_text(*choice, "type", "any") || is_text(*choice, "type", "tool")),
        .lost_thinking = lost_thinking(*messages)};
    const ThinkingFields fields = thinking_for(target.effort, target.thinking, limits);
    if (!fields.possible) out.drop("effort");
    if (!fields.thinking.empty()) splice.set(request.root, "thinking", fields.thinking);
    if (!fields.effort.empty()) {
      const auto config = json::find(request.root, "output_config");
      if (config && config->is_object()) {
        splice.set(*config, "effort", fields.effort);
      } else {
        splice.set(request.root, "output_config", fmt::format(R"({{"effort":{}}})", fields.effort));
      }
    }
  }
  out.body = splice.apply();
  return out;
}

void merge_messages_usage(json::Value object, std::optional<Usage>& usage) {
  if (!object.is_object()) return;
  // Members of the later object replace those of the earlier one: its counts are running totals.
  std::string merged = "{";
  const auto add = [&](const json::Member& m) {
    if (merged.size() > 1) merged.push_back(',');
    merged.append(m.key.raw).append(":").append(m.value.raw);
  };
  const auto root = usage ? json::parse(usage->raw) : Result<json::Value>(json::Value{"{}"});
  if (root && root->is_object())
    for (const json::Member& m : json::members(*root))
      if (!present(object, m.key.text())) add(m);
  for (const json::Member& m : json::members(object))
    if (!m.value.is_null() || !root || !json::find(*root, m.key.text())) add(m);
  merged.push_back('}');
  Usage sum;
  const auto all = json::parse(merged);
  if (!all) return;
  const auto count = [&](std::string_view key) -> std::optional<std::int64_t> {
    const auto value = json::find(*all, key);
    return value ? value->integer() : std::nullopt;
  };
  sum.cached_tokens = count("cache_read_input_tokens");
  sum.cache_write_tokens = count("cache_creation_input_tokens");
  if (const auto fresh = count("input_tokens"))
    sum.prompt_tokens = *fresh + sum.cached_tokens.value_or(0) + sum.cache_write_tokens.value_or(0);
  sum.completion_tokens = count("output_tokens");
  if (const auto details = json::find(*all, "output_tokens_details");
      details && details->is_object())
    if (const auto thought = json::find(*details, "thinking_tokens"))
      sum.reasoning_tokens = thought->integer();
  if (const auto parts = json::find(*all, "cache_creation"); parts && parts->is_object())
    if (const auto hour = json::find(*parts, "ephemeral_1h_input_tokens"))
      sum.cache_write_1h_tokens = hour->integer();
  sum.raw = std::move(merged);
  usage = std::move(sum);
}

std::string_view messages_event(std::string_view name, std::string_view data) {
  if (!name.empty()) return name;
  constexpr std::array<std::string_view, 8> kNames{"message_start",
                                                   "content_block_start",
                                                   "content_block_delta",
                                                   "content_block_stop",
                                                   "message_delta",
                                                   "message_stop",
                                                   "ping",
                                                   "error"};
  const auto root = json::parse(data);
  if (!root || !root->is_object()) return {};
  const auto type = json::find(*root, "type");
  for (const std::string_view known : kNames)
    if (type && type->equals(known)) return known;
  return {};
}

}  // namespace rung::wire
