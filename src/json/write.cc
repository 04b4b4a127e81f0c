#include "json/write.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "json/utf8.h"

namespace rung::json {

std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (text.size() < n || !simdjson::validate_utf8(text.data(), n)) return 0;
  return n;
}

void append_quoted(std::string_view text, std::string& out) {
  out.push_back('"');
  const bool sound = simdjson::validate_utf8(text.data(), text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    switch (c) {
      case '"':
        out.append("\\\"");
        continue;
      case '\\':
        out.append("\\\\");
        continue;
      case '\n':
        out.append("\\n");
        continue;
      case '\r':
        out.append("\\r");
        continue;
      case '\t':
        out.append("\\t");
        continue;
      default:
        break;
    }
    if (c < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out.append("\\u00").push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    } else if (c < 0x80 || sound) {
      out.push_back(text[i]);
    } else if (const std::size_t n = sequence_length(text.substr(i)); n != 0) {
      out.append(text, i, n);
      i += n - 1;
    } else {
      out.append("\xef\xbf\xbd");
    }
  }
  out.push_back('"');
}

void Writer::separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}

Writer& Writer::open(char bracket) {
  separate();
  out_.push_back(bracket);
  first_ = true;
  return *this;
}

Writer& Writer::close(char bracket) {
  out_.push_back(bracket);
  first_ = false;
  return *this;
}

Writer& Writer::key(std::string_view key) {
  separate();
  append_quoted(key, out_);
  out_.push_back(':');
  first_ = true;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  separate();
  append_quoted(text, out_);
  return *this;
}

Writer& Writer::number(double value) {
  if (!std::isfinite(value)) return null();
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  return raw(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

Writer& Writer::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace rung::json
