#include <fmt/format.h>

#include "wire/anthropic_messages.h"
#include "wire/fields.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

class MessagesStreamReader : public StreamReader {
 public:
  void take(const StreamEvent& event, StreamSink& sink, StreamFacts& facts) override {
    if (!event.has_data || finished_) return;
    const auto root = json::parse(event.data);
    if (!root || !root->is_object()) return;
    const std::string_view name = messages_event(event.name, event.data);
    if (name == "message_start") {
      start(*root, sink, facts);
    } else if (name == "content_block_start") {
      if (const auto block = json::find(*root, "content_block"); block && block->is_object())
        open(*block, sink, facts);
    } else if (name == "content_block_delta") {
      ++facts.produced;
      if (const auto delta = json::find(*root, "delta"); delta && delta->is_object())
        read_delta(*delta, sink, facts);
    } else if (name == "content_block_stop") {
      // A tool without parameters is called with an empty object, which no delta has said.
      if (in_call_ && !has_arguments_) sink.arguments(calls_ - 1, R"("{}")");
      in_call_ = false;
    } else if (name == "message_delta") {
      read_end(*root, facts);
    } else if (name == "message_stop") {
      finish(sink, facts);
    } else if (name == "error") {
      const auto error = json::find(*root, "error");
      const bool is_object = error && error->is_object();
      facts.has_error = facts.is_whole = finished_ = true;
      std::string message = is_object ? text_of(*error, "message") : std::string();
      if (message.empty()) message = "the upstream reported an error in its stream";
      sink.error(is_object && is_text(*error, "type", "overloaded_error") ? 529 : 500, message);
    }
  }

  void end(StreamSink& sink, StreamFacts& facts) override {
    if (facts.is_whole && !finished_) finish(sink, facts);
  }

 private:
  void start(json::Value root, StreamSink& sink, StreamFacts& facts) {
    std::string id, model;
    if (const auto message = json::find(root, "message"); message && message->is_object()) {
      id = text_of(*message, "id");
      model = text_of(*message, "model");
      if (const auto usage = present(*message, "usage")) merge_messages_usage(*usage, facts.usage);
      if (facts.usage) facts.usage->completion_tokens.reset();  // only its beginning
    }
    started_ = true;
    sink.start(id, model, facts.usage);
  }

  static void drop(std::string what, StreamFacts& facts) {
    for (const std::string& known : facts.dropped)
      if (known == what) return;
    facts.dropped.push_back(std::move(what));
  }

  void open(json::Value block, StreamSink& sink, StreamFacts& facts) {
    const std::string type = text_of(block, "type");
    in_call_ = has_arguments_ = false;
    if (type == "text" || type == "thinking") {
      const auto text = json::find(block, type);
      if (text && text->is_string() && text->raw != "\"\"")
        type == "text" ? sink.text(text->raw) : sink.thinking(text->raw);
    } else if (type == "redacted_thinking") {
      if (const auto data = json::find(block, "data"); data && data->is_string())
        sink.redacted(data->raw);
    } else if (type == "tool_use") {
      in_call_ = true;
      sink.tool(calls_++, quoted(text_of(block, "id")), quoted(text_of(block, "name")));
      // Some hosts give the whole input at once.
      const auto input = json::find(block, "input");
      if (!input || !input->is_object() ||
          !(json::members(*input).begin() != std::default_sentinel))
        return;
      has_arguments_ = true;
      sink.arguments(calls_ - 1, quoted(input->raw));
    } else {
      drop("content." + type, facts);
    }
  }

  void read_delta(json::Value delta, StreamSink& sink, StreamFacts& facts) {
    if (present(delta, "citation")) drop("citations", facts);
    const auto piece = [&](std::string_view key) {
      const auto value = json::find(delta, key);
      return value && value->is_string() && value->raw != "\"\"" ? value->raw : std::string_view();
    };
    if (const auto text = piece("text"); !text.empty()) sink.text(text);
    if (const auto thinking = piece("thinking"); !thinking.empty()) sink.thinking(thinking);
    if (const auto signature = piece("signature"); !signature.empty()) sink.signature(signature);
    if (const auto json_piece = piece("partial_json"); in_call_ && !json_piece.empty()) {
      has_arguments_ = true;
      sink.arguments(calls_ - 1, json_piece);
    }
  }

  void read_end(json::Value root, StreamFacts& facts) {
    if (const auto usage = present(root, "usage")) merge_messages_usage(*usage, facts.usage);
    const auto delta = json::find(root, "delta");
    if (!delta || !delta->is_object()) return;
    if (const auto reason = present(*delta, "stop_reason"); reason && reason->is_string()) {
      stop_ = stop_of_messages(reason->text());
      facts.is_whole = true;
    }
    if (const auto hit = present(*delta, "stop_sequence"); hit && hit->is_string())
      sequence_ = hit->raw;
  }

  void finish(StreamSink& sink, StreamFacts& facts) {
    facts.is_whole = finished_ = true;
    if (!started_) sink.start("", "", std::nullopt);
    sink.finish(stop_, sequence_, facts.usage);
  }

  bool started_ = false, finished_ = false, in_call_ = false, has_arguments_ = false;
  std::size_t calls_ = 0;
  std::string sequence_;
  Stop stop_ = Stop::kUnknown;
};

}  // namespace

std::unique_ptr<StreamReader> read_messages_stream() {
  return std::make_unique<MessagesStreamReader>();
}

}  // namespace rung::wire
