#include "wire/openai_responses.h"

#include <fmt/format.h>

#include "json/splice.h"
#include "json/write.h"
#include "wire/fields.h"

namespace rung::wire {
namespace {

void note_native(Request& request, std::string what) {
  if (request.only_native.empty()) request.only_native = std::move(what);
}

/// Reasoning that we made: only the model whose it is can read it, and that is not OpenAI's.
bool is_foreign_reasoning(json::Value item) {
  if (!item.is_object() || !is_text(item, "type", "reasoning")) return false;
  const std::string sealed = text_of(item, "encrypted_content");
  return sealed.starts_with(kSigned) || sealed.starts_with(kHidden);
}

Result<void> read_content(json::Value content, const std::string& where, std::string* text,
                          Request& request) {
  if (content.is_null()) return {};
  if (content.is_string()) {
    request.text_bytes += content.raw.size() - 2;
    if (text != nullptr) content.append_text(*text);
    return {};
  }
  if (!content.is_array())
    return bad_field(where, name(content.kind()), "a string or an array of parts");
  bool first = true;
  for (const json::Value part : json::elements(content)) {
    if (!part.is_object()) return bad_field(where, name(part.kind()), "parts that are objects");
    const std::string type = text_of(part, "type");
    if (type == "input_image" || type == "input_file") {
      request.has_images = true;
      if (present(part, "file_id")) note_native(request, where + " holds a file by id");
      if (present(part, "file_url")) note_native(request, where + " holds a file by URL");
    } else if (type == "input_audio") {
      request.has_audio = true;
      note_native(request, where + " holds audio");
    }
    const auto words = json::find(part, "text");
    if (!words || !words->is_string()) continue;
    request.text_bytes += words->raw.size() - 2;
    if (text == nullptr) continue;
    if (!first) text->push_back('\n');
    first = false;
    words->append_text(*text);
  }
  return {};
}

Result<void> read_input(json::Value input, Request& request) {
  if (input.is_string()) {
    request.text_bytes += input.raw.size() - 2;
    input.append_text(request.prompt);
    return {};
  }
  if (!input.is_array())
    return bad_field("input", name(input.kind()), "a text or an array of items");
  std::size_t index = 0;
  for (const json::Value item : json::elements(input)) {
    const std::string where = fmt::format("input[{}]", index++);
    if (!item.is_object()) return bad_field(where, name(item.kind()), "an object");
    const std::string type = text_of(item, "type");
    if (type.empty() || type == "message") {
      const auto role = json::find(item, "role");
      if (!role || !role->is_string())
        return bad_field(where + ".role", role ? name(role->kind()) : "nothing", "a string");
      const bool is_user = role->equals("user");
      if (is_user) request.prompt.clear();
      const auto content = json::find(item, "content");
      if (!content) return bad_field(where + ".content", "nothing", "a text or an array of parts");
      if (auto read = read_content(*content, where + ".content",
                                   is_user ? &request.prompt : nullptr, request);
          !read)
        return read;
      continue;
    }
    request.text_bytes += item.raw.size();
    if (type == "reasoning") {
      request.has_foreign_thinking = request.has_foreign_thinking || is_foreign_reasoning(item);
    } else if (type != "function_call" && type != "function_call_output" &&
               type != "custom_tool_call" && type != "custom_tool_call_output") {
      note_native(request, type == "item_reference"
                               ? fmt::format("{} refers to an item that is not known here (clients "
                                             "send the item itself with store: false)",
                                             where)
                               : fmt::format("{} is of type {}", where, type));
    }
  }
  return {};
}

bool is_own_tool(json::Value tool) {
  return tool.is_object() && !is_text(tool, "type", "function") && !is_text(tool, "type", "custom");
}

void read_responses_tools(json::Value tools, json::Value root, Request& request) {
  read_tools(tools, request);
  if (!tools.is_array()) return;
  const auto choice = json::find(root, "tool_choice");
  const bool forced = choice && choice->is_object() && is_own_tool(*choice) &&
                      !is_text(*choice, "type", "allowed_tools");
  note_own_tools(tools, is_own_tool, forced, request);
}

std::string without_foreign_reasoning(json::Value input) {
  std::string out = "[";
  for (const json::Value item : json::elements(input)) {
    if (is_foreign_reasoning(item)) continue;
    if (out.size() > 1) out.push_back(',');
    out.append(item.raw);
  }
  out.push_back(']');
  return out;
}

}  // namespace

Result<Request> parse_responses_request(std::string_view body) {
  auto root = parse_object(body);
  if (!root) return root.error();
  Request request;
  request.dialect = Dialect::kResponses;
  request.root = *root;
  request.wants_usage = true;  // response.completed always tells
  std::optional<json::Value> input, tools;
  for (const json::Member& m : json::members(*root)) {
    const json::Value v = m.value;
    if (m.key.equals("model")) {
      if (!v.is_string()) return bad_field("model", name(v.kind()), "the name of a model or route");
      request.model = v.text();
    } else if (m.key.equals("input")) {
      input = v;
    } else if (m.key.equals("instructions")) {
      if (v.is_string()) request.text_bytes += v.raw.size() - 2;
    } else if (m.key.equals("tools")) {
      tools = v;
    } else if (m.key.equals("stream")) {
      if (!v.is_bool() && !v.is_null()) return bad_field("stream", name(v.kind()), "true or false");
      request.stream = v.is_true();
    } else if (m.key.equals("max_output_tokens")) {
      if (const auto n = v.integer(); n && *n > 0) request.max_tokens = *n;
    } else if (m.key.equals("reasoning")) {
      if (v.is_object()) request.effort = text_of(v, "effort");
    } else if (m.key.equals("text")) {
      const auto format = v.is_object() ? json::find(v, "format") : std::nullopt;
      if (!format || !format->is_object()) continue;
      request.has_json_schema = is_text(*format, "type", "json_schema");
      request.text_bytes += format->raw.size();
    } else if (m.key.equals("previous_response_id") || m.key.equals("conversation") ||
               m.key.equals("prompt")) {
      if (!v.is_null()) note_native(request, m.key.text() + " is set");
    } else if (m.key.equals("background")) {
      if (v.is_true()) note_native(request, "background is set");
    }
  }
  if (request.model.empty())
    return bad_field("model", "nothing", "the name of a model or route; GET /v1/models lists them");
  if (input) {
    if (auto read = read_input(*input, request); !read) return read.error();
  } else if (request.only_native.empty()) {
    return bad_field("input", "nothing", "a text or an array of items");
  }
  if (tools) read_responses_tools(*tools, *root, request);
  return request;
}

Outgoing edit_responses_request(const Request& request, std::string_view body,
                                const Target& target) {
  Outgoing out;
  json::Splice splice(body);
  const auto own = json::find(request.root, "model");
  if (!target.model.empty() && !(own && own->equals(target.model)))
    splice.set(request.root, "model", quoted(target.model));
  if (request.has_foreign_thinking)
    splice.set(request.root, "input",
               without_foreign_reasoning(*json::find(request.root, "input")));
  if (!target.effort.empty()) {
    const auto reasoning = json::find(request.root, "reasoning");
    if (reasoning && reasoning->is_object()) {
      splice.set(*reasoning, "effort", quoted(target.effort));
    } else {
      splice.set(request.root, "reasoning",
                 fmt::format(R"({{"effort":{}}})", quoted(target.effort)));
    }
  }
  out.body = splice.apply();
  return out;
}

}  // namespace rung::wire
