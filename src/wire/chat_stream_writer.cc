#include <algorithm>

#include "json/write.h"
#include "wire/error_reply.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

/// Chunks of Chat Completions. Thinking is `reasoning_content`; once its signature has come it is
/// said again as `thinking_blocks`, for clients that send it back.
class ChatStreamWriter : public StreamSink {
 public:
  explicit ChatStreamWriter(StreamContext context) : context_(std::move(context)) {}

  void start(std::string_view id, std::string_view model, const std::optional<Usage>&) override {
    id_ = id.empty() ? "chatcmpl-rung" : id;
    model_ = model;
    chunk(R"({"role":"assistant","content":""})");
  }

  void text(std::string_view piece) override { chunk(member("content", piece)); }
  void refusal(std::string_view piece) override { chunk(member("refusal", piece)); }

  void thinking(std::string_view piece) override {
    thought_.append(inside(piece));
    chunk(member("reasoning_content", piece));
  }

  void signature(std::string_view piece) override {
    json::Writer w;
    w.begin_object().key("thinking_blocks").begin_array().begin_object();
    w.key("type").string("thinking").key("thinking").raw('"' + thought_ + '"');
    w.key("signature").raw(piece).end_object().end_array().end_object();
    thought_.clear();
    chunk(w.text());
  }

  void redacted(std::string_view data) override {
    json::Writer w;
    w.begin_object().key("thinking_blocks").begin_array().begin_object();
    w.key("type").string("redacted_thinking").key("data").raw(data);
    w.end_object().end_array().end_object();
    chunk(w.text());
  }

  void tool(std::size_t ordinal, std::string_view id, std::string_view name) override {
    flush_custom();
    is_custom_ =
        std::any_of(context_.custom_tools.begin(), context_.custom_tools.end(),
                    [&](const std::string& custom) { return json::Value{name}.equals(custom); });
    json::Writer w;
    w.begin_object().key("tool_calls").begin_array().begin_object().key("index").number(ordinal);
    w.key("id").raw(id).key("type").string(is_custom_ ? "custom" : "function");
    w.key(is_custom_ ? "custom" : "function").begin_object().key("name").raw(name);
    w.key(is_custom_ ? "input" : "arguments").string("").end_object();
    w.end_object().end_array().end_object();
    ordinal_ = ordinal;
    chunk(w.text());
  }

  void arguments(std::size_t ordinal, std::string_view piece) override {
    // The text of a custom tool stands inside JSON, which can be read only when it is whole.
    if (is_custom_)
      custom_.append(inside(piece));
    else
      arguments_chunk(ordinal, "function", "arguments", piece);
  }

  void finish(Stop stop, std::string_view, const std::optional<Usage>& usage) override {
    flush_custom();
    chunk("{}", chat_reason(stop));
    if (context_.wants_usage && usage) {
      json::Writer w;
      begin(w);
      w.key("choices").begin_array().end_array().key("usage").raw(chat_usage(*usage)).end_object();
      send(w.text());
    }
    send("[DONE]");
  }

  void error(int status, std::string_view message) override {
    send(openai_error_body(message, status < 500 ? "invalid_request_error" : "server_error", "",
                           "upstream_error"));
  }

 private:
  static std::string member(std::string_view key, std::string_view json_string) {
    json::Writer w;
    w.begin_object().key(key).raw(json_string).end_object();
    return w.take();
  }

  void arguments_chunk(std::size_t ordinal, std::string_view kind, std::string_view key,
                       std::string_view piece) {
    json::Writer w;
    w.begin_object().key("tool_calls").begin_array().begin_object().key("index").number(ordinal);
    w.key(kind).begin_object().key(key).raw(piece).end_object();
    w.end_object().end_array().end_object();
    chunk(w.text());
  }

  void flush_custom() {
    if (custom_.empty()) return;
    arguments_chunk(ordinal_, "custom", "input", custom_input('"' + custom_ + '"'));
    custom_.clear();
  }

  void begin(json::Writer& w) const {
    w.begin_object().key("id").string(id_).key("object").string("chat.completion.chunk");
    w.key("created").number(context_.created).key("model").string(model_);
  }

  void chunk(std::string_view delta, std::string_view finish_reason = {}) {
    json::Writer w;
    begin(w);
    w.key("choices").begin_array().begin_object().key("index").number(0).key("delta").raw(delta);
    w.key("finish_reason");
    finish_reason.empty() ? w.null() : w.string(finish_reason);
    w.end_object().end_array().end_object();
    send(w.text());
  }

  void send(std::string_view data) const { out->append("data: ").append(data).append("\n\n"); }

  StreamContext context_;
  std::string id_, model_, thought_, custom_;
  std::size_t ordinal_ = 0;
  bool is_custom_ = false;
};

}  // namespace

std::unique_ptr<StreamSink> write_chat_stream(StreamContext context) {
  return std::make_unique<ChatStreamWriter>(std::move(context));
}

}  // namespace rung::wire
