#pragma once
// HTTP/1.1 heads and chunked bodies, strictly (RFC 9112): pure functions over bytes, no sockets.
//
// Refused, because each has been used to smuggle requests or hides a mistake: a bare LF or CR in a
// head, a header line that starts with white space (obs-fold), white space before the colon, NUL
// and other control characters, Content-Length that is not plain digits, two different
// Content-Lengths, Content-Length together with Transfer-Encoding, any transfer coding but a single
// "chunked", Transfer-Encoding in HTTP/1.0, a missing or repeated Host in HTTP/1.1. Empty lines
// before a request line are skipped.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rung {

struct HttpHeader {
  std::string_view name, value;
};

/// Equal but for ASCII case, as header names are compared.
bool same_name(std::string_view a, std::string_view b);

/// Header fields in order of arrival; views into the bytes that were parsed.
class HttpHeaders {
 public:
  /// The first value under `name` (any case), or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
  /// The first value under `name`, or "".
  std::string_view get(std::string_view name) const {
    return find(name).value_or(std::string_view{});
  }
  /// Whether a comma-separated list in any field of this name holds `token` (any case).
  bool has_token(std::string_view name, std::string_view token) const;
  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  void clear() { fields_.clear(); }
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }

 private:
  std::vector<HttpHeader> fields_;
};

struct HttpRequestHead {
  std::string_view method;
  std::string_view target;  // as sent
  std::string_view
      path;  // of the target, without query; not percent-decoded; "/" for "http://host"
  std::string_view query;  // after '?', without it
  int minor_version = 1;   // HTTP/1.x
  HttpHeaders headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
  bool expect_continue = false;
};

struct HttpResponseHead {
  int status = 0;
  std::string_view reason;
  int minor_version = 1;
  HttpHeaders headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = true;
};

struct HttpLimits {
  std::size_t max_head_bytes = 32 * 1024;
  std::size_t max_headers = 100;
};

enum class ParseState { kMore, kDone, kBad };

struct ParseResult {
  ParseState state = ParseState::kMore;
  std::size_t consumed = 0;  // kDone: length of the head with its empty line
  int status = 0;            // kBad, requests: the status to answer with (400, 431, 501, 505)
  std::string_view why;      // kBad: a static sentence
};

/// Finds the end of a head as bytes come in, looking at each byte once; then parse_* runs once.
class HeadScanner {
 public:
  /// `bytes` is everything received since the head began; it only ever grows between calls.
  ParseResult scan(std::string_view bytes, const HttpLimits& limits = {});
  void reset() { at_ = line_ = 0; }

 private:
  std::size_t at_ = 0;    // bytes looked at
  std::size_t line_ = 0;  // where the current line begins
};

/// Parses a head that HeadScanner found whole, or any prefix of one (kMore). Views in `out` point
/// into `bytes`.
ParseResult parse_request_head(std::string_view bytes, HttpRequestHead& out,
                               const HttpLimits& limits = {});
ParseResult parse_response_head(std::string_view bytes, HttpResponseHead& out,
                                const HttpLimits& limits = {});

/// The chunked transfer coding, in any splits. Chunk extensions and trailers are read, bounded and
/// dropped.
class ChunkedDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  // take these bytes off the input before the next call
    std::string_view data;     // a piece of the body, a view into the input; may be empty
  };
  /// Consumes up to one piece of data. Call again with the rest until the input is used up, done()
  /// or bad().
  Step next(std::string_view input);
  bool done() const { return state_ == State::kDone; }
  bool bad() const { return state_ == State::kBad; }
  /// A static sentence, when bad().
  std::string_view why() const { return why_; }
  void reset() { *this = ChunkedDecoder(); }

 private:
  enum class State {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerLf,
    kDone,
    kBad
  };
  Step fail(std::string_view why);
  State state_ = State::kSize;
  std::uint64_t left_ = 0;       // of the current chunk
  unsigned digits_ = 0;          // of the current size line
  std::size_t overhead_ = 0;     // bytes of extensions, then of trailers
  std::size_t line_length_ = 0;  // of the current trailer line
  std::string_view why_;
};

}  // namespace rung
