#include "json/value.h"

#include <algorithm>

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cstring>

#include "json/utf8.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace rung::json {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_space(const char* p, const char* end) {
  while (p != end && is_space(*p)) ++p;
  return p;
}

/// The first quote, backslash or control character at or after p.
const char* string_stop(const char* p, const char* end) {
#ifdef __AVX2__
  const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\'),
                low = _mm256_set1_epi8(0x1f);
  for (; end - p >= 32; p += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i stop = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, slash)),
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, low), bytes));
    if (const auto mask = static_cast<unsigned>(_mm256_movemask_epi8(stop)))
      return p + __builtin_ctz(mask);
  }
#endif
  while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) > 0x1f) ++p;
  return p;
}

/// The end of a checked string that begins at the quote p.
const char* string_end(const char* p, const char* end) {
  for (++p;; ++p) {
    p = string_stop(p, end);
    if (*p == '"') return p + 1;
    if (*p == '\\') ++p;
  }
}

/// The end of a checked value that begins at p.
const char* value_end(const char* p, const char* end) {
  if (*p == '"') return string_end(p, end);
  if (*p != '{' && *p != '[') {
    while (p != end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p)) ++p;
    return p;
  }
  std::size_t depth = 0;
  for (;;) {
    switch (*p) {
      case '"':
        p = string_end(p, end);
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return p + 1;
        break;
      default:
        break;
    }
    ++p;
  }
}

std::string_view view(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

int hex(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::uint32_t c, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)),
        put(0x80 | (c & 0x3f));
  }
}

/// Recursive in its grammar, iterative in its code: the stack is a bit per level, object or array.
class Checker {
 public:
  Checker(std::string_view text, Limits limits)
      : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), limits_(limits) {}

  Result<Value> check() {
    p_ = skip_space(p_, end_);
    if (p_ == end_) return fail("a value");
    const char* start = p_;
    std::string
        nest;  // '{' or '[' for each open level; small, so it stays inside the string object
    for (;;) {
      // 1. One value, or the opening of one.
      if (p_ == end_) return fail("a value");
      if (*p_ == '{' || *p_ == '[') {
        const char open = *p_++;
        if (nest.size() >= limits_.max_depth)
          return Error{ErrorCode::kInvalidJson,
                       fmt::format("byte {}: nested deeper than the limit of {} levels", offset(),
                                   limits_.max_depth)};
        nest.push_back(open);
        p_ = skip_space(p_, end_);
        if (p_ != end_ && *p_ == (open == '{' ? '}' : ']')) {
          ++p_;
          nest.pop_back();
        } else if (open == '{') {
          if (auto key = member_name(); !key) return key.error();
          continue;
        } else {
          continue;
        }
      } else if (auto scalar = check_scalar(); !scalar) {
        return scalar.error();
      }
      // 2. What may follow it: a comma, the closing of a level, or the end.
      for (;;) {
        if (nest.empty()) {
          const char* stop = p_;
          p_ = skip_space(p_, end_);
          if (p_ != end_) return fail("the end of the text");
          return Value{view(start, stop)};
        }
        p_ = skip_space(p_, end_);
        const bool object = nest.back() == '{';
        if (p_ != end_ && *p_ == (object ? '}' : ']')) {
          ++p_;
          nest.pop_back();
          continue;
        }
        if (p_ == end_ || *p_ != ',') return fail(object ? "',' or '}'" : "',' or ']'");
        p_ = skip_space(p_ + 1, end_);
        if (object) {
          if (auto key = member_name(); !key) return key.error();
        }
        break;
      }
    }
  }

 private:
  std::size_t offset() const { return static_cast<std::size_t>(p_ - begin_); }

  Error fail(std::string_view expected) const {
    if (p_ == end_)
      return {ErrorCode::kInvalidJson,
              fmt::format("byte {}: the text ends; expected {}", offset(), expected)};
    const auto c = static_cast<unsigned char>(*p_);
    const auto found =
        c >= 0x20 && c < 0x7f ? fmt::format("'{}'", *p_) : fmt::format("byte 0x{:02x}", c);
    return {ErrorCode::kInvalidJson,
            fmt::format("byte {}: found {}; expected {}", offset(), found, expected)};
  }

  /// A key, the colon, and the space up to the value.
  Result<void> member_name() {
    if (p_ == end_ || *p_ != '"') return fail("a key in quotes");
    if (auto key = check_string(); !key) return key;
    p_ = skip_space(p_, end_);
    if (p_ == end_ || *p_ != ':') return fail("':'");
    p_ = skip_space(p_ + 1, end_);
    return {};
  }

  Result<void> check_string() {
    for (++p_;;) {
      p_ = string_stop(p_, end_);
      if (p_ == end_) return fail("the closing quote of a string");
      if (*p_ == '"') {
        ++p_;
        return {};
      }
      if (*p_ != '\\') return fail("an escape: control characters may not stand in a string");
      ++p_;
      if (p_ == end_ || std::strchr("\"\\/bfnrtu", *p_) == nullptr || *p_ == '\0')
        return fail("one of \" \\ / b f n r t u after the backslash");
      if (*p_++ == 'u') {
        for (int i = 0; i < 4; ++i, ++p_)
          if (p_ == end_ || hex(*p_) < 0) return fail("four hexadecimal digits after \\u");
      }
    }
  }

  Result<void> check_scalar() {
    if (*p_ == '"') return check_string();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (*p_ != word[0]) continue;
      if (view(p_, end_).substr(0, word.size()) != word) return fail("a value");
      p_ += word.size();
      return {};
    }
    if (*p_ != '-' && !is_digit(*p_)) return fail("a value");
    if (*p_ == '-') ++p_;
    if (p_ != end_ && *p_ == '0') {
      ++p_;
    } else if (auto whole = digits(); !whole) {
      return whole;
    }
    if (p_ != end_ && *p_ == '.') {
      ++p_;
      if (auto part = digits(); !part) return part;
    }
    if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      return digits();
    }
    return {};
  }

  Result<void> digits() {
    if (p_ == end_ || !is_digit(*p_)) return fail("a digit");
    while (p_ != end_ && is_digit(*p_)) ++p_;
    return {};
  }

  const char* begin_;
  const char* p_;
  const char* end_;
  Limits limits_;
};

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::kObject:
      return "an object";
    case Kind::kArray:
      return "an array";
    case Kind::kString:
      return "a string";
    case Kind::kNumber:
      return "a number";
    case Kind::kBool:
      return "a boolean";
    case Kind::kNull:
      return "null";
  }
  return "a value";
}

Kind Value::kind() const {
  switch (raw.front()) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

void Value::append_text(std::string& out) const {
  RUNG_CHECK(is_string(), "text of a value that is no string");
  const char* p = raw.data() + 1;
  const char* end = raw.data() + raw.size() - 1;
  const auto code_unit = [](const char* four) {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<std::uint32_t>(hex(four[i]));
    return unit;
  };
  while (p != end) {
    const char* stop = string_stop(p, end);
    out.append(p, stop);
    p = stop;
    if (p == end) return;
    ++p;  // the backslash
    switch (*p++) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        std::uint32_t unit = code_unit(p);
        p += 4;
        if (unit >= 0xd800 && unit < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
          const std::uint32_t second = code_unit(p + 2);
          if (second >= 0xdc00 && second < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
            p += 6;
          }
        }
        append_utf8(unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit, out);
        break;
      }
      default:
        out.push_back(p[-1]);  // quote, backslash, slash
    }
  }
}

std::string Value::text() const {
  std::string out;
  append_text(out);
  return out;
}

bool Value::equals(std::string_view expected) const {
  if (!is_string()) return false;
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  const std::size_t most = std::min(inside.size(), expected.size());
  std::size_t same = 0;
  while (same < most && inside[same] == expected[same]) ++same;
  // Up to the first difference both are plain text, or it is an escape that must be read.
  const bool escaped = (same < inside.size() && inside[same] == '\\') ||
                       expected.substr(0, same).find('\\') != std::string_view::npos;
  if (escaped) return text() == expected;
  return same == inside.size() && same == expected.size();
}

std::optional<std::int64_t> Value::integer() const {
  std::int64_t result = 0;
  const auto [stop, error] = std::from_chars(raw.data(), raw.data() + raw.size(), result);
  if (error != std::errc() || stop != raw.data() + raw.size()) return std::nullopt;
  return result;
}

std::optional<double> Value::number() const {
  if (!is_number()) return std::nullopt;
  double result = 0;
  const auto [stop, error] = std::from_chars(raw.data(), raw.data() + raw.size(), result);
  if (error != std::errc() || stop != raw.data() + raw.size()) return std::nullopt;
  return result;
}

void members::iterator::read() {
  const char* end = rest_.data() + rest_.size();
  const char* p = skip_space(rest_.data(), end);
  if (*p == ',') p = skip_space(p + 1, end);
  if (*p == '}') {
    done_ = true;
    return;
  }
  const char* key_end = string_end(p, end);
  member_.key = {view(p, key_end)};
  p = skip_space(skip_space(key_end, end) + 1, end);
  const char* stop = value_end(p, end);
  member_.value = {view(p, stop)};
  rest_ = view(stop, end);
}

void elements::iterator::read() {
  const char* end = rest_.data() + rest_.size();
  const char* p = skip_space(rest_.data(), end);
  if (*p == ',') p = skip_space(p + 1, end);
  if (*p == ']') {
    done_ = true;
    return;
  }
  const char* stop = value_end(p, end);
  value_ = {view(p, stop)};
  rest_ = view(stop, end);
}

std::optional<Value> find(Value object, std::string_view key) {
  std::optional<Value> found;
  for (const Member& member : members(object))
    if (member.key.equals(key)) found = member.value;
  return found;
}

namespace {

Error not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (const std::size_t n = sequence_length(text.substr(at))) at += n;
  return {ErrorCode::kInvalidJson,
          fmt::format("byte {}: found 0x{:02x}, which is not valid UTF-8 there; JSON is UTF-8", at,
                      static_cast<unsigned char>(text[at]))};
}

}  // namespace

Result<Value> parse(std::string_view text, Limits limits) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return not_utf8(text);
  return Checker(text, limits).check();
}

}  // namespace rung::json
