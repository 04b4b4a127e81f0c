#include "wire/stream_relay.h"

#include <fmt/format.h>

#include "wire/error_reply.h"
#include "wire/openai_chat.h"

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

}  // namespace

std::unique_ptr<StreamRelay> make_stream_relay(const StreamOptions& options) {
  return std::make_unique<ChatPassing>(options.hide_usage);
}

}  // namespace rung::wire
