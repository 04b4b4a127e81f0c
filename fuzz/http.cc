// HTTP/1.1 heads and the chunked coding: what is read must not depend on where the bytes were cut.

#include <string>

#include "base/check.h"
#include "fuzz/target.h"
#include "net/content_coding.h"
#include "net/http_parser.h"
#include "net/url.h"

namespace {

using namespace rung;

/// Views lie inside the bytes that they were read from.
void inside(std::string_view view, std::string_view bytes) {
  if (view.empty()) return;
  RUNG_CHECK(
      view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size(),
      "a view points out of the input");
}

/// Feeds a scanner piece by piece; the answer of the first call that has one.
ParseResult scan_in_pieces(std::string_view input) {
  HeadScanner scanner;
  fuzz::Pieces pieces(input);
  std::size_t have = 0;
  for (;;) {
    const std::string_view piece = pieces.next();
    if (piece.empty()) return {};
    have += piece.size();
    const ParseResult result = scanner.scan(input.substr(0, have));
    if (result.state != ParseState::kMore) return result;
  }
}

void same_scan(std::string_view input) {
  HeadScanner scanner;
  const ParseResult whole = scanner.scan(input), split = scan_in_pieces(input);
  RUNG_CHECK(whole.state == split.state, "where bytes are cut changes what is read");
  if (whole.state == ParseState::kDone)
    RUNG_CHECK(whole.consumed == split.consumed && whole.consumed <= input.size(),
               "where bytes are cut changes where the head ends");
}

std::string unchunk(std::string_view input, bool in_pieces, bool& done, bool& bad) {
  ChunkedDecoder decoder;
  std::string body;
  fuzz::Pieces pieces(input);
  for (std::string_view piece = in_pieces ? pieces.next() : input; !piece.empty();
       piece = in_pieces ? pieces.next() : std::string_view()) {
    while (!piece.empty() && !decoder.done() && !decoder.bad()) {
      const ChunkedDecoder::Step step = decoder.next(piece);
      RUNG_CHECK(step.consumed <= piece.size(), "more was taken than there was");
      RUNG_CHECK(step.consumed > 0 || decoder.bad() || decoder.done(), "a step takes nothing");
      body += step.data;
      piece.remove_prefix(step.consumed);
    }
  }
  done = decoder.done();
  bad = decoder.bad();
  return body;
}

}  // namespace

RUNG_FUZZ(http_request) {
  same_scan(input);
  HttpRequestHead head;
  const ParseResult result = parse_request_head(input, head);
  if (result.state == ParseState::kBad)
    RUNG_CHECK(result.status >= 400 && result.status < 600 && !result.why.empty(),
               "a refusal has a status and a reason");
  if (result.state != ParseState::kDone) return;
  RUNG_CHECK(!(head.chunked && head.content_length), "a body has one length");
  inside(head.method, input);
  inside(head.target, input);
  for (const HttpHeader& header : head.headers) {
    inside(header.name, input);
    inside(header.value, input);
    RUNG_CHECK(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
               "a header's value holds no line break");
  }
  static_cast<void>(percent_decoded(head.path));
}

RUNG_FUZZ(http_response) {
  same_scan(input);
  HttpResponseHead head;
  if (parse_response_head(input, head).state != ParseState::kDone) return;
  RUNG_CHECK(head.status >= 100 && head.status <= 999, "a status has three digits");
  for (const HttpHeader& header : head.headers) inside(header.value, input);
}

RUNG_FUZZ(chunked) {
  bool done = false, bad = false, split_done = false, split_bad = false;
  const std::string whole = unchunk(input, false, done, bad);
  const std::string split = unchunk(input, true, split_done, split_bad);
  RUNG_CHECK(whole == split && done == split_done && bad == split_bad,
             "where bytes are cut changes the body");
}

RUNG_FUZZ(content_coding) {
  constexpr std::string_view kCodings[] = {"gzip", "deflate", "zstd", "identity"};
  const std::uint8_t choice = fuzz::take_byte(input);
  const std::size_t limit = 1u << 20;
  const auto plain = decode_content(kCodings[choice % 4], input, limit);
  if (plain) RUNG_CHECK(plain->size() <= limit, "the limit holds");
}

RUNG_FUZZ(url) {
  if (const auto url = parse_url(input)) {
    RUNG_CHECK(!url->host.empty() && url->port != 0, "a URL names a host and a port");
    const std::string again = (url->tls ? "https://" : "http://") + url->authority() + url->path;
    const auto parsed = parse_url(again);
    RUNG_CHECK(parsed && parsed->host == url->host && parsed->port == url->port,
               "a URL that is written is read back");
  }
  static_cast<void>(parse_listen(input));
  static_cast<void>(percent_decoded(input));
}
