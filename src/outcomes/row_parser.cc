#include "outcomes/row_parser.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "outcomes/json_locate.h"
#include "outcomes/line_reader.h"

namespace rung::outcomes {
namespace {

namespace dom = simdjson::dom;
using dom::element_type;

static_assert(LineReader::kPadding >= simdjson::SIMDJSON_PADDING);

constexpr std::int64_t kMaxTokens = 2'000'000'000;

// The value as a person would name it in "found ...".
std::string shown(const dom::element& value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return "a list";
    case element_type::OBJECT:
      return "an object";
    case element_type::NULL_VALUE:
      return "null";
    case element_type::STRING: {
      const std::string_view text = value.get_string().value_unsafe();
      if (text.size() > 40) return fmt::format("the string \"{}...\"", text.substr(0, 32));
      return fmt::format("the string \"{}\"", text);
    }
    default:
      return simdjson::minify(value);
  }
}

class Row {
 public:
  Row(std::string_view where, ParsedRow& row) : where_(where), row_(row) {}

  Error invalid(std::string_view field, std::string_view found, std::string_view expected) const {
    return {ErrorCode::kInvalidData,
            fmt::format("{}: {}: found {}; expected {}", where_, field, found, expected)};
  }

  // A string; null and absence are the caller's business.
  Result<std::string_view> text(std::string_view field, const dom::element& value,
                                std::string_view expected) const {
    std::string_view out;
    if (value.get(out) != simdjson::SUCCESS) return invalid(field, shown(value), expected);
    return out;
  }

  Result<float> number(std::string_view arm, std::string_view key, const dom::element& value,
                       double most, std::string_view expected) const {
    double out = 0;
    if (!value.is_number() || value.get(out) != simdjson::SUCCESS) {
      return invalid(field_of(arm, key), shown(value), expected);
    }
    if (!std::isfinite(out) || out < 0 || out > most) {
      return invalid(field_of(arm, key), shown(value), expected);
    }
    return static_cast<float>(out);
  }

  Result<std::int32_t> tokens(std::string_view arm, std::string_view key,
                              const dom::element& value) const {
    double out = 0;
    if (!value.is_number() || value.get(out) != simdjson::SUCCESS || out < 0 ||
        out > static_cast<double>(kMaxTokens)) {
      return invalid(field_of(arm, key), shown(value),
                     "a token count of 0 or more, or null when it is not known");
    }
    return static_cast<std::int32_t>(
        std::lround(out));  // counts estimated from characters may have a fraction
  }

  Result<void> cell(std::string_view arm, const dom::element& value, bool want_texts) {
    if (arm.empty())
      return invalid("models", "an arm with an empty name", "the name of a model or arm");
    ParsedCell& cell = row_.cells.emplace_back();
    cell.arm = arm;
    if (value.is_null()) return {};  // listed, but not run
    dom::object fields;
    if (value.get(fields) != simdjson::SUCCESS) {
      return invalid(fmt::format("models.{}", arm), shown(value),
                     "an object such as {\"score\": 1, \"cost\": 0.002}");
    }
    for (const auto [key, field] : fields) {
      if (field.is_null()) continue;
      if (key == "score") {
        auto score =
            number(arm, key, field, 1.0, "a number between 0 and 1, or null when it is not known");
        if (!score) return score.error();
        cell.score = *score;
      } else if (key == "cost") {
        auto cost = number(arm, key, field, 1e9,
                           "US dollars for this call, 0 or more, or null when it is not known");
        if (!cost) return cost.error();
        cell.cost = *cost;
      } else if (key == "prompt_tokens" || key == "completion_tokens") {
        auto count = tokens(arm, key, field);
        if (!count) return count.error();
        (key == "prompt_tokens" ? cell.prompt_tokens : cell.completion_tokens) = *count;
      } else if (key == "output" && want_texts) {
        auto output = text(field_of(arm, key), field, "a string or null");
        if (!output) return output.error();
        cell.output = *output;
        cell.has_output = true;
      }
    }
    return {};
  }

  Result<void> models(const dom::element& value, bool want_texts) {
    dom::object arms;
    if (value.get(arms) != simdjson::SUCCESS) {
      return invalid("models", shown(value),
                     "an object of arms, such as {\"small\": {\"score\": 1}}");
    }
    for (const auto [arm, fields] : arms) {
      if (auto done = cell(arm, fields, want_texts); !done) return done.error();
    }
    return {};
  }

  Result<void> read(const dom::object& fields, bool want_texts) {
    bool has_id = false, has_prompt = false, has_models = false;
    for (const auto [key, value] : fields) {
      if (key == "id") {
        auto id = text(key, value, "a string that no other row has");
        if (!id) return id.error();
        if (id->empty()) return invalid(key, "an empty string", "a string that no other row has");
        row_.id = *id;
        has_id = true;
      } else if (key == "prompt") {
        auto prompt = text(key, value, "the text that was asked, as a string");
        if (!prompt) return prompt.error();
        row_.prompt = *prompt;
        has_prompt = true;
      } else if (key == "category" && !value.is_null()) {
        auto category = text(key, value, "a string or null");
        if (!category) return category.error();
        row_.category = *category;
        row_.has_category = true;
      } else if (key == "reference" && want_texts && !value.is_null()) {
        row_.has_reference = true;
        row_.reference = value.is_string() ? std::string(value.get_string().value_unsafe())
                                           : std::string(simdjson::minify(value));
      } else if (key == "models") {
        if (has_models) return invalid(key, "the field twice in one row", "it once, with all arms");
        if (auto done = models(value, want_texts); !done) return done.error();
        has_models = true;
      }
    }
    if (!has_id) return missing("id", "a string that no other row has");
    if (!has_prompt) return missing("prompt", "the text that was asked, as a string");
    if (!has_models)
      return missing("models", "an object of arms, such as {\"small\": {\"score\": 1}}");
    if (row_.cells.empty()) return invalid("models", "no arm", "at least one arm with its score");
    return distinct();
  }

 private:
  static std::string field_of(std::string_view arm, std::string_view key) {
    return fmt::format("models.{}.{}", arm, key);
  }
  Error missing(std::string_view field, std::string_view expected) const {
    return {ErrorCode::kInvalidData,
            fmt::format("{}: the field \"{}\" is missing; expected {}", where_, field, expected)};
  }
  Result<void> distinct() const {
    std::vector<std::string_view> names;
    names.reserve(row_.cells.size());
    for (const ParsedCell& cell : row_.cells) names.push_back(cell.arm);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return {};
    return invalid("models", fmt::format("the arm \"{}\" twice", *twice), "each arm once in a row");
  }

  std::string_view where_;
  ParsedRow& row_;
};

Error not_json(std::string_view line, std::string_view where, simdjson::error_code code) {
  const JsonFault fault = locate_json_fault(line);
  if (fault.found.empty()) {  // such as a number too large for 64 bits
    return {ErrorCode::kInvalidJson, fmt::format("{}: {}; expected one JSON object per line", where,
                                                 simdjson::error_message(code))};
  }
  return {ErrorCode::kInvalidJson,
          fmt::format("{}:{}: not valid JSON{}: found {}; expected {}", where, fault.column,
                      fault.field.empty() ? "" : fmt::format(" in {}", fault.field), fault.found,
                      fault.expected)};
}

}  // namespace

struct RowParser::Impl {
  dom::parser parser;
};

RowParser::RowParser() : impl_(std::make_unique<Impl>()) {}
RowParser::~RowParser() = default;

Result<void> RowParser::parse(std::string_view line, std::string_view where, bool want_texts,
                              ParsedRow& row) {
  row.id = row.prompt = row.category = {};
  row.has_category = row.has_reference = false;
  row.cells.clear();
  dom::element root;
  if (const auto code = impl_->parser.parse(line.data(), line.size(), false).get(root)) {
    return not_json(line, where, code);
  }
  dom::object fields;
  if (root.get(fields) != simdjson::SUCCESS) {
    return Error{
        ErrorCode::kInvalidData,
        fmt::format(
            "{}: found {}; expected one JSON object per line, {{\"id\", \"prompt\", \"models\"}}",
            where, shown(root))};
  }
  return Row(where, row).read(fields, want_texts);
}

}  // namespace rung::outcomes
