#include "wire/stream_relay.h"

#include <fmt/format.h>

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

/// From one dialect to another.
class Translating : public StreamRelay {
 public:
  Translating(std::unique_ptr<StreamReader> reader, std::unique_ptr<StreamSink> sink)
      : reader_(std::move(reader)), sink_(std::move(sink)) {
    facts_.proper_end = "an event that says why it ended";
  }

  void take(const StreamEvent& event, std::string& out) override {
    // What keeps a connection alive on one side does so on the other.
    if (event.name == "ping") {
      out.append(": ping\n\n");
    } else if (!event.has_data) {
      if (event.raw.find(':') != std::string_view::npos) out.append(event.raw);
    } else {
      sink_->out = &out;
      reader_->take(event, *sink_, facts_);
    }
  }

  void end(std::string_view rest, std::string& out) override {
    sink_->out = &out;
    // Some hosts leave out the empty line after their last event.
    const std::size_t at = rest.find("data:");
    if (at != std::string_view::npos) {
      std::string_view data = rest.substr(at + 5);
      data = data.substr(0, data.find_first_of("\r\n"));
      while (data.starts_with(' ')) data.remove_prefix(1);
      StreamEvent event;
      event.raw = rest;
      event.data = data;
      event.has_data = true;
      reader_->take(event, *sink_, facts_);
    }
    reader_->end(*sink_, facts_);
  }

  void break_off(const Error& error, std::string& out) override {
    sink_->out = &out;
    sink_->error(error_reply(error.code).status, error.message);
  }

 private:
  std::unique_ptr<StreamReader> reader_;
  std::unique_ptr<StreamSink> sink_;
};

}  // namespace

std::unique_ptr<StreamRelay> make_stream_relay(const Request& request,
                                               const ReplyContext& context) {
  if (request.dialect == context.upstream) {
    if (request.dialect == Dialect::kMessages) return std::make_unique<MessagesPassing>();
    return std::make_unique<ChatPassing>(context.hide_usage);
  }
  auto reader =
      context.upstream == Dialect::kMessages ? read_messages_stream() : read_chat_stream();
  StreamContext about{.wants_usage = request.wants_usage,
                      .created = context.created,
                      .prompt_tokens = context.prompt_tokens,
                      .custom_tools = custom_tools(request)};
  auto sink = request.dialect == Dialect::kMessages ? write_messages_stream(std::move(about))
                                                    : write_chat_stream(std::move(about));
  return std::make_unique<Translating>(std::move(reader), std::move(sink));
}

}  // namespace rung::wire
