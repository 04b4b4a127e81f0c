#include "wire/openai_chat.h"

#include <fmt/format.h>

#include "json/splice.h"
#include "json/write.h"
#include "wire/fields.h"

namespace rung::wire {
namespace {

/// Text of one message's content, appended to `text` when asked; counts bytes and notes media.
Result<void> read_content(json::Value content, std::size_t index, std::string* text,
                          ChatRequest& request) {
  if (content.is_null()) return {};
  if (content.is_string()) {
    request.text_bytes += content.raw.size() - 2;
    if (text != nullptr) content.append_text(*text);
    return {};
  }
  if (!content.is_array())
    return bad_field(fmt::format("messages[{}].content", index), name(content.kind()),
                     "a string, an array of parts, or null");
  bool first = true;
  for (const json::Value part : json::elements(content)) {
    if (!part.is_object())
      return bad_field(fmt::format("messages[{}].content", index), name(part.kind()),
                       "parts that are objects");
    for (const json::Member& m : json::members(part)) {
      if ((m.key.equals("text") || m.key.equals("refusal")) && m.value.is_string()) {
        request.text_bytes += m.value.raw.size() - 2;
        if (text == nullptr) continue;
        if (!first) text->push_back('\n');
        first = false;
        m.value.append_text(*text);
      } else if (m.key.equals("type")) {
        request.has_images |= m.value.equals("image_url");
        request.has_audio |= m.value.equals("input_audio");
        if (request.only_native.empty() && m.value.equals("file") &&
            part.raw.find("\"file_id\"") != std::string_view::npos)
          request.only_native = fmt::format("messages[{}].content holds a file by id", index);
      }
    }
  }
  return {};
}

Result<void> read_messages(json::Value messages, ChatRequest& request) {
  if (!messages.is_array())
    return bad_field("messages", name(messages.kind()), "an array of messages");
  std::size_t index = 0;
  for (const json::Value message : json::elements(messages)) {
    if (!message.is_object())
      return bad_field(fmt::format("messages[{}]", index), name(message.kind()), "an object");
    bool is_user = false, has_role = false;
    std::optional<json::Value> content;
    for (const json::Member& m : json::members(message)) {
      if (m.key.equals("role")) {
        if (!m.value.is_string())
          return bad_field(fmt::format("messages[{}].role", index), name(m.value.kind()),
                           "a string");
        has_role = true;
        is_user = m.value.equals("user");
      } else if (m.key.equals("content")) {
        content = m.value;
      } else if (m.key.equals("tool_calls")) {
        request.text_bytes += m.value.raw.size();
      }
    }
    if (!has_role)
      return bad_field(fmt::format("messages[{}].role", index), "nothing",
                       "a role such as \"user\"");
    if (is_user) request.prompt.clear();
    if (content)
      if (auto read = read_content(*content, index, is_user ? &request.prompt : nullptr, request);
          !read)
        return read;
    ++index;
  }
  if (index == 0) return bad_field("messages", "an empty array", "at least one message");
  return {};
}

/// Whether any choice has a finish_reason. Inside a string its quotes would be escaped, so the text
/// is enough.
bool says_why_it_ended(std::string_view data) {
  constexpr std::string_view kKey = "\"finish_reason\"";
  for (std::size_t at = data.find(kKey); at != std::string_view::npos; at = data.find(kKey, at)) {
    at = data.find_first_not_of(": \t\r\n", at + kKey.size());
    if (at == std::string_view::npos) return false;
    if (data[at] == '"') return true;
  }
  return false;
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view body) {
  auto root = parse_object(body);
  if (!root) return root.error();
  ChatRequest request;
  request.root = *root;
  std::optional<json::Value> messages, tools, functions;
  bool has_model = false;
  for (const json::Member& m : json::members(*root)) {
    const json::Value v = m.value;
    if (m.key.equals("model")) {
      if (!v.is_string()) return bad_field("model", name(v.kind()), "the name of a model or route");
      request.model = v.text();
      has_model = true;
    } else if (m.key.equals("messages")) {
      messages = v;
    } else if (m.key.equals("tools")) {
      tools = v;
    } else if (m.key.equals("functions")) {
      functions = v;
    } else if (m.key.equals("stream")) {
      if (!v.is_bool() && !v.is_null()) return bad_field("stream", name(v.kind()), "true or false");
      request.stream = v.is_true();
    } else if (m.key.equals("stream_options")) {
      if (!v.is_object()) continue;
      const auto asked = json::find(v, "include_usage");
      request.wants_usage = asked && asked->is_true();
    } else if (m.key.equals("max_tokens") || m.key.equals("max_completion_tokens")) {
      if (const auto n = v.integer(); n && *n > 0) request.max_tokens = *n;
    } else if (m.key.equals("n")) {
      if (const auto n = v.integer(); n && *n > 0) request.choices = *n;
      if (request.choices > 1) request.only_native = fmt::format("n is {}", request.choices);
    } else if (m.key.equals("reasoning_effort")) {
      if (v.is_string()) request.effort = v.text();
    } else if (m.key.equals("modalities")) {
      if (!v.is_array()) continue;
      for (const json::Value kind : json::elements(v)) request.has_audio |= kind.equals("audio");
    } else if (m.key.equals("response_format")) {
      if (!v.is_object()) continue;
      const auto type = json::find(v, "type");
      request.has_json_schema = type && type->equals("json_schema");
      request.text_bytes += v.raw.size();
    }
  }
  if (!has_model || request.model.empty())
    return bad_field("model", "nothing", "the name of a model or route; GET /v1/models lists them");
  if (!messages) return bad_field("messages", "nothing", "an array of messages");
  if (auto read = read_messages(*messages, request); !read) return read.error();
  if (tools) read_tools(*tools, request);
  if (functions) read_tools(*functions, request);
  if (request.only_native.empty() && request.has_audio) request.only_native = "audio is asked for";
  if (request.only_native.empty() && functions && functions->raw != "[]")
    request.only_native = "functions (of before tools) is set";
  return request;
}

std::string edit_chat_request(const ChatRequest& request, std::string_view body,
                              const ChatEdits& edits) {
  json::Splice splice(body);
  const auto set_string = [&](std::string_view key, std::string_view text) {
    std::string quoted;
    json::append_quoted(text, quoted);
    splice.set(request.root, key, quoted);
  };
  if (!edits.model.empty()) set_string("model", edits.model);
  if (!edits.effort.empty()) set_string("reasoning_effort", edits.effort);
  if (edits.ask_usage) {
    const auto options = json::find(request.root, "stream_options");
    if (options && options->is_object()) {
      splice.set(*options, "include_usage", "true");
    } else {
      splice.set(request.root, "stream_options", R"({"include_usage":true})");
    }
  }
  return splice.apply();
}

std::optional<Usage> parse_usage(json::Value usage) {
  if (!usage.is_object()) return std::nullopt;
  Usage result;
  for (const json::Member& m : json::members(usage)) {
    // The second name of each is that of Responses.
    if (m.key.equals("prompt_tokens") || m.key.equals("input_tokens")) {
      result.prompt_tokens = m.value.integer();
    } else if (m.key.equals("completion_tokens") || m.key.equals("output_tokens")) {
      result.completion_tokens = m.value.integer();
    } else if ((m.key.equals("prompt_tokens_details") || m.key.equals("input_tokens_details")) &&
               m.value.is_object()) {
      if (const auto cached = json::find(m.value, "cached_tokens"))
        result.cached_tokens = cached->integer();
    } else if ((m.key.equals("completion_tokens_details") ||
                m.key.equals("output_tokens_details")) &&
               m.value.is_object()) {
      if (const auto thought = json::find(m.value, "reasoning_tokens"))
        result.reasoning_tokens = thought->integer();
    }
  }
  result.raw = std::string(usage.raw);
  return result;
}

ChatChunk read_chat_chunk(std::string_view data) {
  ChatChunk chunk;
  if (data == "[DONE]") {
    chunk.is_done = true;
    return chunk;
  }
  chunk.has_choices = true;
  chunk.is_last = says_why_it_ended(data);
  if (data.find("\"usage\"") == std::string_view::npos &&
      data.find("\"error\"") == std::string_view::npos)
    return chunk;
  const auto root = json::parse(data);
  if (!root || !root->is_object()) return chunk;
  chunk.has_choices = false;
  for (const json::Member& m : json::members(*root)) {
    if (m.key.equals("choices") && m.value.is_array()) {
      chunk.has_choices = json::elements(m.value).begin() != std::default_sentinel;
    } else if (m.key.equals("usage")) {
      chunk.usage = parse_usage(m.value);
    } else if (m.key.equals("error") && !m.value.is_null()) {
      chunk.is_error = true;
    }
  }
  return chunk;
}

}  // namespace rung::wire
