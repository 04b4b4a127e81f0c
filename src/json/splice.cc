#include "json/splice.h"

#include <algorithm>

#include "base/check.h"
#include "json/write.h"

namespace rung::json {

void Splice::replace(std::string_view part, std::string replacement) {
  RUNG_CHECK(
      part.data() >= text_.data() && part.data() + part.size() <= text_.data() + text_.size(),
      "an edit outside its text");
  edits_.push_back(
      {static_cast<std::size_t>(part.data() - text_.data()), part.size(), std::move(replacement)});
}

void Splice::set(Value object, std::string_view key, std::string_view value) {
  bool found = false, any = false;
  for (const Member& member : members(object)) {
    any = true;
    if (!member.key.equals(key)) continue;
    replace(member.value.raw, std::string(value));
    found = true;
  }
  if (found) return;
  const std::string_view end = object.raw.substr(object.raw.size() - 1, 0);
  const auto at = static_cast<std::size_t>(end.data() - text_.data());
  // A key that was added before is not in the text yet.
  for (const Edit& edit : edits_) any = any || (edit.offset == at && edit.length == 0);
  std::string member;
  if (any) member.push_back(',');
  append_quoted(key, member);
  member.push_back(':');
  member.append(value);
  replace(end, std::move(member));
}

std::string Splice::apply(std::size_t slack) const {
  std::vector<const Edit*> order;
  order.reserve(edits_.size());
  std::size_t size = text_.size();
  for (const Edit& edit : edits_) {
    order.push_back(&edit);
    size += edit.replacement.size();
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Edit* a, const Edit* b) { return a->offset < b->offset; });
  std::string out;
  out.reserve(size + slack);
  std::size_t at = 0;
  for (const Edit* edit : order) {
    RUNG_CHECK(edit->offset >= at, "edits overlap");
    out.append(text_, at, edit->offset - at);
    out.append(edit->replacement);
    at = edit->offset + edit->length;
  }
  out.append(text_, at, std::string_view::npos);
  return out;
}

}  // namespace rung::json
