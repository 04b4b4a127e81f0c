#include <fmt/format.h>

#include "wire/call_id.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

class ChatStreamReader : public StreamReader {
 public:
  void take(const StreamEvent& event, StreamSink& sink, StreamFacts& facts) override {
    if (!event.has_data || finished_) return;
    if (event.data == "[DONE]") return finish(sink, facts);
    const auto root = json::parse(event.data);
    if (!root || !root->is_object()) return;
    if (const auto error = present(*root, "error")) return fail(*error, sink, facts);
    if (const auto usage = present(*root, "usage"))
      if (auto counted = parse_usage(*usage)) facts.usage = std::move(counted);
    const auto choices = present(*root, "choices");
    if (!choices || !choices->is_array()) return;
    for (const json::Value choice : json::elements(*choices)) {
      if (!choice.is_object()) continue;
      if (!started_) sink.start(text_of(*root, "id"), text_of(*root, "model"), std::nullopt);
      started_ = true;
      ++facts.produced;
      if (const auto delta = present(choice, "delta"); delta && delta->is_object())
        read_delta(*delta, sink, facts);
      if (const auto reason = present(choice, "finish_reason"); reason && reason->is_string()) {
        facts.is_whole = true;
        stop_ = stop_of_chat(reason->text());
        for (const std::string_view key : {"stop_reason", "matched_stop"})
          if (const auto hit = present(choice, key); hit && hit->is_string()) sequence_ = hit->raw;
      }
      break;  // there is one choice: more were refused
    }
  }

  void end(StreamSink& sink, StreamFacts& facts) override {
    if (facts.is_whole && !finished_) finish(sink, facts);
  }

 private:
  void read_delta(json::Value delta, StreamSink& sink, StreamFacts& facts) {
    auto thinking = present(delta, "reasoning_content");
    if (!thinking) thinking = present(delta, "reasoning");
    if (thinking && thinking->is_string() && thinking->raw != "\"\"") sink.thinking(thinking->raw);
    if (const auto content = present(delta, "content")) {
      if (content->is_string() && content->raw != "\"\"") sink.text(content->raw);
      if (content->is_array())
        for (const json::Value part : json::elements(*content))
          if (part.is_object())
            if (const auto text = json::find(part, "text"); text && text->is_string())
              sink.text(text->raw);
    }
    if (const auto refusal = present(delta, "refusal");
        refusal && refusal->is_string() && refusal->raw != "\"\"")
      sink.refusal(refusal->raw);
    if (const auto calls = present(delta, "tool_calls"); calls && calls->is_array())
      for (const json::Value call : json::elements(*calls))
        if (call.is_object()) read_call(call, sink, facts);
  }

  void read_call(json::Value call, StreamSink& sink, StreamFacts& facts) {
    const auto index_value = present(call, "index");
    const std::int64_t index =
        index_value ? index_value->integer().value_or(last_index_) : last_index_;
    const std::string id = text_of(call, "id");
    auto inner = json::find(call, "function");
    if (!inner) inner = json::find(call, "custom");
    const bool has_function = inner && inner->is_object();
    const std::string name = has_function ? text_of(*inner, "name") : std::string();
    // Some hosts put every call on index 0, or on none: a new id is a new call.
    const bool is_new =
        calls_ == 0 || index > last_index_ || (!id.empty() && id != last_id_ && !name.empty());
    if (!is_new && index < last_index_)
      return fail_with("the upstream's tool calls are interleaved, which cannot be translated",
                       sink, facts);
    if (is_new) {
      ++calls_;
      last_index_ = index;
      last_id_ = id;
      const auto extra = present(call, "extra_content");
      sink.tool(calls_ - 1,
                quoted(with_extra(id.empty() ? fmt::format("call_{}", calls_ - 1) : id,
                                  extra ? extra->raw : std::string_view())),
                quoted(name));
    }
    if (!has_function) return;
    auto arguments = present(*inner, "arguments");
    if (!arguments) arguments = present(*inner, "input");
    if (!arguments) return;
    if (!arguments->is_string()) {
      sink.arguments(calls_ - 1, quoted(arguments->raw));
    } else if (arguments->raw != "\"\"") {
      sink.arguments(calls_ - 1, arguments->raw);
    }
  }

  void finish(StreamSink& sink, StreamFacts& facts) {
    // [DONE] without a finish_reason: an end, but not one that says why.
    facts.is_whole = finished_ = true;
    if (!started_) sink.start("", "", std::nullopt);
    if (calls_ > 0 && (stop_ == Stop::kEnd || stop_ == Stop::kUnknown)) stop_ = Stop::kTools;
    if (stop_ == Stop::kEnd && !sequence_.empty()) stop_ = Stop::kSequence;
    sink.finish(stop_, sequence_, facts.usage);
  }

  void fail(json::Value error, StreamSink& sink, StreamFacts& facts) {
    std::string message = error.is_object()   ? text_of(error, "message")
                          : error.is_string() ? error.text()
                                              : std::string();
    int status = 500;
    if (error.is_object())
      if (const auto code = json::find(error, "code"))
        if (const auto number = code->integer(); number && *number >= 400 && *number < 600)
          status = static_cast<int>(*number);
    if (message.empty()) message = "the upstream reported an error in its stream";
    facts.has_error = facts.is_whole = finished_ = true;
    sink.error(status, message);
  }

  void fail_with(std::string_view message, StreamSink& sink, StreamFacts& facts) {
    facts.has_error = facts.is_whole = finished_ = true;
    sink.error(502, message);
  }

  bool started_ = false, finished_ = false;
  std::size_t calls_ = 0;
  std::int64_t last_index_ = -1;
  std::string last_id_, sequence_;
  Stop stop_ = Stop::kUnknown;
};

}  // namespace

std::unique_ptr<StreamReader> read_chat_stream() { return std::make_unique<ChatStreamReader>(); }

}  // namespace rung::wire
