#include "outcomes/json_locate.h"

#include <utf8proc.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace rung::outcomes {
namespace {

constexpr std::size_t kMaxDepth = 512;

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// One pass with an explicit stack, so that hostile nesting cannot exhaust ours.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  JsonFault walk() {
    enum class Want { kValue, kFirstKey, kKey, kFirstItem, kAfter };
    Want want = Want::kValue;
    for (;;) {
      skip_space();
      switch (want) {
        case Want::kFirstItem:
          if (take(']')) {
            close();
            want = Want::kAfter;
            break;
          }
          [[fallthrough]];
        case Want::kValue:
          if (take('{')) {
            if (!open('{')) return fault("more than 512 levels of nesting", "a shallower value");
            want = Want::kFirstKey;
          } else if (take('[')) {
            if (!open('[')) return fault("more than 512 levels of nesting", "a shallower value");
            want = Want::kFirstItem;
          } else if (!scalar()) {
            return fault_;
          } else {
            want = Want::kAfter;
          }
          break;
        case Want::kFirstKey:
          if (take('}')) {
            close();
            want = Want::kAfter;
            break;
          }
          [[fallthrough]];
        case Want::kKey: {
          if (peek() != '"') return fault(here(), "a field name in double quotes");
          const std::size_t begin = at_ + 1;
          if (!string()) return fault_;
          path_.back() = std::string(text_.substr(begin, at_ - 1 - begin));
          skip_space();
          if (!take(':')) return fault(here(), "':' after the field name");
          want = Want::kValue;
          break;
        }
        case Want::kAfter:
          if (stack_.empty())
            return at_ == text_.size() ? JsonFault{} : fault(here(), "the end of the line");
          if (take(',')) {
            want = stack_.back() == '{' ? Want::kKey : Want::kValue;
          } else if (take(stack_.back() == '{' ? '}' : ']')) {
            close();
            want = Want::kAfter;
          } else {
            return fault(here(), stack_.back() == '{' ? "',' or '}'" : "',' or ']'");
          }
          break;
      }
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool open(char kind) {
    if (stack_.size() >= kMaxDepth) return false;
    stack_.push_back(kind);
    path_.emplace_back();
    return true;
  }
  void close() {
    stack_.pop_back();
    path_.pop_back();
  }

  std::string here() const {
    if (at_ >= text_.size()) return "the end of the line";
    if (!word_char(text_[at_]) && text_[at_] != '-') {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20 || byte >= 0x7f) return "byte " + std::to_string(byte);
      return std::string("'") + text_[at_] + "'";
    }
    std::size_t end = at_;
    while (end < text_.size() && end - at_ < 24 &&
           (word_char(text_[end]) || text_[end] == '-' || text_[end] == '.' || text_[end] == '+'))
      ++end;
    return std::string(text_.substr(at_, end - at_));
  }

  JsonFault fault(std::string found, std::string expected) {
    fault_.column = std::min(at_, text_.size()) + 1;
    fault_.found = std::move(found);
    fault_.expected = std::move(expected);
    for (const std::string& step : path_) {
      if (step.empty()) continue;
      if (!fault_.field.empty()) fault_.field += '.';
      fault_.field += step;
    }
    return fault_;
  }
  bool fail(std::string found, std::string expected) {
    fault(std::move(found), std::move(expected));
    return false;
  }

  bool scalar() {
    if (peek() == '"') return string();
    const std::size_t begin = at_;
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_).starts_with(word) &&
          (at_ + word.size() == text_.size() || !word_char(text_[at_ + word.size()]))) {
        at_ += word.size();
        return true;
      }
    }
    if (number()) return true;
    at_ = begin;
    const std::string found = here();
    for (const std::string_view unknown : {"NaN", "nan", "Infinity", "-Infinity", "inf", "None"})
      if (found == unknown) return fail(found, "a number, or null when it is not known");
    return fail(found, "a JSON value");
  }

  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }
  bool number() {
    take('-');
    if (take('0')) {
      // A leading zero stands alone.
    } else if (!digits()) {
      return false;
    }
    if (take('.') && !digits()) return false;
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return !word_char(peek());
  }

  bool string() {
    const std::size_t begin = at_;
    ++at_;
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20)
        return fail("a raw control character (byte " + std::to_string(byte) + ") in a string",
                    "\\n, \\t or \\u00XX");
      if (byte == '\\') {
        const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        if (next == 'u') {
          for (std::size_t i = 2; i < 6; ++i) {
            if (at_ + i >= text_.size() ||
                std::isxdigit(static_cast<unsigned char>(text_[at_ + i])) == 0) {
              return fail("a \\u without four hexadecimal digits", "\\uXXXX");
            }
          }
          at_ += 6;
        } else if (next != '\0' &&
                   std::string_view("\"\\/bfnrt").find(next) != std::string_view::npos) {
          at_ += 2;
        } else {
          return fail("a backslash that escapes nothing", "\\\\ for a backslash itself");
        }
      } else if (byte < 0x80) {
        ++at_;
      } else {
        utf8proc_int32_t code = 0;
        const auto n =
            utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text_.data() + at_),
                             static_cast<utf8proc_ssize_t>(text_.size() - at_), &code);
        if (n <= 0)
          return fail("byte " + std::to_string(byte) + ", which is not UTF-8", "UTF-8 text");
        at_ += static_cast<std::size_t>(n);
      }
    }
    at_ = begin;
    return fail("a string that does not end on this line", "a closing '\"'");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<char> stack_;
  std::vector<std::string> path_;  // the field open at each level; empty inside arrays
  JsonFault fault_;
};

}  // namespace

JsonFault locate_json_fault(std::string_view text) { return Walker(text).walk(); }

}  // namespace rung::outcomes
