#include "wire/session_facts.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/hash.h"
#include "wire/fields.h"

namespace rung::wire {
namespace {

bool is_filled(const std::optional<json::Value>& value) {
  return value && !value->is_null() && !(value->is_string() && value->text().empty());
}

/// One message or item of the conversation, reduced to what matters here.
struct Item {
  std::string role;  // "user", "assistant", "tool", "system", "developer"; or a type of an item
  bool is_result = false;  // of a tool
  bool is_call = false;    // of a tool, by the model
  bool has_type = false;   // it says of what type it is
};

bool is_any_of(std::string_view type, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), type) != known.end();
}

/// A member of a message's part, or of a message that is a part of its own.
void look_at_member(const json::Member& member, Item& item, SessionFacts& facts) {
  if (member.key.equals("type") && member.value.is_string()) {
    const std::string type = member.value.text();
    item.is_result =
        item.is_result || is_any_of(type, {"tool_result", "function_call_output",
                                           "custom_tool_call_output", "local_shell_call_output",
                                           "computer_call_output", "mcp_approval_response"});
    item.is_call = item.is_call || is_any_of(type, {"tool_use", "function_call", "custom_tool_call",
                                                    "local_shell_call", "computer_call"});
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

void look_at_parts(json::Value list, Item& item, SessionFacts& facts) {
  for (const json::Value part : json::elements(list))
    if (part.is_object())
      for (const json::Member& member : json::members(part)) look_at_member(member, item, facts);
}

/// One walk over a message: conversations are long, and every turn brings all of them.
Item look_at(json::Value message, SessionFacts& facts) {
  Item item;
  if (!message.is_object()) return item;
  for (const json::Member& member : json::members(message)) {
    const json::Value value = member.value;
    if (member.key.equals("role")) {
      item.role = value.is_string() ? value.text() : std::string();
    } else if (member.key.equals("content")) {
      if (value.is_array()) look_at_parts(value, item, facts);
    } else if (member.key.equals("tool_calls")) {
      if (!value.is_array()) continue;
      look_at_parts(value, item, facts);
      item.is_call = item.is_call || json::elements(value).begin() != std::default_sentinel;
    } else if (member.key.equals("reasoning_details")) {
      if (!value.is_array()) continue;
      look_at_parts(value, item, facts);
      for (const json::Value part : json::elements(value))
        if (part.is_object() && is_filled(json::find(part, "data")))
          facts.provider_state = "encrypted reasoning";
    } else {
      item.has_type = item.has_type || member.key.equals("type");
      look_at_member(member, item, facts);
    }
  }
  item.is_result = item.is_result || item.role == "tool" || item.role == "function";
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
    facts.has_history = facts.has_history || last.role == "assistant" || last.is_result ||
                        last.is_call || (last.role.empty() && last.has_type);
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
