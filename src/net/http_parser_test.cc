#include "net/http_parser.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace rung {
namespace {

ParseResult parse(std::string_view bytes, HttpRequestHead& head) {
  return parse_request_head(bytes, head);
}

TEST(RequestHead, GivesMethodTargetHeadersAndFraming) {
  HttpRequestHead head;
  const std::string_view bytes =
      "POST /v1/chat?beta=true HTTP/1.1\r\nHost: x\r\nContent-Type:application/json \r\n"
      "content-length: 12\r\n\r\nhello";
  const ParseResult result = parse(bytes, head);
  ASSERT_EQ(result.state, ParseState::kDone) << result.why;
  EXPECT_EQ(bytes.substr(result.consumed), "hello");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/v1/chat");
  EXPECT_EQ(head.query, "beta=true");
  EXPECT_EQ(head.headers.get("CONTENT-TYPE"), "application/json");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.headers.find("absent"));
}

TEST(RequestHead, IsTheSameByteByByte) {
  const std::string bytes =
      "\r\nGET /a HTTP/1.1\r\nHost: x\r\nX-Long: some value, with parts\r\n\r\n";
  HeadScanner scanner;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(scanner.scan(std::string_view(bytes).substr(0, size)).state, ParseState::kMore)
        << size;
    HttpRequestHead head;
    ASSERT_EQ(parse(std::string_view(bytes).substr(0, size), head).state, ParseState::kMore)
        << size;
  }
  EXPECT_EQ(scanner.scan(bytes).consumed, bytes.size());
}

TEST(RequestHead, RefusesWhatSmugglersSend) {
  const std::pair<std::string, int> hostile[] = {
      {"GET / HTTP/1.1\nHost: x\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b" + std::string(1, '\0') + "c\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\r\nHost: a\r\n\r\n", 400},
      {"G<T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET relative HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01 / x\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : hostile) {
    HttpRequestHead head;
    const ParseResult result = parse(bytes, head);
    EXPECT_EQ(result.state, ParseState::kBad) << bytes;
    EXPECT_EQ(result.status, status) << bytes << result.why;
    EXPECT_FALSE(result.why.empty());
  }
}

TEST(RequestHead, AcceptsTheHonestVariants) {
  HttpRequestHead head;
  ASSERT_EQ(parse("GET http://host:8/p?q HTTP/1.1\r\nHost: a\r\n\r\n", head).state,
            ParseState::kDone);
  EXPECT_EQ(head.path, "/p");
  EXPECT_EQ(head.query, "q");
  ASSERT_EQ(parse("GET http://host HTTP/1.1\r\nHost: a\r\n\r\n", head).state, ParseState::kDone);
  EXPECT_EQ(head.path, "/");
  ASSERT_EQ(parse("GET / HTTP/1.0\r\n\r\n", head).state, ParseState::kDone);
  EXPECT_FALSE(head.keep_alive);
  ASSERT_EQ(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", head).state,
            ParseState::kDone);
  EXPECT_TRUE(head.keep_alive);
  ASSERT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", head).state,
            ParseState::kDone);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_TRUE(head.headers.has_token("connection", "close"));
  ASSERT_EQ(
      parse("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", head)
          .state,
      ParseState::kDone);
  EXPECT_EQ(head.content_length, 3u);
  ASSERT_EQ(parse("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: "
                  "100-continue\r\n\r\n",
                  head)
                .state,
            ParseState::kDone);
  EXPECT_TRUE(head.chunked);
  EXPECT_TRUE(head.expect_continue);
  ASSERT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", head).state, ParseState::kDone);
}

TEST(RequestHead, IsBoundedInBytesAndInHeaders) {
  HttpRequestHead head;
  const std::string long_line = "GET /" + std::string(40'000, 'a');
  EXPECT_EQ(parse(long_line, head).status, 431);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  EXPECT_EQ(parse(many + "\r\n", head).status, 431);
}

TEST(ResponseHead, GivesStatusReasonAndFraming) {
  HttpResponseHead head;
  ASSERT_EQ(parse_response_head(
                "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", head)
                .state,
            ParseState::kDone);
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.reason, "Too Many");
  EXPECT_EQ(head.headers.get("retry-after"), "7");
  ASSERT_EQ(parse_response_head("HTTP/1.0 200 \r\n\r\n", head).state, ParseState::kDone);
  EXPECT_FALSE(head.keep_alive);
  ASSERT_EQ(parse_response_head("HTTP/1.1 200\r\n\r\n", head).state, ParseState::kDone);
  for (const std::string_view bytes :
       {"HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    EXPECT_EQ(parse_response_head(bytes, head).state, ParseState::kBad) << bytes;
  }
}

/// Decodes `bytes` fed in pieces of `step`; "!" and the reason when it is refused.
std::string decode(std::string_view bytes, std::size_t step, std::string* rest = nullptr) {
  ChunkedDecoder decoder;
  std::string body;
  while (!bytes.empty() && !decoder.done()) {
    std::string_view piece = bytes.substr(0, step);
    while (!piece.empty() && !decoder.done()) {
      const auto taken = decoder.next(piece);
      if (decoder.bad()) return "!" + std::string(decoder.why());
      body += taken.data;
      piece.remove_prefix(taken.consumed);
      bytes.remove_prefix(taken.consumed);
    }
  }
  if (rest != nullptr) *rest = bytes;
  return decoder.done() ? body : body + "...";
}

TEST(ChunkedDecoder, DecodesInAnySplitAndStopsAtTheEnd) {
  const std::string_view bytes =
      "5\r\nhello\r\nA;ext=1\r\n, world 12\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    std::string rest;
    EXPECT_EQ(decode(bytes, step, &rest), "hello, world 12");
    EXPECT_EQ(rest, "NEXT");
  }
  for (std::size_t cut = 0; cut + 4 < bytes.size(); ++cut) {
    EXPECT_TRUE(decode(bytes.substr(0, cut), 3).ends_with("...")) << cut;
  }
}

TEST(ChunkedDecoder, RefusesMalformedChunks) {
  for (const std::string_view bytes :
       {"\r\nhello", "g\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n", "-1\r\n",
        "1000000000000000\r\n", "0\r\nbare\n\n", "5 x\n"}) {
    EXPECT_TRUE(decode(bytes, 1).starts_with("!")) << bytes;
    EXPECT_TRUE(decode(bytes, 100).starts_with("!")) << bytes;
  }
  EXPECT_TRUE(decode("1;" + std::string(10'000, 'x'), 100).starts_with("!"));
  std::string trailers = "0\r\n";
  for (int i = 0; i < 4000; ++i) trailers += "a: b\r\n";
  EXPECT_TRUE(decode(trailers, 100).starts_with("!"));
}

TEST(HttpParser, NeitherReadsOutOfBoundsNorHangsOnMutatedBytes) {
  const std::string seeds[] = {
      "POST /v1/x?y HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: keep-alive, "
      "close\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"};
  Rng rng(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = seeds[rng.below(2)];
    for (std::uint64_t i = rng.below(6); i > 0; --i) {
      const std::size_t at = rng.below(bytes.size());
      switch (rng.below(3)) {
        case 0:
          bytes[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          bytes.erase(at, 1 + rng.below(4));
          break;
        default:
          bytes.insert(at, 1, "\r\n:, 0\t;"[rng.below(8)]);
          break;
      }
      if (bytes.empty()) bytes = "x";
    }
    // A heap copy of exact size lets a sanitizer see every byte read beyond it.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const std::string_view view(exact.data(), exact.size());
    HttpRequestHead request;
    HttpResponseHead response;
    const auto a = parse_request_head(view, request);
    EXPECT_LE(a.consumed, view.size());
    EXPECT_LE(parse_response_head(view, response).consumed, view.size());
    decode(view, 1 + rng.below(9));
  }
}

}  // namespace
}  // namespace rung
