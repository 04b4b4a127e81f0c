// Requests, replies and streams of every dialect, toward every dialect. The first byte chooses the
// pair.

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/target.h"
#include "json/value.h"
#include "net/sse.h"
#include "wire/exchange.h"
#include "wire/session_facts.h"

namespace {

using namespace rung;
using wire::Dialect;

constexpr Dialect kDialects[] = {Dialect::kChat, Dialect::kMessages, Dialect::kResponses};

/// A request that each dialect takes, for replies to be replies to.
const wire::Request& plain_request(Dialect dialect) {
  static const std::string kBodies[] = {
      R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","stream":true,"input":"hi","tools":[{"type":"custom","name":"patch"}]})"};
  static const std::vector<wire::Request> kRequests = [] {
    std::vector<wire::Request> made;
    for (std::size_t i = 0; i < 3; ++i) {
      auto request = wire::parse_request(kDialects[i], kBodies[i]);
      RUNG_CHECK(request.has_value(), "the plain request is one");
      made.push_back(*std::move(request));
    }
    return made;
  }();
  for (std::size_t i = 0; i < 3; ++i)
    if (kDialects[i] == dialect) return kRequests[i];
  return kRequests[0];
}

void is_json(const std::string& text, const char* what) {
  RUNG_CHECK(json::parse(text).has_value(), what);
}

std::string relayed(const wire::Request& request, Dialect upstream, bool hide,
                    std::string_view input, bool in_pieces) {
  auto relay = wire::make_stream_relay(
      request, {.upstream = upstream, .hide_usage = hide, .created = 1, .prompt_tokens = 7});
  SseSplitter splitter;
  std::string out;
  fuzz::Pieces pieces(input);
  for (std::string_view piece = in_pieces ? pieces.next() : input; !piece.empty();
       piece = in_pieces ? pieces.next() : std::string_view()) {
    const std::string own(piece);
    splitter.feed(own);
    for (SseEvent event; splitter.next(event);)
      relay->take({event.raw, event.event, event.data, event.has_data}, out);
  }
  relay->end(splitter.rest(), out);
  if (!relay->facts().is_whole) relay->break_off({ErrorCode::kUpstream, "it was cut"}, out);
  return out;
}

}  // namespace

RUNG_FUZZ(request) {
  const std::uint8_t choice = fuzz::take_byte(input);
  const Dialect from = kDialects[choice % 3], to = kDialects[choice / 3 % 3];
  const auto request = wire::parse_request(from, input);
  if (!request) {
    RUNG_CHECK(!request.error().message.empty(), "a refusal has a sentence");
    return;
  }
  static_cast<void>(wire::read_session_facts(request->root));
  const std::vector<std::string> efforts{"low", "high"};
  const auto made = wire::make_outgoing(*request, input,
                                        {.dialect = to,
                                         .model = "other-model",
                                         .effort = choice & 64 ? "low" : "",
                                         .efforts = efforts});
  if (!made) return;
  is_json(made->body, "what is sent is JSON");
  if (!made->dropped.empty()) return;  // told of; what is left may be too little
  const auto again = wire::parse_request(to, made->body);
  RUNG_CHECK(again && again->model == "other-model", "what is sent is a request of that dialect");
}

RUNG_FUZZ(reply) {
  const std::uint8_t choice = fuzz::take_byte(input);
  const Dialect client = kDialects[choice % 3], upstream = kDialects[choice / 3 % 3];
  static_cast<void>(wire::read_reply(upstream, input));
  if (client == upstream) return;
  std::vector<std::string> dropped;
  const wire::ReplyContext context{.upstream = upstream, .created = 1};
  if (upstream != Dialect::kResponses)
    if (const auto made = wire::translate_reply(plain_request(client), context, input, dropped))
      is_json(*made, "a translated reply is JSON");
  is_json(wire::translate_error(client, 400 + choice, input, "id-1"), "an error is JSON");
}

RUNG_FUZZ(stream) {
  const std::uint8_t choice = fuzz::take_byte(input);
  const Dialect client = kDialects[choice % 3], upstream = kDialects[choice / 3 % 3];
  if (client != upstream && upstream == Dialect::kResponses) return;  // never asked in our words
  const wire::Request& request = plain_request(client);
  const bool hide = (choice & 64) != 0;
  const std::string whole = relayed(request, upstream, hide, input, false);
  const std::string split = relayed(request, upstream, hide, input, true);
  RUNG_CHECK(whole == split, "where bytes are cut changes what the client gets");
  if (client == upstream) return;
  // What we write ourselves is well formed.
  SseSplitter splitter;
  splitter.feed(whole);
  for (SseEvent event; splitter.next(event);)
    if (event.has_data && event.data != "[DONE]")
      is_json(std::string(event.data), "an event that we make holds JSON");
  RUNG_CHECK(splitter.rest().empty(), "a stream that we make ends with an event");
}
