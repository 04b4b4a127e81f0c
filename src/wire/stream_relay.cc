#include "wire/stream_relay.h"

#include <fmt/format.h>

#include "wire/anthropic_messages.h"
#include "wire/error_reply.h"
#include "wire/fields.h"
#include "wire/openai_chat.h"
#include "wire/stream_sink.h"

namespace rung::wire {
namespace {

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
    // The headers have left: a comment is the only place to say it.
    for (; told_ < facts_.dropped.size(); ++told_)
      out.append(": x-rung-dropped: ").append(one_line(facts_.dropped[told_])).append("\n\n");
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
  static std::string one_line(std::string text) {
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20) c = '?';
    return text;
  }

  std::unique_ptr<StreamReader> reader_;
  std::unique_ptr<StreamSink> sink_;
  std::size_t told_ = 0;
};

}  // namespace

std::unique_ptr<StreamRelay> make_stream_relay(const Request& request,
                                               const ReplyContext& context) {
  if (request.dialect == context.upstream)
    return make_passing_stream(context.upstream, context.hide_usage);
  auto reader =
      context.upstream == Dialect::kMessages ? read_messages_stream() : read_chat_stream();
  StreamContext about{.wants_usage = request.wants_usage,
                      .created = context.created,
                      .prompt_tokens = context.prompt_tokens,
                      .custom_tools = custom_tools(request),
                      .id = std::string(context.id),
                      .kept = context.kept,
                      .request = &request};
  auto sink = request.dialect == Dialect::kMessages    ? write_messages_stream(std::move(about))
              : request.dialect == Dialect::kResponses ? write_responses_stream(std::move(about))
                                                       : write_chat_stream(std::move(about));
  return std::make_unique<Translating>(std::move(reader), std::move(sink));
}

}  // namespace rung::wire
