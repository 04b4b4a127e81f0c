#include "wire/reply_check.h"

#include <algorithm>

#include "json/value.h"

namespace rung::wire {
namespace {

using json::Value;

/// null, "", [], {} and false say nothing.
bool says_something(Value v) {
  switch (v.kind()) {
    case json::Kind::kString:
      return v.raw.size() > 2;
    case json::Kind::kArray:
      return json::elements(v).begin() != std::default_sentinel;
    case json::Kind::kObject:
      return json::members(v).begin() != std::default_sentinel;
    case json::Kind::kBool:
      return v.is_true();
    case json::Kind::kNull:
      return false;
    case json::Kind::kNumber:
      return true;
  }
  return true;
}

/// Names of models have no escapes worth decoding.
std::string_view text_of(Value v) {
  return v.is_string() ? v.raw.substr(1, v.raw.size() - 2) : std::string_view();
}

std::string_view type_of(Value object) {
  const auto type = json::find(object, "type");
  return type ? text_of(*type) : std::string_view();
}

/// The status that an error object would have had. Hosts write it as `code` or `status`, or only
/// name the kind.
int status_of(Value error) {
  if (!error.is_object()) return 500;
  for (const std::string_view key : {"code", "status", "status_code"})
    if (const auto v = json::find(error, key))
      if (const auto n = v->integer(); n && *n >= 400 && *n < 600) return static_cast<int>(*n);
  struct Kind {
    std::string_view word;
    int status;
  };
  constexpr Kind kKinds[] = {{"rate_limit", 429},     {"insufficient_quota", 429},
                             {"overloaded", 529},     {"invalid_request", 400},
                             {"context_length", 400}, {"authentication", 401},
                             {"permission", 403},     {"not_found", 404}};
  for (const std::string_view key : {"type", "code"})
    if (const auto v = json::find(error, key))
      for (const Kind& kind : kKinds)
        if (text_of(*v).find(kind.word) != std::string_view::npos) return kind.status;
  return 500;
}

/// A message or a delta: any member but the role that says something.
bool message_speaks(Value message) {
  if (!message.is_object()) return false;
  for (const json::Member& m : json::members(message))
    if (!m.key.equals("role") && says_something(m.value)) return true;
  return false;
}

struct ChoicesRead {
  bool speaks = false, ended = false, stopped = true;
};

ChoicesRead read_choices(Value choices) {
  ChoicesRead read;
  if (!choices.is_array()) return read;
  for (const Value choice : json::elements(choices)) {
    if (!choice.is_object()) continue;
    for (const json::Member& m : json::members(choice)) {
      if (m.key.equals("delta") || m.key.equals("message")) {
        read.speaks = read.speaks || message_speaks(m.value);
      } else if (m.key.equals("text")) {
        read.speaks = read.speaks || says_something(m.value);
      } else if (m.key.equals("finish_reason") && !m.value.is_null()) {
        read.ended = true;
        read.stopped = read.stopped && m.value.equals("stop");
      }
    }
  }
  return read;
}

OpeningEvent chat_opening(Value root) {
  OpeningEvent event;
  for (const json::Member& m : json::members(root)) {
    if (m.key.equals("error") && !m.value.is_null()) {
      event.kind = Opening::kError;
      event.status = status_of(m.value);
      return event;
    }
    if (m.key.equals("model")) event.model = text_of(m.value);
    if (!m.key.equals("choices")) continue;
    const ChoicesRead read = read_choices(m.value);
    if (read.speaks) {
      event.kind = Opening::kContent;
    } else if (read.ended) {
      event.kind = Opening::kEnd;
      event.stopped = read.stopped;
    }
  }
  return event;
}

/// A block of an Anthropic message that says something by being there: a tool call has no text yet.
bool block_speaks(Value block) {
  const std::string_view type = type_of(block);
  if (type != "text" && type != "thinking") return !type.empty();
  const auto text = json::find(block, type);
  return text && says_something(*text);
}

OpeningEvent messages_opening(Value root) {
  OpeningEvent event;
  const std::string_view type = type_of(root);
  if (type == "message_start") {
    const auto message = json::find(root, "message");
    if (message && message->is_object())
      if (const auto model = json::find(*message, "model")) event.model = text_of(*model);
  } else if (type == "content_block_start") {
    const auto block = json::find(root, "content_block");
    if (block && block->is_object() && block_speaks(*block)) event.kind = Opening::kContent;
  } else if (type == "content_block_delta") {
    const auto delta = json::find(root, "delta");
    if (!delta || !delta->is_object()) return event;
    for (const json::Member& m : json::members(*delta))
      if (!m.key.equals("type") && says_something(m.value)) event.kind = Opening::kContent;
  } else if (type == "message_delta") {
    const auto delta = json::find(root, "delta");
    const auto reason =
        delta && delta->is_object() ? json::find(*delta, "stop_reason") : std::nullopt;
    if (reason && !reason->is_null()) {
      event.kind = Opening::kEnd;
      event.stopped = reason->equals("end_turn");
    }
  } else if (type == "error") {
    const auto error = json::find(root, "error");
    event.kind = Opening::kError;
    event.status = error ? status_of(*error) : 500;
  }
  return event;
}

OpeningEvent responses_opening(Value root) {
  OpeningEvent event;
  const std::string_view type = type_of(root);
  const auto response = json::find(root, "response");
  const bool has_response = response && response->is_object();
  if (has_response)
    if (const auto model = json::find(*response, "model")) event.model = text_of(*model);
  if (type.ends_with(".delta")) {
    event.kind = Opening::kContent;
  } else if (type == "response.completed") {
    const auto output = has_response ? json::find(*response, "output") : std::nullopt;
    event.kind = output && says_something(*output) ? Opening::kContent : Opening::kEnd;
    event.stopped = true;
  } else if (type == "response.incomplete") {
    event.kind = Opening::kEnd;
  } else if (type == "response.failed" || type == "error") {
    const auto error = json::find(has_response ? *response : root, "error");
    event.kind = Opening::kError;
    event.status = status_of(error && error->is_object() ? *error : root);
  }
  return event;
}

void check_members(Dialect dialect, Value root, ReplyCheck& check) {
  bool speaks = false, stopped = true, complete = true;
  for (const json::Member& m : json::members(root)) {
    if (m.key.equals("model")) {
      check.model = text_of(m.value);
    } else if (m.key.equals("error") && !m.value.is_null()) {
      check.error_status = status_of(m.value);
      return;
    } else if (m.key.equals("choices")) {
      const ChoicesRead read = read_choices(m.value);
      speaks = speaks || read.speaks;
      stopped = read.stopped;
    } else if (m.key.equals("content") && m.value.is_array()) {
      for (const Value block : json::elements(m.value))
        speaks = speaks || !block.is_object() || block_speaks(block);
    } else if (m.key.equals("stop_reason") && !m.value.is_null()) {
      stopped = m.value.equals("end_turn");
    } else if (m.key.equals("status")) {
      complete = m.value.equals("completed");
    } else if (m.key.equals("output") || m.key.equals("data") || m.key.equals("embeddings")) {
      speaks = speaks || says_something(m.value);
    }
  }
  check.is_empty = !speaks && stopped && (complete || dialect != Dialect::kResponses);
}

}  // namespace

OpeningEvent read_opening(Dialect dialect, std::string_view data) {
  OpeningEvent event;
  if (data == "[DONE]") {
    event.kind = Opening::kEnd;
    event.stopped = true;
    return event;
  }
  const auto root = json::parse(data);
  if (!root || !root->is_object()) {
    event.kind = Opening::kMalformed;
    return event;
  }
  switch (dialect) {
    case Dialect::kMessages:
      return messages_opening(*root);
    case Dialect::kResponses:
      return responses_opening(*root);
    case Dialect::kChat:
    case Dialect::kEmbeddings:
      break;
  }
  return chat_opening(*root);
}

ReplyCheck check_reply(Dialect dialect, std::string_view body) {
  const auto root = json::parse(body);
  if (root && root->is_object()) return check_valid_reply(dialect, root->raw);
  ReplyCheck check;
  check.is_malformed = true;
  return check;
}

ReplyCheck check_valid_reply(Dialect dialect, std::string_view json) {
  const std::size_t begin = json.find('{');
  ReplyCheck check;
  check.is_malformed = begin == std::string_view::npos;
  if (check.is_malformed) return check;
  json.remove_prefix(begin);
  check_members(dialect, Value{json.substr(0, json.rfind('}') + 1)}, check);
  return check;
}

bool is_model_asked(std::string_view asked, std::string_view served) {
  const auto plain = [](std::string_view name) { return name.substr(name.rfind('/') + 1); };
  if (served.empty() || asked == served) return true;
  const std::string_view a = plain(asked), b = plain(served);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const std::size_t common = std::min(a.size(), b.size());
  if (common == 0) return false;
  for (std::size_t i = 0; i < common; ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  // What follows must be an ending of its own: "gpt-4" is not "gpt-4o".
  const std::string_view rest = a.size() > b.size() ? a.substr(common) : b.substr(common);
  return rest.empty() || rest.front() == '-' || rest.front() == ':' || rest.front() == '@' ||
         rest.front() == '_';
}

}  // namespace rung::wire
