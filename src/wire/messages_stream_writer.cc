#include "json/write.h"
#include "wire/error_reply.h"
#include "wire/stream_sink.h"
#include "wire/thinking.h"

namespace rung::wire {
namespace {

/// Events of Anthropic Messages: one block is open at a time, and closed before the next.
class MessagesStreamWriter : public StreamSink {
 public:
  explicit MessagesStreamWriter(StreamContext context) : context_(std::move(context)) {}

  void start(std::string_view id, std::string_view model,
             const std::optional<Usage>& prompt) override {
    // Chat Completions counts at the end only: until then the prompt is our estimate.
    Usage known = prompt.value_or(Usage{});
    if (!known.prompt_tokens) known.prompt_tokens = context_.prompt_tokens;
    json::Writer w;
    w.begin_object().key("type").string("message_start").key("message").begin_object();
    w.key("id").string(id.empty() ? "msg_rung" : id).key("type").string("message");
    w.key("role").string("assistant").key("model").string(model);
    w.key("content")
        .begin_array()
        .end_array()
        .key("stop_reason")
        .null()
        .key("stop_sequence")
        .null();
    w.key("usage").raw(messages_usage(known)).end_object().end_object();
    send("message_start", w.text());
  }

  void text(std::string_view piece) override {
    open(Open::kText, R"({"type":"text","text":""})");
    delta("text_delta", "text", piece);
  }
  void refusal(std::string_view piece) override {
    refused_ = true;
    text(piece);
  }
  void thinking(std::string_view piece) override {
    open(Open::kThinking, R"({"type":"thinking","thinking":"","signature":""})");
    delta("thinking_delta", "thinking", piece);
  }
  void signature(std::string_view piece) override {
    if (open_ != Open::kThinking) return;
    delta("signature_delta", "signature", piece);
    is_signed_ = true;
  }
  void redacted(std::string_view data) override {
    json::Writer w;
    w.begin_object().key("type").string("redacted_thinking").key("data").raw(data).end_object();
    close();
    open(Open::kRedacted, w.text());
  }

  void tool(std::size_t, std::string_view id, std::string_view name) override {
    json::Writer w;
    w.begin_object().key("type").string("tool_use").key("id").raw(id).key("name").raw(name);
    w.key("input").begin_object().end_object().end_object();
    close();
    open(Open::kTool, w.text());
  }
  void arguments(std::size_t, std::string_view piece) override {
    if (open_ == Open::kTool) delta("input_json_delta", "partial_json", piece);
  }

  void finish(Stop stop, std::string_view sequence, const std::optional<Usage>& usage) override {
    close();
    json::Writer w;
    w.begin_object().key("type").string("message_delta").key("delta").begin_object();
    w.key("stop_reason").string(messages_reason(refused_ ? Stop::kFilter : stop));
    w.key("stop_sequence");
    sequence.empty() ? w.null() : w.raw(sequence);
    w.end_object().key("usage").raw(messages_usage(usage.value_or(Usage{}))).end_object();
    send("message_delta", w.text());
    send("message_stop", R"({"type":"message_stop"})");
  }

  void error(int status, std::string_view message) override {
    send("error", messages_error_body(messages_error_type(status), message, {}));
  }

 private:
  enum class Open { kNothing, kText, kThinking, kRedacted, kTool };

  void open(Open kind, std::string_view block) {
    if (open_ == kind) return;
    close();
    open_ = kind;
    is_signed_ = false;
    json::Writer w;
    w.begin_object().key("type").string("content_block_start").key("index").number(index_);
    w.key("content_block").raw(block).end_object();
    send("content_block_start", w.text());
  }

  void close() {
    if (open_ == Open::kNothing) return;
    if (open_ == Open::kThinking && !is_signed_)
      delta("signature_delta", "signature", quoted(kUnsigned));
    json::Writer w;
    w.begin_object().key("type").string("content_block_stop").key("index").number(index_);
    w.end_object();
    send("content_block_stop", w.text());
    open_ = Open::kNothing;
    ++index_;
  }

  void delta(std::string_view type, std::string_view key, std::string_view piece) {
    json::Writer w;
    w.begin_object().key("type").string("content_block_delta").key("index").number(index_);
    w.key("delta").begin_object().key("type").string(type).key(key).raw(piece).end_object();
    w.end_object();
    send("content_block_delta", w.text());
  }

  void send(std::string_view name, std::string_view data) const {
    out->append("event: ").append(name).append("\ndata: ").append(data).append("\n\n");
  }

  StreamContext context_;
  Open open_ = Open::kNothing;
  std::size_t index_ = 0;
  bool refused_ = false, is_signed_ = false;
};

}  // namespace

std::unique_ptr<StreamSink> write_messages_stream(StreamContext context) {
  return std::make_unique<MessagesStreamWriter>(std::move(context));
}

}  // namespace rung::wire
