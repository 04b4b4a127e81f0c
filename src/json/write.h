#pragma once
// JSON written piece by piece into a string; commas and quotes are its business, not the caller's.

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rung::json {

/// Appends `text` in quotes, escaped. Bytes that are not UTF-8 become U+FFFD, so the result is
/// always JSON.
void append_quoted(std::string_view text, std::string& out);

/// Writes one value, usually an object. Not thread-safe.
///   Writer w; w.begin_object().key("id").string(id).key("cost").number(cost).end_object();
///   use(w.text());
class Writer {
 public:
  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view key);
  Writer& string(std::string_view text);
  Writer& number(
      double value);  // shortest form that reads back the same; NaN and infinities become null
  template <std::integral T>
  Writer& number(T value) {
    return raw(std::to_string(value));
  }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }
  template <class T>
  Writer& number_or_null(const std::optional<T>& value) {
    return value ? number(*value) : null();
  }
  /// A piece of JSON made elsewhere, as it is.
  Writer& raw(std::string_view json);
  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void separate();
  std::string out_;
  bool first_ = true;
};

}  // namespace rung::json
