#pragma once
// JSON read in place. `parse` checks the whole text once; after that values are views of its bytes,
// and walking them cannot fail. Nothing is converted unless asked for, so numbers, escapes and key
// order survive. Views live as long as the text. Thread-safe: there is no state.
//
// Why not a library: the request path must keep the bytes (offsets for splicing), let lone
// surrogates and duplicate keys pass, and refuse bad JSON with a position; the on-demand readers do
// one or the other.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rung::json {

enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull };

/// "an object", "a string", ...: for error sentences.
std::string_view name(Kind kind);

/// A value of a checked text: its raw bytes, without white space around them.
struct Value {
  std::string_view raw;

  Kind kind() const;
  bool is_object() const { return raw.front() == '{'; }
  bool is_array() const { return raw.front() == '['; }
  bool is_string() const { return raw.front() == '"'; }
  bool is_null() const { return raw.front() == 'n'; }
  bool is_true() const { return raw.front() == 't'; }
  bool is_bool() const { return raw.front() == 't' || raw.front() == 'f'; }
  bool is_number() const { return kind() == Kind::kNumber; }

  /// Appends the string's text as UTF-8 (a lone surrogate becomes U+FFFD). Requires is_string().
  void append_text(std::string& out) const;
  std::string text() const;
  /// True if this is a string whose text is `expected`.
  bool equals(std::string_view expected) const;
  /// The number, if it is one that fits: 64-bit integers exactly, nothing rounded.
  std::optional<std::int64_t> integer() const;
  /// The nearest double, if this is a number.
  std::optional<double> number() const;
};

struct Member {
  Value key;  // a string
  Value value;
};

/// Walks the members of an object: for (const Member& m : members(object)). Duplicate keys all
/// appear.
class members {
 public:
  explicit members(Value object) : raw_(object.raw) {}
  class iterator {
   public:
    explicit iterator(std::string_view rest) : rest_(rest) { read(); }
    const Member& operator*() const { return member_; }
    iterator& operator++() {
      read();
      return *this;
    }
    bool operator!=(std::default_sentinel_t) const { return !done_; }

   private:
    void read();
    std::string_view rest_;
    Member member_;
    bool done_ = false;
  };
  iterator begin() const { return iterator(raw_.substr(1)); }
  static std::default_sentinel_t end() { return {}; }

 private:
  std::string_view raw_;
};

/// Walks the elements of an array: for (Value v : elements(array)).
class elements {
 public:
  explicit elements(Value array) : raw_(array.raw) {}
  class iterator {
   public:
    explicit iterator(std::string_view rest) : rest_(rest) { read(); }
    Value operator*() const { return value_; }
    iterator& operator++() {
      read();
      return *this;
    }
    bool operator!=(std::default_sentinel_t) const { return !done_; }

   private:
    void read();
    std::string_view rest_;
    Value value_;
    bool done_ = false;
  };
  iterator begin() const { return iterator(raw_.substr(1)); }
  static std::default_sentinel_t end() { return {}; }

 private:
  std::string_view raw_;
};

/// The value of `key` in `object`; of duplicates the last, as most readers take it. Absent:
/// nullopt.
std::optional<Value> find(Value object, std::string_view key);

struct Limits {
  std::size_t max_depth =
      200;  // nested objects and arrays; deeper is refused, so no reader after us overflows
};

/// Checks that `text` is one JSON value in UTF-8 and returns it. Error kInvalidJson: "byte 17:
/// found '}'; expected a value". Cost: about one pass of 16 or 32 bytes at a time over strings,
/// json_bench.cc.
Result<Value> parse(std::string_view text, Limits limits = {});

}  // namespace rung::json
