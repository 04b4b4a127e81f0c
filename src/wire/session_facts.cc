#include "wire/session_facts.h"

#include <optional>

#include "base/hash.h"

namespace rung::wire {
namespace {

std::string text_of(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_string() ? value->text() : std::string();
}

bool is_filled(const std::optional<json::Value>& value) {
  return value && !value->is_null() && !(value->is_string() && value->text().empty());
}

/// One message or item of the conversation, reduced to what matters here.
struct Item {
  std::string role;  // "user", "assistant", "tool", "system", "developer"; or a type of an item
  bool is_result = false;  // of a tool
  bool is_call = false;    // of a tool, by the model
};

/// A part of a message's content, or a message of its own.
void look_at_part(json::Value part, Item& item, SessionFacts& facts) {
  if (!part.is_object()) return;
  for (const json::Member& member : json::members(part)) {
    if (member.key.equals("type") && member.value.is_string()) {
      const std::string type = member.value.text();
      if (type == "tool_result" || type == "function_call_output" ||
          type == "custom_tool_call_output" || type == "local_shell_call_output" ||
          type == "computer_call_output" || type == "mcp_approval_response")
        item.is_result = true;
      if (type == "tool_use" || type == "function_call" || type == "custom_tool_call" ||
          type == "local_shell_call" || type == "computer_call")
        item.is_call = true;
      if (type == "redacted_thinking") facts.provider_state = "encrypted reasoning";
    } else if (member.key.equals("signature") && is_filled(member.value)) {
      facts.provider_state = "a thinking signature";
    } else if (member.key.equals("encrypted_content") && is_filled(member.value)) {
      facts.provider_state = "encrypted reasoning";
    } else if (member.key.equals("thought_signature") && is_filled(member.value)) {
      facts.provider_state = "a thought signature";
    } else if (member.key.equals("extra_content") && member.value.is_object() &&
               member.value.raw.find("thought_signature") != std::string_view::npos) {
      facts.provider_state = "a thought signature";  // Gemini's OpenAI-compatible endpoint
    }
  }
}

Item look_at(json::Value message, SessionFacts& facts) {
  Item item;
  if (!message.is_object()) return item;
  item.role = text_of(message, "role");
  if (item.role == "tool" || item.role == "function") item.is_result = true;
  look_at_part(message, item, facts);
  for (const std::string_view list : {"content", "tool_calls", "reasoning_details"}) {
    const auto parts = json::find(message, list);
    if (!parts || !parts->is_array()) continue;
    for (const json::Value part : json::elements(*parts)) {
      look_at_part(part, item, facts);
      if (list == "tool_calls") item.is_call = true;
      if (list == "reasoning_details" && part.is_object() && is_filled(json::find(part, "data")))
        facts.provider_state = "encrypted reasoning";
    }
  }
  return item;
}

void look_at_all(json::Value list, SessionFacts& facts, std::uint64_t& begin) {
  bool has_user = false;
  Item last;
  for (const json::Value message : json::elements(list)) {
    last = look_at(message, facts);
    const bool is_user = last.role == "user" && !last.is_result;
    const bool instructs = last.role == "system" || last.role == "developer";
    if (!has_user && (instructs || is_user)) begin = hash64(message.raw, begin);
    has_user = has_user || is_user;
    // Items of the Responses API need no role: reasoning, function_call.
    facts.has_history =
        facts.has_history || last.role == "assistant" || last.is_result || last.is_call ||
        (last.role.empty() && message.is_object() && json::find(message, "type").has_value());
  }
  facts.tool_call_open = last.is_result || last.is_call;
  facts.prefix = has_user ? begin : 0;
}

}  // namespace

std::string session_of_user_id(std::string_view user_id) {
  if (user_id.starts_with('{')) {
    const auto parsed = json::parse(user_id);
    return parsed && parsed->is_object() ? text_of(*parsed, "session_id") : std::string();
  }
  constexpr std::string_view kMark = "_session_";
  const std::size_t at = user_id.rfind(kMark);
  return at == std::string_view::npos ? std::string()
                                      : std::string(user_id.substr(at + kMark.size()));
}

SessionFacts read_session_facts(json::Value root) {
  SessionFacts facts;
  facts.source = "prefix";
  if (!root.is_object()) return facts;
  std::uint64_t begin = 1;
  std::optional<json::Value> conversation;
  for (const json::Member& member : json::members(root)) {
    const json::Value value = member.value;
    if (member.key.equals("metadata") && value.is_object()) {
      std::string id = text_of(value, "session_id");
      if (id.empty()) id = session_of_user_id(text_of(value, "user_id"));
      if (!id.empty()) {
        facts.id = std::move(id);
        facts.source = "metadata";
      }
    } else if (member.key.equals("conversation") && facts.id.empty()) {
      facts.id = value.is_object()   ? text_of(value, "id")
                 : value.is_string() ? value.text()
                                     : std::string();
      if (!facts.id.empty()) facts.source = "conversation";
    } else if (member.key.equals("previous_response_id") && is_filled(value)) {
      facts.provider_state = "previous_response_id";
      facts.has_history = true;
    } else if (member.key.equals("prompt_cache_key") || member.key.equals("system") ||
               member.key.equals("instructions")) {
      // Their order in the object does not matter to what the conversation is.
      begin ^= hash64(value.raw, hash64(member.key.raw));
    } else if (member.key.equals("messages") || member.key.equals("input")) {
      conversation = value;
    }
  }
  if (!conversation) return facts;
  if (conversation->is_array()) look_at_all(*conversation, facts, begin);
  if (conversation->is_string()) facts.prefix = hash64(conversation->raw, begin);
  return facts;
}

}  // namespace rung::wire
