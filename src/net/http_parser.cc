#include "net/http_parser.h"

#include <algorithm>
#include <cstring>

namespace rung {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// RFC 9110, 5.6.2: the characters of methods and field names.
constexpr bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return others.find(c) != std::string_view::npos;
}

struct TokenTable {
  bool is_token[256] = {};
  bool is_value[256] = {};  // field values: tab, space, visible ASCII, bytes above it
  constexpr TokenTable() {
    for (int c = 0; c < 256; ++c) {
      is_token[c] = c < 128 && is_token_char(static_cast<char>(c));
      is_value[c] = c == '\t' || (c >= 0x20 && c != 0x7f);
    }
  }
};
constexpr TokenTable kTable;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTable.is_token[static_cast<unsigned char>(c)];
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

ParseResult bad(std::string_view why, int status = 400) {
  return {.state = ParseState::kBad, .consumed = 0, .status = status, .why = why};
}

/// Takes the next line off `bytes`; the caller knows that it ends with CRLF.
std::string_view take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end - 1);
  bytes.remove_prefix(end + 1);
  return line;
}

bool parse_version(std::string_view text, int& minor) {
  if (text.size() != 8 || text.substr(0, 7) != "HTTP/1." || text[7] < '0' || text[7] > '9')
    return false;
  minor = text[7] == '0' ? 0 : 1;
  return true;
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

template <class Head>
ParseResult parse_fields(std::string_view& bytes, Head& out, const HttpLimits& limits) {
  out.headers.clear();
  for (;;) {
    const std::string_view line = take_line(bytes);
    if (line.empty()) return {.state = ParseState::kDone, .consumed = 0, .status = 0, .why = {}};
    if (line.front() == ' ' || line.front() == '\t') {
      return bad("a header line begins with white space; folded headers are not accepted");
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header line has no colon");
    const std::string_view name = line.substr(0, colon);
    if (!is_token(name)) return bad("a header name holds characters that names must not have");
    const std::string_view value = trim(line.substr(colon + 1));
    for (const char c : value) {
      if (!kTable.is_value[static_cast<unsigned char>(c)]) {
        return bad("a header value holds a control character");
      }
    }
    if (out.headers.size() == limits.max_headers)
      return bad("the request has too many headers", 431);
    out.headers.add(name, value);
  }
}

/// Content-Length, Transfer-Encoding and Connection: how the body is framed and what happens after
/// it.
template <class Head>
ParseResult parse_framing(Head& out) {
  out.content_length.reset();
  out.chunked = false;
  bool has_encoding = false, close = false, keep = false;
  for (const HttpHeader& field : out.headers) {
    switch (lower(field.name[0])) {
      case 'c':
        if (same_name(field.name, "content-length")) {
          const auto length = parse_length(field.value);
          if (!length) return bad("Content-Length is not a plain number");
          if (out.content_length && *out.content_length != *length) {
            return bad("there are two different Content-Length headers");
          }
          out.content_length = length;
        } else if (same_name(field.name, "connection")) {
          std::string_view list = field.value;
          while (!list.empty()) {
            const std::size_t comma = std::min(list.find(','), list.size());
            const std::string_view word = trim(list.substr(0, comma));
            close = close || same_name(word, "close");
            keep = keep || same_name(word, "keep-alive");
            list.remove_prefix(std::min(comma + 1, list.size()));
          }
        }
        break;
      case 't':
        if (same_name(field.name, "transfer-encoding")) {
          if (has_encoding || !same_name(field.value, "chunked")) {
            return bad("Transfer-Encoding is not a single \"chunked\"", 501);
          }
          has_encoding = true;
        }
        break;
      default:
        break;
    }
  }
  if (has_encoding && out.content_length) {
    return bad("Content-Length and Transfer-Encoding are both given");
  }
  if (has_encoding && out.minor_version == 0) return bad("HTTP/1.0 has no Transfer-Encoding");
  out.chunked = has_encoding;
  out.keep_alive = !close && (out.minor_version == 1 || keep);
  return {.state = ParseState::kDone, .consumed = 0, .status = 0, .why = {}};
}

ParseResult parse_target(HttpRequestHead& out) {
  std::string_view target = out.target;
  if (target.empty()) return bad("the request line has no target");
  for (const char c : target) {
    if (c <= 0x20 || c >= 0x7f)
      return bad("the request target holds a control or non-ASCII character");
  }
  if (target.front() != '/') {
    if (target == "*" && out.method == "OPTIONS") {
      out.path = target;
      return {.state = ParseState::kDone, .consumed = 0, .status = 0, .why = {}};
    }
    if (out.method == "CONNECT") return bad("CONNECT is not supported", 501);
    // The absolute form, as proxies are sent: scheme://host/path
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos || !(same_name(target.substr(0, scheme), "http") ||
                                              same_name(target.substr(0, scheme), "https"))) {
      return bad("the request target is neither a path nor an http URL");
    }
    target.remove_prefix(scheme + 3);
    const std::size_t slash = target.find_first_of("/?");
    if (slash == 0) return bad("the request target names no host");
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const std::size_t question = target.find('?');
  out.path = target.substr(0, question);
  if (out.path.empty()) out.path = "/";
  out.query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  return {.state = ParseState::kDone, .consumed = 0, .status = 0, .why = {}};
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
  for (const HttpHeader& field : fields_) {
    if (same_name(field.name, name)) return field.value;
  }
  return std::nullopt;
}

bool HttpHeaders::has_token(std::string_view name, std::string_view token) const {
  for (const HttpHeader& field : fields_) {
    if (!same_name(field.name, name)) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      if (same_name(trim(list.substr(0, comma)), token)) return true;
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  }
  return false;
}

ParseResult HeadScanner::scan(std::string_view bytes, const HttpLimits& limits) {
  while (at_ < bytes.size()) {
    const auto* found =
        static_cast<const char*>(std::memchr(bytes.data() + at_, '\n', bytes.size() - at_));
    if (found == nullptr) {
      at_ = bytes.size();
      break;
    }
    const auto end = static_cast<std::size_t>(found - bytes.data());
    if (end == line_ || bytes[end - 1] != '\r') {
      return bad("a line of the head ends with a bare LF; lines end with CR LF");
    }
    const bool empty = end == line_ + 1;
    at_ = line_ = end + 1;
    if (at_ > limits.max_head_bytes) break;
    if (empty && end > 1) {
      // An empty line ends the head, unless only empty lines came so far (RFC 9112, 2.2).
      if (bytes.substr(0, end).find_first_not_of("\r\n") == std::string_view::npos) continue;
      return {.state = ParseState::kDone, .consumed = at_, .status = 0, .why = {}};
    }
  }
  if (at_ > limits.max_head_bytes) return bad("the head of the request is too long", 431);
  return {};
}

namespace {
/// Finds the whole head in `bytes` and leaves it without leading empty lines.
ParseResult whole_head(std::string_view& bytes, const HttpLimits& limits) {
  const ParseResult scanned = HeadScanner().scan(bytes, limits);
  if (scanned.state != ParseState::kDone) return scanned;
  bytes = bytes.substr(0, scanned.consumed);
  while (bytes.substr(0, 2) == "\r\n") bytes.remove_prefix(2);
  return scanned;
}
}  // namespace

ParseResult parse_request_head(std::string_view bytes, HttpRequestHead& out,
                               const HttpLimits& limits) {
  const ParseResult head = whole_head(bytes, limits);
  if (head.state != ParseState::kDone) return head;
  const std::string_view line = take_line(bytes);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad("the request line is not \"METHOD TARGET HTTP/1.1\"");
  }
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  if (!is_token(out.method)) return bad("the request method is not a word");
  const std::string_view version = line.substr(last + 1);
  if (!parse_version(version, out.minor_version)) {
    const bool other = version.size() >= 6 && version.substr(0, 5) == "HTTP/" && version[5] != '1';
    return other ? bad("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
                 : bad("the request line does not end with an HTTP version");
  }
  if (auto target = parse_target(out); target.state == ParseState::kBad) return target;
  if (auto fields = parse_fields(bytes, out, limits); fields.state == ParseState::kBad)
    return fields;
  if (auto framing = parse_framing(out); framing.state == ParseState::kBad) return framing;
  std::size_t hosts = 0;
  out.expect_continue = false;
  for (const HttpHeader& field : out.headers) {
    if (same_name(field.name, "host")) ++hosts;
    if (same_name(field.name, "expect")) {
      out.expect_continue = out.minor_version == 1 && same_name(field.value, "100-continue");
    }
  }
  if (hosts > 1) return bad("there are several Host headers");
  if (hosts == 0 && out.minor_version == 1) return bad("the Host header is missing");
  return head;
}

ParseResult parse_response_head(std::string_view bytes, HttpResponseHead& out,
                                const HttpLimits& limits) {
  const ParseResult head = whole_head(bytes, limits);
  if (head.state != ParseState::kDone) return head;
  std::string_view line = take_line(bytes);
  if (line.size() < 12 || line[8] != ' ' || !parse_version(line.substr(0, 8), out.minor_version)) {
    return bad("the status line is not \"HTTP/1.1 STATUS REASON\"");
  }
  out.status = 0;
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return bad("the status is not three digits");
    out.status = out.status * 10 + (c - '0');
  }
  if (out.status < 100 || (line.size() > 12 && line[12] != ' '))
    return bad("the status is not three digits");
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view{};
  if (auto fields = parse_fields(bytes, out, limits); fields.state == ParseState::kBad)
    return fields;
  if (auto framing = parse_framing(out); framing.state == ParseState::kBad) return framing;
  return head;
}

// --- chunks
// ----------------------------------------------------------------------------------------------

ChunkedDecoder::Step ChunkedDecoder::fail(std::string_view why) {
  state_ = State::kBad;
  why_ = why;
  return {};
}

ChunkedDecoder::Step ChunkedDecoder::next(std::string_view input) {
  constexpr std::size_t kMostExtension = 4 * 1024, kMostTrailers = 16 * 1024;
  for (std::size_t at = 0; at < input.size(); ++at) {
    const char c = input[at];
    switch (state_) {
      case State::kSize: {
        const char l = lower(c);
        const int digit = c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
        if (digit >= 0) {
          if (++digits_ > 15) return fail("a chunk size has too many digits");
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        } else if (digits_ == 0) {
          return fail("a chunk does not begin with its size");
        } else if (c == '\r') {
          state_ = State::kSizeLf;
        } else if (c == ';' || c == ' ' || c == '\t') {
          state_ = State::kExtension;
        } else {
          return fail("a chunk size is not a hexadecimal number");
        }
        break;
      }
      case State::kExtension:
        if (++overhead_ > kMostExtension) return fail("the chunk extensions are too long");
        if (c == '\r') state_ = State::kSizeLf;
        if (c == '\n') return fail("a chunk size line ends with a bare LF");
        break;
      case State::kSizeLf:
        if (c != '\n') return fail("a chunk size line does not end with CR LF");
        digits_ = 0;
        state_ = left_ > 0 ? State::kData : State::kTrailer;
        if (left_ == 0) overhead_ = line_length_ = 0;
        break;
      case State::kData: {
        const auto size =
            static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
        left_ -= size;
        if (left_ == 0) state_ = State::kDataCr;
        return {.consumed = at + size, .data = input.substr(at, size)};
      }
      case State::kDataCr:
        if (c != '\r') return fail("a chunk is longer than its size says");
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return fail("a chunk does not end with CR LF");
        state_ = State::kSize;
        break;
      case State::kTrailer:
        if (++overhead_ > kMostTrailers) return fail("the trailers are too long");
        if (c == '\n') return fail("a trailer line ends with a bare LF");
        if (c == '\r') {
          state_ = State::kTrailerLf;
        } else {
          ++line_length_;
        }
        break;
      case State::kTrailerLf:
        if (c != '\n') return fail("a trailer line does not end with CR LF");
        if (line_length_ == 0) {
          state_ = State::kDone;
          return {.consumed = at + 1, .data = {}};
        }
        line_length_ = 0;
        state_ = State::kTrailer;
        break;
      case State::kDone:
      case State::kBad:
        return {};
    }
  }
  return {.consumed = input.size(), .data = {}};
}

}  // namespace rung
