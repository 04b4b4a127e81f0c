// JSON in place: what was checked can be walked, and an edit leaves JSON.

#include <string>

#include "base/check.h"
#include "fuzz/target.h"
#include "json/splice.h"
#include "json/value.h"
#include "json/write.h"
#include "wire/session_facts.h"

namespace {

using namespace rung;

void walk(json::Value value) {
  switch (value.kind()) {
    case json::Kind::kObject:
      for (const json::Member& member : json::members(value)) {
        static_cast<void>(member.key.text());
        walk(member.value);
      }
      break;
    case json::Kind::kArray:
      for (const json::Value item : json::elements(value)) walk(item);
      break;
    case json::Kind::kString: {
      // Written again and read again it is the same text.
      const std::string text = value.text();
      std::string quoted;
      json::append_quoted(text, quoted);
      const auto again = json::parse(quoted);
      RUNG_CHECK(again && again->text() == text, "a text survives being written");
      break;
    }
    case json::Kind::kNumber:
      static_cast<void>(value.number());
      static_cast<void>(value.integer());
      break;
    default:
      break;
  }
}

}  // namespace

RUNG_FUZZ(json) {
  const auto parsed = json::parse(input);
  if (!parsed) {
    RUNG_CHECK(parsed.error().message.find("byte ") != std::string::npos,
               "a refusal names the byte");
    return;
  }
  walk(*parsed);
  json::Splice splice(input);
  if (parsed->is_object()) {
    splice.set(*parsed, "model", "\"small\"");
    splice.set(*parsed, "stream_options", "{\"include_usage\":true}");
  } else {
    splice.replace(parsed->raw, "[1]");
  }
  const std::string edited = splice.apply();
  const auto again = json::parse(edited);
  RUNG_CHECK(again.has_value(), "an edit leaves JSON");
  if (parsed->is_object())
    RUNG_CHECK(json::find(*again, "model")->equals("small"), "an edit sets what it was asked to");
  static_cast<void>(wire::read_session_facts(*parsed));
}
