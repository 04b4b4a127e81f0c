#include <fmt/format.h>

#include <charconv>

#include "json/write.h"
#include "wire/anthropic_messages.h"
#include "wire/error_reply.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

/// Chat Completions to Chat Completions: the bytes as they came, without a usage chunk that only we
/// asked for.
class ChatPassing : public StreamRelay {
 public:
  explicit ChatPassing(bool hide_usage) : hide_usage_(hide_usage) {
    facts_.proper_end = "a finish_reason or [DONE]";
  }

  void take(const StreamEvent& event, std::string& out) override {
    if (event.has_data) {
      ChatChunk chunk = read_chat_chunk(event.data);
      const bool only_usage = !chunk.has_choices && chunk.usage.has_value();
      if (chunk.usage) facts_.usage = std::move(chunk.usage);
      facts_.has_error = facts_.has_error || chunk.is_error;
      facts_.is_whole = facts_.is_whole || chunk.is_done || chunk.is_error || chunk.is_last;
      if (chunk.has_choices) ++facts_.produced;
      if (hide_usage_ && only_usage && !chunk.is_error) return;
    }
    out.append(event.raw);
  }

  void end(std::string_view rest, std::string& out) override {
    facts_.is_whole = facts_.is_whole || read_chat_chunk(rest).is_last ||
                      rest.find("[DONE]") != std::string_view::npos;
    out.append(rest);
  }

  void break_off(const Error& error, std::string& out) override {
    fmt::format_to(std::back_inserter(out), "data: {}\n\n", openai_error_body(error));
  }

 private:
  bool hide_usage_;
};

/// Anthropic Messages to Anthropic Messages: the bytes as they came.
class MessagesPassing : public StreamRelay {
 public:
  MessagesPassing() { facts_.proper_end = "a stop_reason or message_stop"; }

  void take(const StreamEvent& event, std::string& out) override {
    if (event.has_data) note(messages_event(event.name, event.data), event.data);
    out.append(event.raw);
  }

  void end(std::string_view rest, std::string& out) override {
    facts_.is_whole = facts_.is_whole || rest.find("message_stop") != std::string_view::npos;
    out.append(rest);
  }

  void break_off(const Error& error, std::string& out) override {
    fmt::format_to(std::back_inserter(out), "event: error\ndata: {}\n\n",
                   error_body(Dialect::kMessages, error, {}));
  }

 private:
  void note(std::string_view name, std::string_view data) {
    if (name == "content_block_delta") {
      ++facts_.produced;
    } else if (name == "message_stop") {
      facts_.is_whole = true;
    } else if (name == "error") {
      facts_.has_error = facts_.is_whole = true;
    } else if (name == "message_start" || name == "message_delta") {
      const auto root = json::parse(data);
      if (!root || !root->is_object()) return;
      if (name == "message_start") {
        const auto message = json::find(*root, "message");
        const auto usage =
            message && message->is_object() ? json::find(*message, "usage") : std::nullopt;
        if (usage) merge_messages_usage(*usage, facts_.usage);
        // What it says of the answer is only its beginning.
        if (facts_.usage) facts_.usage->completion_tokens.reset();
        return;
      }
      if (const auto usage = json::find(*root, "usage")) merge_messages_usage(*usage, facts_.usage);
      const auto delta = json::find(*root, "delta");
      facts_.is_whole =
          facts_.is_whole || (delta && delta->is_object() && present(*delta, "stop_reason"));
    }
  }
};

/// OpenAI Responses to OpenAI Responses: the bytes as they came.
class ResponsesPassing : public StreamRelay {
 public:
  ResponsesPassing() {
    facts_.proper_end = "response.completed, response.incomplete or response.failed";
  }

  void take(const StreamEvent& event, std::string& out) override {
    if (event.has_data) note(event.name, event.data);
    out.append(event.raw);
  }

  void end(std::string_view rest, std::string& out) override {
    for (const std::string_view name :
         {"response.completed", "response.incomplete", "response.failed"})
      facts_.is_whole = facts_.is_whole || rest.find(name) != std::string_view::npos;
    out.append(rest);
  }

  void break_off(const Error& error, std::string& out) override {
    json::Writer w;
    w.begin_object()
        .key("type")
        .string("response.failed")
        .key("sequence_number")
        .number(number_ + 1);
    w.key("response").begin_object().key("id").string(id_).key("object").string("response");
    w.key("created_at").number(0).key("status").string("failed").key("error").begin_object();
    w.key("code").string("server_error").key("message").string(error.message).end_object();
    w.key("output").begin_array().end_array().end_object().end_object();
    fmt::format_to(std::back_inserter(out), "event: response.failed\ndata: {}\n\n", w.text());
  }

 private:
  void note(std::string_view name, std::string_view data) {
    const bool is_delta = name.ends_with(".delta");
    if (is_delta) ++facts_.produced;
    const std::size_t at = data.rfind(kNumber);
    if (at != std::string_view::npos) {
      std::int64_t number = 0;
      const char* from = data.data() + at + kNumber.size();
      while (from != data.data() + data.size() && *from == ' ') ++from;
      if (std::from_chars(from, data.data() + data.size(), number).ec == std::errc())
        number_ = number;
    }
    if (is_delta) return;
    const auto root = json::parse(data);
    if (!root || !root->is_object()) return;
    const std::string type = text_of(*root, "type");
    if (type == "error") facts_.has_error = facts_.is_whole = true;
    const auto response = json::find(*root, "response");
    if (!response || !response->is_object()) return;
    if (id_.empty()) id_ = text_of(*response, "id");
    facts_.has_error = facts_.has_error || type == "response.failed";
    facts_.is_whole = facts_.is_whole || type == "response.completed" ||
                      type == "response.incomplete" || type == "response.failed";
    if (const auto usage = present(*response, "usage"))
      if (auto counted = parse_usage(*usage)) facts_.usage = std::move(counted);
  }

  static constexpr std::string_view kNumber = "\"sequence_number\":";
  std::string id_;
  std::int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<StreamRelay> make_passing_stream(Dialect dialect, bool hide_usage) {
  if (dialect == Dialect::kMessages) return std::make_unique<MessagesPassing>();
  if (dialect == Dialect::kResponses) return std::make_unique<ResponsesPassing>();
  return std::make_unique<ChatPassing>(hide_usage);
}

}  // namespace rung::wire
