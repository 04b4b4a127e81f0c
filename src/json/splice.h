#pragma once
// Byte-faithful editing: replacements at offsets of a text; everything else is copied as it is.

#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace rung::json {

/// Collects edits of one text and makes the new text in one pass. Views point into the text and
/// must outlive it.
class Splice {
 public:
  explicit Splice(std::string_view text) : text_(text) {}
  /// Replaces `part`, a view of the text (it may be empty: an insertion at its position). Parts
  /// must not overlap.
  void replace(std::string_view part, std::string replacement);
  /// Sets `key` (plain ASCII, not escaped) of `object` to the JSON `value`: every occurrence is
  /// replaced; where there is none, one is added at the end.
  void set(Value object, std::string_view key, std::string_view value);
  bool empty() const { return edits_.empty(); }
  /// The edited text; with `slack` bytes of spare capacity behind it.
  std::string apply(std::size_t slack = 0) const;

 private:
  struct Edit {
    std::size_t offset, length;
    std::string replacement;
  };
  std::string_view text_;
  std::vector<Edit> edits_;
};

}  // namespace rung::json
