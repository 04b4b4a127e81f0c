#include "gateway/response_store.h"

#include "json/splice.h"
#include "json/value.h"
#include "wire/fields.h"

namespace rung::gateway {
namespace {

using wire::text_of;

void append_item(std::string& list, std::string_view item) {
  if (!list.empty()) list.push_back(',');
  list.append(item);
}

void append_items(std::string& list, json::Value array) {
  for (const json::Value item : json::elements(array)) append_item(list, item.raw);
}

/// The request's input as items.
std::string input_items(const wire::Request& request) {
  std::string items;
  const auto input = json::find(request.root, "input");
  if (input && input->is_array()) append_items(items, *input);
  if (input && input->is_string())
    items = std::string(R"({"role":"user","content":)").append(input->raw).append("}");
  return items;
}

}  // namespace

void ResponseStore::keep(std::string_view owner, const wire::Request& request,
                         std::string_view response) {
  const auto root = json::parse(response);
  if (!root || !root->is_object()) return;
  const auto output = json::find(*root, "output");
  if (!output || !output->is_array()) return;
  Entry entry;
  entry.id = text_of(*root, "id");
  entry.owner = owner;
  entry.conversation = input_items(request);
  append_items(entry.conversation, *output);
  entry.bytes = entry.conversation.size() + output->raw.size() + 500;
  if (entry.bytes > max_bytes_ / 4) return;  // one must not drive out all others
  const std::lock_guard lock(mutex_);
  if (by_id_.contains(entry.id)) return;
  bytes_ += entry.bytes;
  const Entry& kept = entries_.emplace_back(std::move(entry));
  by_id_.emplace(kept.id, &kept);
  for (const json::Value item : json::elements(*output)) {
    if (!item.is_object()) continue;
    std::string id = text_of(item, "id");
    if (!items_.try_emplace(id, &kept, std::string(item.raw)).second) continue;
    entries_.back().items.push_back(std::move(id));
  }
  while (bytes_ > max_bytes_) forget_oldest();
}

void ResponseStore::forget_oldest() {
  const Entry& oldest = entries_.front();
  bytes_ -= oldest.bytes;
  for (const std::string& id : oldest.items) items_.erase(id);
  by_id_.erase(oldest.id);
  entries_.pop_front();
}

const std::string* ResponseStore::conversation(std::string_view owner,
                                               const std::string& id) const {
  const auto it = by_id_.find(id);
  return it != by_id_.end() && it->second->owner == owner ? &it->second->conversation : nullptr;
}

const std::string* ResponseStore::item(std::string_view owner, const std::string& id) const {
  const auto it = items_.find(id);
  return it != items_.end() && it->second.first->owner == owner ? &it->second.second : nullptr;
}

std::optional<std::string> ResponseStore::expand(std::string_view owner,
                                                 const wire::Request& request,
                                                 std::string_view body) const {
  if (request.dialect != wire::Dialect::kResponses || request.only_native.empty())
    return std::nullopt;  // nothing in it refers to anything
  bool known = false;
  std::string items;
  json::Splice splice(body);
  const std::lock_guard lock(mutex_);
  const std::string previous = text_of(request.root, "previous_response_id");
  if (const std::string* before = previous.empty() ? nullptr : conversation(owner, previous)) {
    known = true;
    items = *before;
    splice.set(request.root, "previous_response_id", "null");
  }
  const auto input = json::find(request.root, "input");
  if (input && input->is_array()) {
    for (const json::Value value : json::elements(*input)) {
      const bool refers = value.is_object() && text_of(value, "type") == "item_reference";
      const std::string* found = refers ? item(owner, text_of(value, "id")) : nullptr;
      known = known || found != nullptr;
      append_item(items, found != nullptr ? std::string_view(*found) : value.raw);
    }
  } else if (input) {
    append_item(items, input_items(request));
  }
  if (!known) return std::nullopt;
  splice.set(request.root, "input", "[" + items + "]");
  return splice.apply();
}

}  // namespace rung::gateway
