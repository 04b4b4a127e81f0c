#include "wire/fields.h"

#include <fmt/format.h>

namespace rung::wire {
namespace {

/// "- name(first, second): description", one line for each offered function.
void append_tool_line(json::Value tool, std::string& prompt) {
  if (!tool.is_object()) return;
  const auto nested = json::find(tool, "function");
  const json::Value function = nested && nested->is_object() ? *nested : tool;
  const auto name = json::find(function, "name");
  if (!name || !name->is_string()) return;
  prompt.append("\n- ");
  name->append_text(prompt);
  prompt.push_back('(');
  auto parameters = json::find(function, "parameters");
  if (!parameters) parameters = json::find(function, "input_schema");
  if (parameters && parameters->is_object()) {
    if (const auto properties = json::find(*parameters, "properties");
        properties && properties->is_object()) {
      bool first = true;
      for (const json::Member& m : json::members(*properties)) {
        if (!first) prompt.append(", ");
        first = false;
        m.key.append_text(prompt);
      }
    }
  }
  prompt.push_back(')');
  if (const auto description = json::find(function, "description");
      description && description->is_string()) {
    prompt.append(": ");
    description->append_text(prompt);
  }
}

}  // namespace

Error bad_field(std::string field, std::string_view found, std::string_view expected) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("{}: found {}; expected {}", field, found, expected), field};
}

std::string text_of(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_string() ? value->text() : std::string();
}

bool is_text(json::Value object, std::string_view key, std::string_view expected) {
  const auto value = json::find(object, key);
  return value && value->equals(expected);
}

std::optional<json::Value> present(json::Value object, std::string_view key) {
  auto value = json::find(object, key);
  if (value && value->is_null()) value.reset();
  return value;
}

void read_tools(json::Value tools, Request& request) {
  if (!tools.is_array()) return;
  bool any = false;
  for (const json::Value tool : json::elements(tools)) {
    if (!any) request.prompt.append("\n\nTools:");
    any = true;
    append_tool_line(tool, request.prompt);
  }
  request.has_tools = request.has_tools || any;
  if (any) request.text_bytes += tools.raw.size();
}

void note_own_tools(json::Value tools, bool (*is_own)(json::Value tool), bool forced,
                    Request& request) {
  std::size_t index = 0, plain = 0;
  std::string own;
  for (const json::Value tool : json::elements(tools)) {
    if (!is_own(tool))
      ++plain;
    else if (own.empty())
      own = fmt::format("tools[{}] is of type {}", index, text_of(tool, "type"));
    ++index;
  }
  if (!own.empty() && (plain == 0 || forced) && request.only_native.empty())
    request.only_native = own;
}

Result<json::Value> parse_object(std::string_view body) {
  auto root = json::parse(body);
  if (!root) return root.error().with("the request body is not valid JSON");
  if (!root->is_object())
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("the request body is {}; expected an object", name(root->kind()))};
  return *root;
}

}  // namespace rung::wire
