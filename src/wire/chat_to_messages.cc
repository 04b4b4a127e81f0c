#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"
#include "wire/call_id.h"
#include "wire/fields.h"
#include "wire/thinking.h"
#include "wire/translate.h"

namespace rung::wire {
namespace {

/// Whether a field says what is the case anyway.
bool says_nothing(json::Value v) {
  return v.is_null() || v.raw == "false" || v.raw == "[]" || v.raw == "{}" || v.number() == 0.0;
}

class Translation {
 public:
  Translation(const Request& request, const Target& target) : request_(request), target_(target) {}

  Result<Outgoing> run() {
    w_.begin_object().key("model").string(target_.model);
    const std::int64_t limit = request_.max_tokens.value_or(target_.max_output);
    w_.key("max_tokens").number(limit);
    system_.begin_array();
    messages_.begin_array();
    for (const json::Value message : json::elements(*json::find(request_.root, "messages")))
      if (auto written = write_message(message); !written) return written.error();
    close_results();
    system_.end_array();
    messages_.end_array();
    if (has_system_) w_.key("system").raw(system_.text());
    w_.key("messages").raw(messages_.text());
    for (const json::Member& m : json::members(request_.root)) write_field(m);
    write_tool_choice();
    write_output_config(limit);
    if (request_.stream) w_.key("stream").boolean(true);
    w_.end_object();
    out_.body = w_.take();
    return std::move(out_);
  }

 private:
  Result<void> write_message(json::Value message) {
    const std::string role = text_of(message, "role");
    const auto content = present(message, "content");
    if (present(message, "name") && role != "tool") out_.drop("messages.name");
    if (role == "tool") {
      write_result(message, content);
      return {};
    }
    close_results();
    if (role == "system" || role == "developer") {
      if (content) write_system(*content);
      return {};
    }
    spoke_ = true;
    if (role == "assistant") {
      write_assistant(message, content);
      return {};
    }
    if (!content) return {};
    lost_thinking_ = false;
    json::Writer blocks;
    std::size_t count = 0;
    if (auto written = write_content(*content, blocks, count); !written) return written;
    if (count == 0) {
      out_.drop("messages.empty");
      return {};
    }
    messages_.begin_object().key("role").string("user").key("content");
    content->is_string() ? messages_.raw(content->raw) : messages_.raw(blocks.text());
    messages_.end_object();
    return {};
  }

  void write_system(json::Value content) {
    // There is one place for it, in front of everything.
    if (spoke_) out_.drop("messages.system.order");
    std::size_t count = 0;
    if (content.is_string()) {
      if (content.raw != "\"\"") write_text(content.raw, std::nullopt, system_, count);
    } else if (content.is_array()) {
      for (const json::Value part : json::elements(content))
        if (const auto text = json::find(part, "text"); text && text->is_string())
          write_text(text->raw, present(part, "cache_control"), system_, count);
    }
    has_system_ = has_system_ || count > 0;
  }

  static void write_text(std::string_view json_string, std::optional<json::Value> cache,
                         json::Writer& blocks, std::size_t& count) {
    if (json_string == "\"\"") return;  // Anthropic takes no empty text
    ++count;
    blocks.begin_object().key("type").string("text").key("text").raw(json_string);
    if (cache) blocks.key("cache_control").raw(cache->raw);
    blocks.end_object();
  }

  /// A whole array of blocks.
  Result<void> write_content(json::Value content, json::Writer& blocks, std::size_t& count) {
    blocks.begin_array();
    if (content.is_string()) {
      write_text(content.raw, std::nullopt, blocks, count);
    } else {
      for (const json::Value part : json::elements(content))
        if (auto written = write_part(part, blocks, count); !written) return written;
    }
    blocks.end_array();
    return {};
  }

  Result<void> write_part(json::Value part, json::Writer& blocks, std::size_t& count) {
    const std::string type = text_of(part, "type");
    const auto cache = present(part, "cache_control");
    if (type == "text" || type == "refusal") {
      const auto text = json::find(part, type);
      if (text && text->is_string()) write_text(text->raw, cache, blocks, count);
      return {};
    }
    if (type != "image_url" && type != "file")
      return Error{ErrorCode::kUnsupported,
                   fmt::format("a part of type \"{}\" has no form in Anthropic Messages", type),
                   "messages"};
    const auto inner = json::find(part, type);
    ++count;
    blocks.begin_object().key("type").string(type == "file" ? "document" : "image").key("source");
    if (inner && inner->is_object()) {
      if (const std::string detail = text_of(*inner, "detail"); !detail.empty() && detail != "auto")
        out_.drop("image_url.detail");
      write_source(json::find(*inner, type == "file" ? "file_data" : "url"), blocks);
      if (const auto title = present(*inner, "filename")) blocks.key("title").raw(title->raw);
    } else {
      write_source(inner, blocks);
    }
    if (cache) blocks.key("cache_control").raw(cache->raw);
    blocks.end_object();
    return {};
  }

  /// "data:image/png;base64,..." becomes the bytes, anything else a URL.
  static void write_source(std::optional<json::Value> url, json::Writer& blocks) {
    blocks.begin_object();
    const std::string_view text = url && url->is_string() ? inside(url->raw) : std::string_view();
    const std::size_t comma = text.find(";base64,");
    if (text.starts_with("data:") && comma != std::string_view::npos) {
      blocks.key("type").string("base64").key("media_type");
      blocks.raw(fmt::format("\"{}\"", text.substr(5, comma - 5)));
      blocks.key("data").raw(fmt::format("\"{}\"", text.substr(comma + 8)));
    } else {
      blocks.key("type").string("url").key("url").raw(fmt::format("\"{}\"", text));
    }
    blocks.end_object();
  }

  void write_assistant(json::Value message, std::optional<json::Value> content) {
    json::Writer blocks;
    std::size_t count = 0;
    bool thinks = false, calls = false;
    blocks.begin_array();
    if (const auto thinking = present(message, "thinking_blocks");
        thinking && thinking->is_array()) {
      for (const json::Value block : json::elements(*thinking)) {
        if (!block.is_object() || is_text(block, "signature", kUnsigned)) continue;
        blocks.raw(block.raw);
        ++count;
        thinks = true;
      }
    } else if (present(message, "reasoning_content") || present(message, "reasoning") ||
               present(message, "reasoning_details")) {
      out_.drop("reasoning_content");  // without a signature nobody may say that Claude thought it
    }
    if (content && content->is_string()) write_text(content->raw, std::nullopt, blocks, count);
    if (content && content->is_array())
      for (const json::Value part : json::elements(*content))
        static_cast<void>(write_part(part, blocks, count));
    if (const auto refusal = present(message, "refusal"); refusal && refusal->is_string())
      write_text(refusal->raw, std::nullopt, blocks, count);
    if (const auto tool_calls = present(message, "tool_calls");
        tool_calls && tool_calls->is_array())
      for (const json::Value call : json::elements(*tool_calls)) {
        if (!call.is_object()) continue;
        calls = true;
        ++count;
        write_call(call, blocks);
      }
    blocks.end_array();
    if (present(message, "audio")) out_.drop("messages.audio");
    if (count == 0) return out_.drop("messages.empty");
    lost_thinking_ = calls && !thinks;
    messages_.begin_object().key("role").string("assistant").key("content");
    messages_.raw(blocks.text()).end_object();
  }

  void write_call(json::Value call, json::Writer& blocks) {
    const bool custom = is_text(call, "type", "custom");
    const auto inner = json::find(call, custom ? "custom" : "function");
    const json::Value function = inner && inner->is_object() ? *inner : call;
    blocks.begin_object()
        .key("type")
        .string("tool_use")
        .key("id")
        .string(anthropic_call_id(text_of(call, "id")));
    blocks.key("name").string(text_of(function, "name")).key("input");
    const std::string text = text_of(function, custom ? "input" : "arguments");
    const auto arguments = custom ? Result<json::Value>(json::Value{"0"}) : json::parse(text);
    if (arguments && arguments->is_object()) {
      blocks.raw(arguments->raw);
    } else if (text.empty() && !custom) {
      blocks.raw("{}");
    } else {
      // Models do write arguments that are no JSON object; Anthropic takes nothing else.
      if (!custom) out_.drop("tool_calls.arguments");
      blocks.begin_object().key(custom ? "input" : "arguments").string(text).end_object();
    }
    if (const auto cache = present(call, "cache_control"))
      blocks.key("cache_control").raw(cache->raw);
    blocks.end_object();
  }

  /// Results in a row are one message of the user's.
  void write_result(json::Value message, std::optional<json::Value> content) {
    if (!in_results_)
      messages_.begin_object().key("role").string("user").key("content").begin_array();
    in_results_ = true;
    messages_.begin_object().key("type").string("tool_result").key("tool_use_id");
    messages_.string(anthropic_call_id(text_of(message, "tool_call_id")));
    if (content) {
      json::Writer blocks;
      std::size_t count = 0;
      if (content->is_string()) {
        messages_.key("content").raw(content->raw);
      } else if (content->is_array() && write_content(*content, blocks, count) && count > 0) {
        messages_.key("content").raw(blocks.text());
      }
    }
    if (const auto cache = present(message, "cache_control"))
      messages_.key("cache_control").raw(cache->raw);
    messages_.end_object();
  }

  void close_results() {
    if (in_results_) messages_.end_array().end_object();
    in_results_ = false;
  }

  void write_field(const json::Member& m) {
    const std::string key = m.key.text();
    const json::Value v = m.value;
    constexpr std::string_view kElsewhere[] = {"model",
                                               "messages",
                                               "stream",
                                               "stream_options",
                                               "max_tokens",
                                               "tool_choice",
                                               "max_completion_tokens",
                                               "parallel_tool_calls",
                                               "reasoning_effort",
                                               "response_format",
                                               "n"};
    if (std::find(std::begin(kElsewhere), std::end(kElsewhere), key) != std::end(kElsewhere))
      return;
    if (key == "temperature" && v.is_number()) {
      const bool hot = v.number().value_or(0) > 1;
      if (hot) out_.drop("temperature above 1");
      sampling_ = sampling_ || v.number() != 1.0;
      w_.key(key).raw(hot ? "1" : v.raw);
    } else if ((key == "top_p" || key == "top_k") && v.is_number()) {
      sampling_ = true;
      w_.key(key).raw(v.raw);
    } else if (key == "stop") {
      if (v.is_string()) w_.key("stop_sequences").begin_array().raw(v.raw).end_array();
      if (v.is_array()) w_.key("stop_sequences").raw(v.raw);
    } else if (key == "user" && v.is_string()) {
      w_.key("metadata").begin_object().key("user_id").raw(v.raw).end_object();
    } else if (key == "tools" && v.is_array()) {
      write_tools(v);
    } else if (key == "thinking" && v.is_object()) {
      own_thinking_ = true;
      w_.key(key).raw(v.raw);
    } else if (key == "modalities") {
      if (v.raw.find("text") == std::string_view::npos) out_.drop(key);
    } else if (!says_nothing(v) && !(key == "service_tier" && v.equals("auto")) &&
               !(key == "verbosity" && v.equals("medium"))) {
      out_.drop(key);
    }
  }

  void write_tools(json::Value tools) {
    json::Writer list;
    bool any = false;
    list.begin_array();
    for (const json::Value tool : json::elements(tools)) {
      if (!tool.is_object()) continue;
      const std::string type = text_of(tool, "type");
      const auto inner = json::find(tool, type);
      if ((type != "function" && type != "custom") || !inner || !inner->is_object()) {
        out_.drop("tools." + type);
        continue;
      }
      any = true;
      list.begin_object();
      for (const json::Member& m : json::members(*inner)) {
        if (m.key.equals("name") || m.key.equals("description") ||
            (m.key.equals("strict") && m.value.is_bool()))
          list.key(m.key.text()).raw(m.value.raw);
        else if (m.key.equals("parameters") && m.value.is_object())
          list.key("input_schema").raw(m.value.raw);
        else if (m.key.equals("format") &&
                 !is_text(m.value.is_object() ? m.value : tool, "type", "text"))
          out_.drop("tools.format");
      }
      if (type == "custom")
        list.key("input_schema")
            .raw(
                R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})");
      else if (!json::find(*inner, "parameters"))
        list.key("input_schema").raw(R"({"type":"object","properties":{}})");
      auto cache = present(tool, "cache_control");
      if (!cache) cache = present(*inner, "cache_control");
      if (cache) list.key("cache_control").raw(cache->raw);
      list.end_object();
    }
    list.end_array();
    has_tools_ = any;
    if (any) w_.key("tools").raw(list.text());
  }

  void write_tool_choice() {
    if (!has_tools_) return;
    const auto choice = present(request_.root, "tool_choice");
    const auto parallel = present(request_.root, "parallel_tool_calls");
    const bool single = parallel && parallel->raw == "false";
    std::string type = "auto", tool;
    if (choice && choice->is_string()) {
      type = choice->text() == "required" ? "any" : choice->text();
    } else if (choice && choice->is_object()) {
      const std::string kind = text_of(*choice, "type");
      const auto inner = json::find(*choice, kind);
      if ((kind == "function" || kind == "custom") && inner && inner->is_object()) {
        type = "tool";
        tool = text_of(*inner, "name");
      } else {
        out_.drop("tool_choice." + kind);
      }
    }
    forced_ = type == "any" || type == "tool";
    if (!choice && !single) return;
    w_.key("tool_choice").begin_object().key("type").string(type);
    if (!tool.empty()) w_.key("name").string(tool);
    if (single && type != "none") w_.key("disable_parallel_tool_use").boolean(true);
    w_.end_object();
  }

  void write_output_config(std::int64_t limit) {
    const std::string_view effort = target_.effort.empty() ? request_.effort : target_.effort;
    ThinkingFields fields;
    if (!own_thinking_)
      fields = thinking_for(effort, target_.thinking,
                            {.max_tokens = limit,
                             .fixed_sampling = sampling_,
                             .forced_tool = forced_,
                             .lost_thinking = lost_thinking_});
    if (!fields.possible) out_.drop("reasoning_effort");
    if (!fields.thinking.empty()) w_.key("thinking").raw(fields.thinking);
    std::optional<json::Value> schema;
    if (const auto format = present(request_.root, "response_format");
        format && format->is_object()) {
      const auto inner = json::find(*format, "json_schema");
      if (inner && inner->is_object()) schema = json::find(*inner, "schema");
      if (!schema && !is_text(*format, "type", "text")) out_.drop("response_format");
    }
    if (!schema && fields.effort.empty()) return;
    w_.key("output_config").begin_object();
    if (!fields.effort.empty()) w_.key("effort").raw(fields.effort);
    if (schema) {
      w_.key("format").begin_object().key("type").string("json_schema");
      w_.key("schema").raw(schema->raw).end_object();
    }
    w_.end_object();
  }

  const Request& request_;
  const Target& target_;
  json::Writer w_, system_, messages_;
  Outgoing out_;
  bool has_system_ = false, spoke_ = false, in_results_ = false, lost_thinking_ = false;
  bool has_tools_ = false, sampling_ = false, forced_ = false, own_thinking_ = false;
};

}  // namespace

Result<Outgoing> chat_to_messages(const Request& request, const Target& target) {
  return Translation(request, target).run();
}

}  // namespace rung::wire
