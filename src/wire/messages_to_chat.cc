#include <fmt/format.h>

#include "json/write.h"
#include "wire/call_id.h"
#include "wire/fields.h"
#include "wire/thinking.h"
#include "wire/translate.h"

namespace rung::wire {
namespace {

constexpr std::string_view kBilling = "x-anthropic-billing-header";

/// One JSON string out of several, joined without decoding.
class Joined {
 public:
  explicit Joined(std::string_view separator) : separator_(separator) {}
  void add(std::string_view json_string) {
    if (any_) text_.append(separator_);
    any_ = true;
    text_.append(inside(json_string));
  }
  bool any() const { return any_; }
  std::string text() const { return fmt::format("\"{}\"", text_); }

 private:
  std::string_view separator_;  // escaped
  std::string text_;
  bool any_ = false;
};

class Translation {
 public:
  Translation(const Request& request, const Target& target) : request_(request), target_(target) {}

  Result<Outgoing> run() {
    w_.begin_object().key("model").string(target_.model);
    w_.key("messages").begin_array();
    if (const auto system = present(request_.root, "system")) write_system(*system);
    bool ends_with_assistant = false;
    for (const json::Value message : json::elements(*json::find(request_.root, "messages"))) {
      ends_with_assistant = is_text(message, "role", "assistant");
      write_message(message);
    }
    w_.end_array();
    if (ends_with_assistant) out_.drop("prefill");
    for (const json::Member& m : json::members(request_.root)) write_field(m);
    write_effort();
    if (request_.stream) {
      w_.key("stream").boolean(true).key("stream_options").raw(R"({"include_usage":true})");
      out_.hide_usage = true;
    }
    w_.end_object();
    if (request_.root.raw.find("\"cache_control\"") != std::string_view::npos)
      out_.drop("cache_control");
    out_.body = w_.take();
    return std::move(out_);
  }

 private:
  void write_system(json::Value system) {
    w_.begin_object().key("role").string("system").key("content");
    if (system.is_string()) {
      w_.raw(system.raw);
    } else {
      Joined text("\\n\\n");
      for (const json::Value block : json::elements(system))
        if (const auto t = json::find(block, "text"); t && t->is_string()) {
          // Claude Code's first block is another one in every request, which would spoil the cached
          // prefix of any host but Anthropic.
          if (inside(t->raw).starts_with(kBilling))
            out_.drop("system." + std::string(kBilling));
          else
            text.add(t->raw);
        }
      w_.raw(text.text());
    }
    w_.end_object();
  }

  void write_message(json::Value message) {
    const auto content = *json::find(message, "content");
    std::string role = text_of(message, "role");
    if (role == "system" && !target_.system_anywhere) {
      out_.drop("messages.system.role");
      role = "user";
    }
    if (content.is_string()) {
      w_.begin_object().key("role").string(role).key("content").raw(content.raw).end_object();
    } else if (role == "assistant") {
      write_assistant(content);
    } else {
      write_user(content, role);
    }
  }

  void write_assistant(json::Value content) {
    Joined text(""), thinking("\\n");
    json::Writer calls;
    bool any_call = false;
    calls.begin_array();
    for (const json::Value block : json::elements(content)) {
      const std::string type = text_of(block, "type");
      if (type == "text") {
        if (const auto t = json::find(block, "text"); t && t->is_string()) text.add(t->raw);
      } else if (type == "thinking") {
        const auto t = json::find(block, "thinking");
        if (t && t->is_string() && target_.takes_reasoning)
          thinking.add(t->raw);
        else
          out_.drop("thinking");
      } else if (type == "tool_use") {
        any_call = true;
        write_call(block, calls);
      } else {
        out_.drop(type);  // redacted_thinking: only its author can read it
      }
    }
    calls.end_array();
    if (!text.any() && !any_call && !thinking.any()) return;
    w_.begin_object().key("role").string("assistant").key("content");
    text.any() || !any_call ? w_.raw(text.text()) : w_.null();
    if (thinking.any()) w_.key("reasoning_content").raw(thinking.text());
    if (any_call) w_.key("tool_calls").raw(calls.text());
    w_.end_object();
  }

  static void write_call(json::Value block, json::Writer& calls) {
    const auto input = json::find(block, "input");
    const CallId id = split_call_id(text_of(block, "id"));
    calls.begin_object().key("id").string(id.id).key("type").string("function");
    if (!id.extra.empty()) calls.key("extra_content").raw(id.extra);
    calls.key("function").begin_object().key("name").string(text_of(block, "name"));
    calls.key("arguments").string(input ? input->raw : std::string_view("{}"));
    calls.end_object().end_object();
  }

  /// Results of tools become messages of their own; what else the user says follows them.
  void write_user(json::Value content, std::string_view role) {
    json::Writer parts;
    std::size_t count = 0;
    std::string only_text;
    parts.begin_array();
    for (const json::Value block : json::elements(content)) {
      if (is_text(block, "type", "tool_result"))
        write_result(block, parts, count);
      else
        write_part(block, parts, count, only_text);
    }
    parts.end_array();
    if (count == 0) return;
    w_.begin_object().key("role").string(role).key("content");
    w_.raw(count == 1 && !only_text.empty() ? only_text : parts.text()).end_object();
  }

  void write_result(json::Value block, json::Writer& parts, std::size_t& count) {
    Joined text("\\n");
    std::string unused;
    if (const auto content = present(block, "content")) {
      if (content->is_string()) text.add(content->raw);
      if (content->is_array())
        for (const json::Value part : json::elements(*content)) {
          if (!part.is_object()) continue;
          const auto t = json::find(part, "text");
          if (is_text(part, "type", "text") && t && t->is_string())
            text.add(t->raw);
          else
            write_part(part, parts, count, unused);  // a tool's message holds text alone
        }
    }
    if (const auto failed = json::find(block, "is_error"); failed && failed->is_true())
      out_.drop("tool_result.is_error");
    w_.begin_object().key("role").string("tool").key("tool_call_id");
    w_.string(split_call_id(text_of(block, "tool_use_id")).id)
        .key("content")
        .raw(text.text())
        .end_object();
  }

  void write_part(json::Value block, json::Writer& parts, std::size_t& count,
                  std::string& only_text) {
    const std::string type = text_of(block, "type");
    const auto source = json::find(block, "source");
    if (type == "text") {
      const auto text = json::find(block, "text");
      if (!text || !text->is_string()) return out_.drop("content.text");
      write_text_part(text->raw, parts, count);
      only_text = text->raw;
    } else if (type == "image" && source && source->is_object()) {
      ++count;
      parts.begin_object().key("type").string("image_url").key("image_url").begin_object();
      parts.key("url").raw(url_of(*source)).end_object().end_object();
    } else if (type == "document" && source && source->is_object()) {
      write_document(block, *source, parts, count);
    } else if (type == "image" || type == "document") {
      out_.drop("content." + type);  // without a source
    }
  }

  static void write_text_part(std::string_view json_string, json::Writer& parts,
                              std::size_t& count) {
    ++count;
    parts.begin_object().key("type").string("text").key("text").raw(json_string).end_object();
  }

  void write_document(json::Value block, json::Value source, json::Writer& parts,
                      std::size_t& count) {
    if (present(block, "citations")) out_.drop("citations");
    const std::string kind = text_of(source, "type");
    if (kind == "base64") {
      ++count;
      const std::string title = text_of(block, "title");
      parts.begin_object().key("type").string("file").key("file").begin_object();
      parts.key("filename").string(title.empty() ? "document.pdf" : title);
      parts.key("file_data").raw(url_of(source)).end_object().end_object();
      return;
    }
    if (const auto data = json::find(source, "data"); data && data->is_string())
      return write_text_part(data->raw, parts, count);
    const auto content = json::find(source, "content");
    if (content && content->is_string()) return write_text_part(content->raw, parts, count);
    std::string unused;
    if (content && content->is_array())
      for (const json::Value part : json::elements(*content))
        if (part.is_object()) write_part(part, parts, count, unused);
  }

  /// A JSON string: the source's own URL, or a data: URL with its bytes.
  static std::string url_of(json::Value source) {
    if (const auto url = json::find(source, "url"); url && url->is_string())
      return std::string(url->raw);
    const auto type = json::find(source, "media_type"), data = json::find(source, "data");
    return fmt::format("\"data:{};base64,{}\"", type && type->is_string() ? inside(type->raw) : "",
                       data && data->is_string() ? inside(data->raw) : "");
  }

  void write_field(const json::Member& m) {
    const std::string key = m.key.text();
    const json::Value v = m.value;
    if (key == "model" || key == "messages" || key == "system" || key == "stream" ||
        key == "thinking" || v.is_null())
      return;
    if (key == "max_tokens") {
      w_.key(target_.max_completion_tokens ? "max_completion_tokens" : "max_tokens").raw(v.raw);
    } else if (key == "temperature" || key == "top_p") {
      w_.key(key).raw(v.raw);
    } else if (key == "stop_sequences") {
      if (v.raw != "[]") w_.key("stop").raw(v.raw);
    } else if (key == "tools" && v.is_array()) {
      write_tools(v);
    } else if (key == "tool_choice" && v.is_object()) {
      write_tool_choice(v);
    } else if (key == "metadata" && v.is_object()) {
      for (const json::Member& member : json::members(v))
        if (member.key.equals("user_id") && member.value.is_string())
          w_.key("user").raw(member.value.raw);
        else if (!member.value.is_null())
          out_.drop("metadata." + member.key.text());
    } else if (key == "output_config" && v.is_object()) {
      for (const json::Member& member : json::members(v))
        if (member.key.equals("format"))
          write_format(member.value);
        else if (!member.key.equals("effort"))
          out_.drop("output_config." + member.key.text());
    } else if (key == "output_format") {
      write_format(v);
    } else if (!(key == "service_tier" && v.equals("auto"))) {
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
      if (!type.empty() && type != "custom") {
        out_.drop("tools." + type);
        continue;
      }
      any = true;
      list.begin_object().key("type").string("function").key("function").begin_object();
      for (const json::Member& m : json::members(tool)) {
        if (m.key.equals("name") || m.key.equals("description") || m.key.equals("strict"))
          list.key(m.key.text()).raw(m.value.raw);
        else if (m.key.equals("input_schema"))
          list.key("parameters").raw(m.value.raw);
        else if (!m.key.equals("type") && !m.key.equals("cache_control"))
          out_.drop("tools." + m.key.text());
      }
      list.end_object().end_object();
    }
    list.end_array();
    if (any) w_.key("tools").raw(list.text());
  }

  void write_tool_choice(json::Value choice) {
    if (!request_.has_tools) return;
    const std::string type = text_of(choice, "type");
    if (type == "tool") {
      w_.key("tool_choice").begin_object().key("type").string("function").key("function");
      w_.begin_object().key("name").string(text_of(choice, "name")).end_object().end_object();
    } else {
      w_.key("tool_choice").string(type == "any" ? "required" : type);
    }
    const auto single = json::find(choice, "disable_parallel_tool_use");
    if (single && single->is_true()) w_.key("parallel_tool_calls").boolean(false);
  }

  void write_format(json::Value format) {
    if (!format.is_object() || !is_text(format, "type", "json_schema")) return;
    const auto schema = json::find(format, "schema");
    if (!schema) return;
    w_.key("response_format").begin_object().key("type").string("json_schema");
    w_.key("json_schema").begin_object().key("name").string("output").key("schema");
    w_.raw(schema->raw).key("strict").boolean(true).end_object().end_object();
  }

  void write_effort() {
    std::string wanted(target_.effort);
    if (wanted.empty()) {
      wanted = request_.effort;
      const auto thinking = present(request_.root, "thinking");
      if (wanted.empty() && thinking && thinking->is_object()) {
        const auto budget = json::find(*thinking, "budget_tokens");
        if (const auto tokens = budget ? budget->integer() : std::nullopt)
          wanted = effort_of_budget(*tokens);
      }
      if (wanted.empty()) return;
      wanted = nearest_effort(wanted, target_.efforts);
      if (wanted.empty()) return out_.drop(thinking ? "thinking" : "output_config.effort");
    }
    w_.key("reasoning_effort").string(wanted);
  }

  const Request& request_;
  const Target& target_;
  json::Writer w_;
  Outgoing out_;
};

}  // namespace

Result<Outgoing> messages_to_chat(const Request& request, const Target& target) {
  return Translation(request, target).run();
}

}  // namespace rung::wire
