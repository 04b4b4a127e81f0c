#include <fmt/format.h>

#include <algorithm>

#include "json/write.h"
#include "wire/call_id.h"
#include "wire/fields.h"
#include "wire/openai_responses.h"
#include "wire/thinking.h"

namespace rung::wire {
namespace {

class Translation {
 public:
  Translation(const Request& request, const Target& target) : request_(request), target_(target) {}

  Result<Outgoing> run() {
    w_.begin_object().key("model").string(target_.model);
    w_.key("messages").begin_array();
    if (const auto text = present(request_.root, "instructions"); text && text->is_string())
      system(text->raw);
    const auto input = present(request_.root, "input");
    if (input && input->is_string()) {
      close_system();
      message("user", input->raw);
    }
    if (input && input->is_array())
      for (const json::Value item : json::elements(*input)) write_item(item);
    close_turn();
    close_system();
    w_.end_array();
    for (const json::Member& m : json::members(request_.root)) write_field(m);
    write_effort();
    if (request_.stream) {
      w_.key("stream").boolean(true).key("stream_options").raw(R"({"include_usage":true})");
      out_.hide_usage = true;
    }
    w_.end_object();
    out_.body = w_.take();
    return std::move(out_);
  }

 private:
  void message(std::string_view role, std::string_view content) {
    w_.begin_object().key("role").string(role).key("content").raw(content).end_object();
  }

  /// Where only the first message may be of the system, those in front become one and later ones
  /// the user's.
  void system(std::string_view content) {
    if (target_.system_anywhere) return message("system", content);
    if (spoke_) {
      out_.drop("input.system.role");
      return message("user", content);
    }
    system_.append(system_.empty() ? "" : "\\n\\n").append(inside(content));
  }

  void close_system() {
    if (!spoke_ && !system_.empty()) message("system", '"' + system_ + '"');
    spoke_ = true;
  }

  void write_item(json::Value item) {
    const std::string type = text_of(item, "type");
    if (type == "reasoning") {
      write_reasoning(item);
    } else if (type == "function_call" || type == "custom_tool_call") {
      write_call(item, type == "custom_tool_call");
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
      write_result(item);
    } else if (is_text(item, "role", "assistant")) {
      write_assistant(item);
    } else {
      close_turn();
      // Few models but OpenAI's know the role developer; its own take system for it.
      const bool is_user = is_text(item, "role", "user");
      const std::string content = content_of(*json::find(item, "content"), is_user);
      if (!is_user) return system(content);
      close_system();
      message("user", content);
    }
  }

  /// A turn of the assistant is one message in Chat Completions and several items here.
  void open_turn() {
    if (in_turn_) return;
    close_system();
    in_turn_ = true;
    text_.clear();
    thinking_.clear();
    blocks_ = calls_ = json::Writer();
    blocks_.begin_array();
    calls_.begin_array();
    has_calls_ = has_blocks_ = false;
  }

  void close_turn() {
    if (!in_turn_) return;
    in_turn_ = false;
    blocks_.end_array();
    calls_.end_array();
    if (text_.empty() && !has_calls_ && !has_blocks_ && thinking_.empty()) return;
    w_.begin_object().key("role").string("assistant").key("content");
    text_.empty() && has_calls_ ? w_.null() : w_.raw('"' + text_ + '"');
    if (!thinking_.empty()) w_.key("reasoning_content").raw('"' + thinking_ + '"');
    if (has_blocks_) w_.key("thinking_blocks").raw(blocks_.text());
    if (has_calls_) w_.key("tool_calls").raw(calls_.text());
    w_.end_object();
  }

  void write_reasoning(json::Value item) {
    // Reasoning leads to what follows it: after calls and words it begins another turn.
    if (in_turn_ && (has_calls_ || !text_.empty())) close_turn();
    open_turn();
    std::string summary;
    for (const std::string_view key : {"summary", "content"}) {
      const auto parts = present(item, key);
      if (!parts || !parts->is_array() || !summary.empty()) continue;
      for (const json::Value part : json::elements(*parts)) {
        if (!part.is_object()) continue;
        const auto text = json::find(part, "text");
        if (!text || !text->is_string()) continue;
        if (!summary.empty()) summary.append("\\n");
        summary.append(inside(text->raw));
      }
    }
    const std::string sealed = text_of(item, "encrypted_content");
    if (target_.dialect == Dialect::kMessages) {
      write_thinking_block(summary, sealed);
    } else if (target_.takes_reasoning && !summary.empty()) {
      thinking_.append(thinking_.empty() ? "" : "\\n").append(summary);
    } else {
      out_.drop("reasoning items");
    }
  }

  void write_thinking_block(std::string_view summary, std::string_view sealed) {
    if (sealed.starts_with(kSigned)) {
      blocks_.begin_object().key("type").string("thinking").key("thinking");
      blocks_.raw(fmt::format("\"{}\"", summary)).key("signature");
      blocks_.string(sealed.substr(kSigned.size())).end_object();
      has_blocks_ = true;
    } else if (sealed.starts_with(kHidden)) {
      blocks_.begin_object().key("type").string("redacted_thinking").key("data");
      blocks_.string(sealed.substr(kHidden.size())).end_object();
      has_blocks_ = true;
    } else {
      out_.drop("reasoning items");
    }
  }

  void write_assistant(json::Value item) {
    if (in_turn_ && has_calls_) close_turn();
    open_turn();
    const json::Value content = *json::find(item, "content");
    if (content.is_string()) text_.append(inside(content.raw));
    if (!content.is_array()) return;
    for (const json::Value part : json::elements(content))
      for (const std::string_view key : {"text", "refusal"})
        if (const auto text = json::find(part, key); text && text->is_string())
          text_.append(inside(text->raw));
  }

  void write_call(json::Value item, bool custom) {
    open_turn();
    has_calls_ = true;
    const auto text = json::find(item, custom ? "input" : "arguments");
    const std::string_view raw = text && text->is_string() ? text->raw : std::string_view("\"\"");
    const CallId id = split_call_id(text_of(item, "call_id"));
    calls_.begin_object().key("id").string(id.id);
    if (!id.extra.empty()) calls_.key("extra_content").raw(id.extra);
    calls_.key("type").string("function").key("function").begin_object();
    calls_.key("name").string(text_of(item, "name")).key("arguments");
    custom ? calls_.string(fmt::format(R"({{"input":{}}})", raw)) : calls_.raw(raw);
    calls_.end_object().end_object();
  }

  void write_result(json::Value item) {
    close_turn();
    close_system();
    const auto output = present(item, "output");
    std::string text = "\"\"", media;
    if (output && output->is_string()) text = output->raw;
    if (output && output->is_array()) {
      std::string joined;
      json::Writer parts;
      bool any = false;
      parts.begin_array();
      for (const json::Value part : json::elements(*output)) {
        if (!part.is_object()) continue;
        const auto words = json::find(part, "text");
        if (words && words->is_string()) {
          joined.append(joined.empty() ? "" : "\\n").append(inside(words->raw));
        } else if (write_media(part, parts)) {
          any = true;
        }
      }
      parts.end_array();
      text = '"' + joined + '"';
      if (any) media = parts.take();
    }
    w_.begin_object().key("role").string("tool").key("tool_call_id");
    w_.string(split_call_id(text_of(item, "call_id")).id).key("content").raw(text).end_object();
    if (!media.empty()) message("user", media);  // a tool's message holds text alone
  }

  /// A user's content as parts, anybody else's as one text.
  std::string content_of(json::Value content, bool is_user) {
    if (content.is_string()) return std::string(content.raw);
    std::string joined;
    json::Writer parts;
    std::size_t count = 0, texts = 0;
    parts.begin_array();
    if (content.is_array())
      for (const json::Value part : json::elements(content)) {
        const auto text = json::find(part, "text");
        if (text && text->is_string()) {
          ++count;
          if (texts++ > 0) joined.append("\\n");
          joined.append(inside(text->raw));
          parts.begin_object().key("type").string("text").key("text").raw(text->raw).end_object();
        } else if (write_media(part, parts)) {
          ++count;
        }
      }
    parts.end_array();
    return is_user && !(count == 1 && texts == 1) && count > 0 ? parts.take() : '"' + joined + '"';
  }

  bool write_media(json::Value part, json::Writer& parts) {
    if (is_text(part, "type", "input_image")) {
      const auto url = json::find(part, "image_url");
      if (!url || !url->is_string()) return false;
      const std::string detail = text_of(part, "detail");
      parts.begin_object().key("type").string("image_url").key("image_url").begin_object();
      parts.key("url").raw(url->raw);
      if (!detail.empty() && detail != "auto") parts.key("detail").string(detail);
      parts.end_object().end_object();
      return true;
    }
    if (!is_text(part, "type", "input_file")) return false;
    const auto data = json::find(part, "file_data");
    if (!data) return false;
    parts.begin_object().key("type").string("file").key("file").begin_object();
    if (const auto name = present(part, "filename")) parts.key("filename").raw(name->raw);
    parts.key("file_data").raw(data->raw).end_object().end_object();
    return true;
  }

  void write_field(const json::Member& m) {
    const std::string key = m.key.text();
    const json::Value v = m.value;
    constexpr std::string_view kElsewhere[] = {"model",
                                               "input",
                                               "instructions",
                                               "stream",
                                               "reasoning",
                                               "metadata",
                                               "previous_response_id",
                                               "conversation",
                                               "prompt",
                                               "background",
                                               "store"};

    if (v.is_null() ||
        std::find(std::begin(kElsewhere), std::end(kElsewhere), key) != std::end(kElsewhere))
      return;
    if (key == "max_output_tokens") {
      w_.key(target_.max_completion_tokens ? "max_completion_tokens" : "max_tokens").raw(v.raw);
    } else if (key == "temperature" || key == "top_p" || key == "user") {
      w_.key(key).raw(v.raw);
    } else if (key == "parallel_tool_calls") {
      if (request_.has_tools && v.raw == "false") w_.key(key).raw(v.raw);
    } else if (key == "tools" && v.is_array()) {
      write_tools(v);
    } else if (key == "tool_choice") {
      write_tool_choice(v);
    } else if (key == "text" && v.is_object()) {
      write_text_field(v);
    } else if (key == "include" && v.is_array()) {
      for (const json::Value wish : json::elements(v))
        if (wish.is_string() && !wish.equals("reasoning.encrypted_content"))
          out_.drop("include." + wish.text());
    } else if (!(key == "truncation" && v.equals("disabled")) &&
               !(key == "service_tier" && v.equals("auto")) &&
               !(key == "top_logprobs" && v.raw == "0")) {
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
      if (type != "function" && type != "custom") {
        out_.drop("tools." + type);
        continue;
      }
      any = true;
      list.begin_object().key("type").string("function").key("function").begin_object();
      for (const json::Member& m : json::members(tool)) {
        if (m.value.is_null()) continue;
        if (m.key.equals("name") || m.key.equals("description") || m.key.equals("strict") ||
            m.key.equals("parameters"))
          list.key(m.key.text()).raw(m.value.raw);
        else if (m.key.equals("format") && m.value.is_object() && !is_text(m.value, "type", "text"))
          out_.drop("tools.format");
        else if (!m.key.equals("type") && !m.key.equals("format"))
          out_.drop("tools." + m.key.text());
      }
      if (type == "custom")
        list.key("parameters")
            .raw(
                R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})");
      list.end_object().end_object();
    }
    list.end_array();
    if (any) w_.key("tools").raw(list.text());
  }

  void write_tool_choice(json::Value choice) {
    if (!request_.has_tools) return;
    if (choice.is_string()) {
      w_.key("tool_choice").raw(choice.raw);
    } else if (choice.is_object() && !text_of(choice, "name").empty()) {
      w_.key("tool_choice").begin_object().key("type").string("function").key("function");
      w_.begin_object().key("name").string(text_of(choice, "name")).end_object().end_object();
    } else if (choice.is_object()) {
      out_.drop("tool_choice." + text_of(choice, "type"));
    }
  }

  void write_text_field(json::Value text) {
    if (const auto verbosity = present(text, "verbosity");
        verbosity && !verbosity->equals("medium"))
      out_.drop("text.verbosity");
    const auto format = present(text, "format");
    if (!format || !format->is_object() || is_text(*format, "type", "text")) return;
    w_.key("response_format").begin_object().key("type").string(text_of(*format, "type"));
    if (is_text(*format, "type", "json_schema")) {
      w_.key("json_schema").begin_object();
      for (const json::Member& m : json::members(*format))
        if (!m.key.equals("type") && !m.value.is_null()) w_.key(m.key.text()).raw(m.value.raw);
      w_.end_object();
    }
    w_.end_object();
  }

  void write_effort() {
    std::string wanted(target_.effort.empty() ? std::string_view(request_.effort) : target_.effort);
    if (wanted.empty()) return;
    // Toward Anthropic the second half of the way maps it.
    if (target_.effort.empty() && target_.dialect == Dialect::kChat)
      wanted = nearest_effort(wanted, target_.efforts);
    if (wanted.empty()) return out_.drop("reasoning.effort");
    w_.key("reasoning_effort").string(wanted);
  }

  const Request& request_;
  const Target& target_;
  json::Writer w_, blocks_, calls_;
  Outgoing out_;
  std::string system_;  // of the messages in front, inside of a JSON string
  bool spoke_ = false;
  std::string text_, thinking_;  // of the open turn: insides of JSON strings
  bool in_turn_ = false, has_calls_ = false, has_blocks_ = false;
};

}  // namespace

Result<Outgoing> responses_to_chat(const Request& request, const Target& target) {
  return Translation(request, target).run();
}

}  // namespace rung::wire
