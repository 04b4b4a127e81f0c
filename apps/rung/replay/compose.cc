#include "replay/compose.h"

#include <algorithm>

#include "json/write.h"

namespace rung::replay {
namespace {

constexpr int kMostDepth = 16;  // of schemas that refer to themselves

bool type_is(json::Value schema, std::string_view wanted) {
  const auto type = json::find(schema, "type");
  if (!type) return false;
  if (type->is_string()) return type->equals(wanted);
  if (!type->is_array()) return false;
  for (const json::Value one : json::elements(*type)) {
    if (one.is_string()) return one.equals(wanted);  // of ["string", "null"] the first
  }
  return false;
}

/// "#/$defs/Person" in `root`.
std::optional<json::Value> resolve(std::string_view reference, json::Value root) {
  if (!reference.starts_with("#")) return std::nullopt;
  reference.remove_prefix(1);
  std::optional<json::Value> at = root;
  while (!reference.empty() && at && at->is_object()) {
    reference.remove_prefix(1);
    const std::size_t slash = std::min(reference.find('/'), reference.size());
    at = json::find(*at, reference.substr(0, slash));
    reference.remove_prefix(slash);
  }
  return at;
}

class Filler {
 public:
  Filler(json::Value root, std::string_view text) : root_(root), text_(text) {}

  void fill(json::Value schema, json::Writer& out, int depth) {
    if (!schema.is_object() || depth > kMostDepth) {
      out.null();
      return;
    }
    if (const auto reference = json::find(schema, "$ref"); reference && reference->is_string()) {
      const auto target = resolve(reference->text(), root_);
      if (target) return fill(*target, out, depth + 1);
    }
    for (const std::string_view key : {"anyOf", "oneOf", "allOf"}) {
      const auto choices = json::find(schema, key);
      if (!choices || !choices->is_array()) continue;
      for (const json::Value first : json::elements(*choices)) return fill(first, out, depth + 1);
    }
    if (const auto fixed = json::find(schema, "const")) {
      out.raw(fixed->raw);
      return;
    }
    if (const auto allowed = json::find(schema, "enum"); allowed && allowed->is_array()) {
      for (const json::Value first : json::elements(*allowed)) {
        out.raw(first.raw);
        return;
      }
    }
    if (type_is(schema, "object") || json::find(schema, "properties")) {
      object(schema, out, depth);
    } else if (type_is(schema, "array")) {
      array(schema, out, depth);
    } else if (type_is(schema, "integer") || type_is(schema, "number")) {
      const auto least = json::find(schema, "minimum");
      if (least && least->is_number()) {
        out.raw(least->raw);
      } else {
        out.number(1);
      }
    } else if (type_is(schema, "boolean")) {
      out.boolean(true);
    } else if (type_is(schema, "null")) {
      out.null();
    } else {
      out.string(text_);
    }
  }

 private:
  void object(json::Value schema, json::Writer& out, int depth) {
    out.begin_object();
    const auto properties = json::find(schema, "properties");
    const auto required = json::find(schema, "required");
    if (properties && properties->is_object() && required && required->is_array()) {
      for (const json::Value key : json::elements(*required)) {
        if (!key.is_string()) continue;
        const std::string name = key.text();
        out.key(name);
        const auto property = json::find(*properties, name);
        if (property) {
          fill(*property, out, depth + 1);
        } else {
          out.string(text_);
        }
      }
    }
    out.end_object();
  }
  void array(json::Value schema, json::Writer& out, int depth) {
    out.begin_array();
    const auto items = json::find(schema, "items");
    const auto least = json::find(schema, "minItems");
    const std::int64_t count = least && least->is_number() ? least->integer().value_or(1) : 1;
    for (std::int64_t i = 0; items && i < std::min<std::int64_t>(count, 100); ++i)
      fill(*items, out, depth + 1);
    out.end_array();
  }
  json::Value root_;
  std::string_view text_;
};

// --- recorded calls: a small part of Python's syntax
// -----------------------------------------------------

class CallReader {
 public:
  explicit CallReader(std::string_view text) : rest_(text) {}

  std::optional<RecordedCall> read() {
    skip();
    if (take('[')) skip();
    RecordedCall call;
    while (!rest_.empty() && (word_char(rest_.front()) || rest_.front() == '.')) {
      call.name += rest_.front();
      rest_.remove_prefix(1);
    }
    if (call.name.empty() || !take('(')) return std::nullopt;
    json::Writer out;
    out.begin_object();
    for (bool first = true;; first = false) {
      skip();
      if (take(')')) break;
      if (!first && !take(',')) return std::nullopt;
      skip();
      if (take(')')) break;
      const std::string key = word();
      skip();
      if (key.empty() || !take('=')) return std::nullopt;
      out.key(key);
      if (!value(out, 0)) return std::nullopt;
    }
    out.end_object();
    call.arguments = out.take();
    return call;
  }

 private:
  static bool word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  void skip() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n'))
      rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string word() {
    std::string out;
    while (!rest_.empty() && word_char(rest_.front())) {
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    return out;
  }
  bool value(json::Writer& out, int depth) {
    skip();
    if (rest_.empty() || depth > kMostDepth) return false;
    const char c = rest_.front();
    if (c == '"' || c == '\'') return string(out);
    if (c == '[' || c == '(') return list(out, c == '[' ? ']' : ')', depth);
    if (c == '{') return dictionary(out, depth);
    std::string plain;
    while (!rest_.empty() && (word_char(rest_.front()) || rest_.front() == '.' ||
                              rest_.front() == '-' || rest_.front() == '+')) {
      plain += rest_.front();
      rest_.remove_prefix(1);
    }
    if (plain == "True" || plain == "true") {
      out.boolean(true);
    } else if (plain == "False" || plain == "false") {
      out.boolean(false);
    } else if (plain == "None" || plain == "null") {
      out.null();
    } else {
      const auto number = json::parse(plain);
      if (!number || !number->is_number()) return false;
      out.raw(plain);
    }
    return true;
  }
  bool unquote(std::string& text) {
    const char quote = rest_.front();
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != quote) {
      if (rest_.front() == '\\' && rest_.size() > 1) {
        rest_.remove_prefix(1);
        text += rest_.front() == 'n' ? '\n' : rest_.front() == 't' ? '\t' : rest_.front();
      } else {
        text += rest_.front();
      }
      rest_.remove_prefix(1);
    }
    return take(quote);
  }
  bool string(json::Writer& out) {
    std::string text;
    if (!unquote(text)) return false;
    out.string(text);
    return true;
  }
  bool list(json::Writer& out, char end, int depth) {
    rest_.remove_prefix(1);
    out.begin_array();
    for (skip(); !take(end); skip()) {
      if (!value(out, depth + 1)) return false;
      skip();
      if (!take(',') && (rest_.empty() || rest_.front() != end)) return false;
    }
    out.end_array();
    return true;
  }
  bool dictionary(json::Writer& out, int depth) {
    rest_.remove_prefix(1);
    out.begin_object();
    for (skip(); !take('}'); skip()) {
      std::string key;
      if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'') || !unquote(key))
        return false;
      skip();
      if (!take(':')) return false;
      out.key(key);
      if (!value(out, depth + 1)) return false;
      skip();
      if (!take(',') && (rest_.empty() || rest_.front() != '}')) return false;
    }
    out.end_object();
    return true;
  }
  std::string_view rest_;
};

// --- the request
// -----------------------------------------------------------------------------------------

struct Tool {
  std::string name;
  std::optional<json::Value> parameters;
};

std::vector<Tool> offered_tools(json::Value request) {
  std::vector<Tool> tools;
  const auto listed = json::find(request, "tools");
  if (!listed || !listed->is_array()) return tools;
  for (const json::Value tool : json::elements(*listed)) {
    if (!tool.is_object()) continue;
    const auto function = json::find(tool, "function");
    if (!function || !function->is_object()) continue;
    const auto name = json::find(*function, "name");
    if (name && name->is_string())
      tools.push_back({name->text(), json::find(*function, "parameters")});
  }
  return tools;
}

bool ends_with_tool_result(json::Value request) {
  const auto messages = json::find(request, "messages");
  if (!messages || !messages->is_array()) return false;
  bool result = false;
  for (const json::Value message : json::elements(*messages)) {
    const auto role = message.is_object() ? json::find(message, "role") : std::nullopt;
    result = role && role->is_string() && role->equals("tool");
  }
  return result;
}

/// The call that the request wants or the record holds; none if the answer is text.
std::optional<RecordedCall> wanted_call(json::Value request, std::string_view text) {
  const std::vector<Tool> tools = offered_tools(request);
  if (tools.empty() || ends_with_tool_result(request)) return std::nullopt;
  const auto choice = json::find(request, "tool_choice");
  if (choice && choice->is_string() && choice->equals("none")) return std::nullopt;
  const auto recorded = parse_recorded_call(text);
  if (recorded) {
    for (const Tool& tool : tools) {
      if (tool.name == recorded->name) return recorded;
    }
  }
  const Tool* chosen = nullptr;
  if (choice && choice->is_object()) {
    const auto function = json::find(*choice, "function");
    const auto name =
        function && function->is_object() ? json::find(*function, "name") : std::nullopt;
    for (const Tool& tool : tools) {
      if (name && name->is_string() && name->equals(tool.name)) chosen = &tool;
    }
    if (chosen == nullptr) chosen = &tools.front();
  } else if (choice && choice->is_string() && choice->equals("required")) {
    chosen = &tools.front();
  }
  if (chosen == nullptr) return std::nullopt;
  RecordedCall call{chosen->name, "{}"};
  if (chosen->parameters)
    call.arguments = fill_schema(*chosen->parameters, *chosen->parameters, text.substr(0, 40));
  return call;
}

}  // namespace

std::string fill_schema(json::Value schema, json::Value root, std::string_view text) {
  json::Writer out;
  Filler(root, text).fill(schema, out, 0);
  return out.take();
}

std::optional<RecordedCall> parse_recorded_call(std::string_view output) {
  return CallReader(output).read();
}

Message compose(json::Value request, std::string text) {
  Message message;
  if (auto call = wanted_call(request, text)) {
    message.is_call = true;
    message.call_name = std::move(call->name);
    message.call_arguments = std::move(call->arguments);
    return message;
  }
  message.content = std::move(text);
  const auto format = json::find(request, "response_format");
  const auto type = format && format->is_object() ? json::find(*format, "type") : std::nullopt;
  if (!type || !type->is_string()) return message;
  if (type->equals("json_schema")) {
    const auto named = json::find(*format, "json_schema");
    const auto schema = named && named->is_object() ? json::find(*named, "schema") : std::nullopt;
    if (schema) message.content = fill_schema(*schema, *schema, message.content);
  } else if (type->equals("json_object") && !json::parse(message.content)) {
    json::Writer out;
    out.begin_object().key("answer").string(message.content).end_object();
    message.content = out.take();
  }
  return message;
}

std::vector<std::string_view> token_pieces(std::string_view text) {
  constexpr std::size_t kLongest = 24;  // bytes: a text without spaces is cut too
  std::vector<std::string_view> pieces;
  std::size_t begin = 0;
  for (std::size_t at = 1; at < text.size(); ++at) {
    const bool inside =
        (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;  // of a UTF-8 character
    const bool word = text[at] == ' ' || text[at] == '\n';
    if (!inside && (word || at - begin >= kLongest)) {
      pieces.push_back(text.substr(begin, at - begin));
      begin = at;
    }
  }
  if (begin < text.size()) pieces.push_back(text.substr(begin));
  return pieces;
}

std::int64_t estimate_tokens(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + 3) / 4);
}

}  // namespace rung::replay
