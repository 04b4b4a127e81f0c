#include <algorithm>

#include "json/write.h"
#include "wire/openai_responses.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

/// Events of OpenAI Responses: one item is open at a time; every event has its number.
class ResponsesStreamWriter : public StreamSink {
 public:
  explicit ResponsesStreamWriter(StreamContext context) : context_(std::move(context)) {
    response_.created = context_.created;
    response_.id = response_id(context_.id);
    response_.stored = context_.kept != nullptr;
  }

  void start(std::string_view id, std::string_view model, const std::optional<Usage>&) override {
    started_ = true;
    if (context_.id.empty()) response_.id = response_id(id);
    response_.model = model;
    send_response("response.created");
    send_response("response.in_progress");
  }

  void text(std::string_view piece) override {
    open_message(Open::kText);
    text_.append(inside(piece));
    json::Writer w = begin("response.output_text.delta");
    place_part(w);
    w.key("delta").raw(piece).key("logprobs").begin_array().end_array();
    send("response.output_text.delta", w);
  }

  void refusal(std::string_view piece) override {
    open_message(Open::kRefusal);
    text_.append(inside(piece));
    json::Writer w = begin("response.refusal.delta");
    place_part(w);
    w.key("delta").raw(piece);
    send("response.refusal.delta", w);
  }

  void thinking(std::string_view piece) override {
    if (open_ != Open::kThinking) {
      close();
      open(Open::kThinking, "rs", reasoning_item(item_id("rs", response_.id, place_), "", ""));
      part("response.reasoning_summary_part.added", R"({"type":"summary_text","text":""})");
    }
    text_.append(inside(piece));
    json::Writer w = begin("response.reasoning_summary_text.delta");
    place_part(w);
    w.key("delta").raw(piece);
    send("response.reasoning_summary_text.delta", w);
  }

  void signature(std::string_view piece) override {
    if (open_ == Open::kThinking) sealed_ = std::string(kSigned) + json::Value{piece}.text();
  }

  void redacted(std::string_view data) override {
    close();
    const std::string sealed = std::string(kHidden) + json::Value{data}.text();
    open(Open::kHidden, "rs", reasoning_item(item_id("rs", response_.id, place_), "", sealed));
    sealed_ = sealed;
  }

  void tool(std::size_t, std::string_view id, std::string_view name) override {
    close();
    call_ = {.kind = Block::Kind::kTool, .id = std::string(id), .name = std::string(name)};
    call_.is_custom =
        std::any_of(context_.custom_tools.begin(), context_.custom_tools.end(),
                    [&](const std::string& custom) { return json::Value{name}.equals(custom); });
    const std::string_view kind = call_.is_custom ? "ctc" : "fc";
    open(Open::kCall, kind, call_item(item_id(kind, response_.id, place_), "in_progress", call_));
  }

  void arguments(std::size_t, std::string_view piece) override {
    text_.append(inside(piece));
    // The text of a custom tool stands inside JSON, which can be read only when it is whole.
    if (call_.is_custom) return;
    json::Writer w = begin("response.function_call_arguments.delta");
    place(w);
    w.key("delta").raw(piece);
    send("response.function_call_arguments.delta", w);
  }

  void finish(Stop stop, std::string_view, const std::optional<Usage>& usage) override {
    close();
    response_.usage = usage;
    set_status(stop, response_);
    send_response(response_.status == "completed" ? "response.completed" : "response.incomplete");
  }

  void error(int, std::string_view message) override {
    if (!started_) send_response("response.created");
    response_.status = "failed";
    response_.error_message = message;
    send_response("response.failed");
  }

 private:
  enum class Open { kNothing, kText, kRefusal, kThinking, kHidden, kCall };

  json::Writer begin(std::string_view type) {
    json::Writer w;
    w.begin_object().key("type").string(type).key("sequence_number").number(number_++);
    return w;
  }
  void place(json::Writer& w) const {
    w.key("item_id").string(id_).key("output_index").number(place_);
  }
  void place_part(json::Writer& w) const {
    place(w);
    w.key(open_ == Open::kThinking ? "summary_index" : "content_index").number(0);
  }

  void open_message(Open kind) {
    if (open_ == kind) return;
    close();
    open(kind, "msg", message_item(item_id("msg", response_.id, place_), "in_progress", ""));
    part("response.content_part.added",
         kind == Open::kText ? text_part("\"\"") : refusal_part("\"\""));
  }

  void open(Open kind, std::string_view prefix, std::string_view item) {
    open_ = kind;
    id_ = item_id(prefix, response_.id, place_);
    text_.clear();
    sealed_.clear();
    send_item("response.output_item.added", item);
  }

  void close() {
    const std::string text = '"' + text_ + '"';
    switch (open_) {
      case Open::kNothing:
        return;
      case Open::kText:
        done("response.output_text.done", "text", text, true);
        part("response.content_part.done", text_part(text));
        close_item(message_item(id_, "completed", text_part(text)));
        break;
      case Open::kRefusal:
        done("response.refusal.done", "refusal", text, false);
        part("response.content_part.done", refusal_part(text));
        close_item(message_item(id_, "completed", refusal_part(text)));
        break;
      case Open::kThinking: {
        done("response.reasoning_summary_text.done", "text", text, false);
        json::Writer w;
        w.begin_object().key("type").string("summary_text").key("text").raw(text).end_object();
        part("response.reasoning_summary_part.done", w.text());
        close_item(reasoning_item(id_, text, sealed_));
        break;
      }
      case Open::kHidden:
        close_item(reasoning_item(id_, "", sealed_));
        break;
      case Open::kCall:
        close_call(text);
        break;
    }
    open_ = Open::kNothing;
    ++place_;
  }

  void close_call(const std::string& text) {
    call_.text = call_.is_custom ? custom_input(text) : text;
    if (call_.is_custom) {
      json::Writer w = begin("response.custom_tool_call_input.delta");
      place(w);
      w.key("delta").raw(call_.text);
      send("response.custom_tool_call_input.delta", w);
    }
    const std::string_view type = call_.is_custom ? "response.custom_tool_call_input.done"
                                                  : "response.function_call_arguments.done";
    json::Writer w = begin(type);
    place(w);
    w.key(call_.is_custom ? "input" : "arguments").raw(call_.text);
    if (!call_.is_custom) w.key("name").raw(call_.name);
    send(type, w);
    close_item(call_item(id_, "completed", call_));
  }

  void close_item(const std::string& item) {
    send_item("response.output_item.done", item);
    output_.append(output_.size() > 1 ? "," : "").append(item);
  }

  void done(std::string_view type, std::string_view key, std::string_view text, bool logprobs) {
    json::Writer w = begin(type);
    place_part(w);
    w.key(key).raw(text);
    if (logprobs) w.key("logprobs").begin_array().end_array();
    send(type, w);
  }

  void part(std::string_view type, std::string_view part) {
    json::Writer w = begin(type);
    place_part(w);
    w.key("part").raw(part);
    send(type, w);
  }

  void send_item(std::string_view type, std::string_view item) {
    json::Writer w = begin(type);
    w.key("output_index").number(place_).key("item").raw(item);
    send(type, w);
  }

  void send_response(std::string_view type) {
    json::Writer w = begin(type);
    response_.output = output_ + "]";
    const std::string response = write_response(response_, *context_.request);
    if (context_.kept != nullptr && response_.status == "completed") *context_.kept = response;
    w.key("response").raw(response);
    send(type, w);
  }

  void send(std::string_view type, json::Writer& w) {
    w.end_object();
    out->append("event: ").append(type).append("\ndata: ").append(w.text()).append("\n\n");
  }

  StreamContext context_;
  ResponseObject response_;
  Open open_ = Open::kNothing;
  bool started_ = false;
  std::size_t number_ = 0, place_ = 0;
  std::string id_, text_, sealed_, output_ = "[";
  Block call_;
};

}  // namespace

std::unique_ptr<StreamSink> write_responses_stream(StreamContext context) {
  return std::make_unique<ResponsesStreamWriter>(std::move(context));
}

}  // namespace rung::wire
