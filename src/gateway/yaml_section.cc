#include "gateway/yaml_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace rung::gateway {

std::string line_of(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() ? std::string() : fmt::format("line {}: ", mark.line + 1);
}

std::string_view kind_of(const YAML::Node& node) {
  return node.IsScalar()     ? "a text"
         : node.IsSequence() ? "a list"
         : node.IsMap()      ? "a mapping"
                             : "empty";
}

std::string nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = 1 + word.size() / 3;  // farther is no typo
  for (const std::string& name : names) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t change = diagonal + (word[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
      }
    }
    if (row.back() <= best_distance) {
      best_distance = row.back();
      best = name;
    }
  }
  return best;
}

YamlSection::YamlSection(const YAML::Node& node, std::string path, const Resolve& resolve)
    : node_(node), path_(std::move(path)), resolve_(resolve) {
  if (!node_.IsMap())
    fail(node_,
         fmt::format("{} is {}; expected a mapping of keys to values", path_, kind_of(node_)));
}

bool YamlSection::has(const char* key) const { return node_.IsMap() && node_[key].IsDefined(); }

YAML::Node YamlSection::take(const char* key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return node_.IsMap() ? node_[key] : YAML::Node(YAML::NodeType::Undefined);
}

YAML::Node YamlSection::child(const char* key) { return take(key); }

YamlSection YamlSection::part(const char* key) {
  return YamlSection(take(key), path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key),
                     resolve_);
}

YamlSection YamlSection::item(const char* key, const YAML::Node& node) const {
  return YamlSection(node, fmt::format("{}.{}", path_, key), resolve_);
}

std::string YamlSection::line_of_key(const char* key) const {
  return has(key) ? line_of(node_[key]) : std::string();
}

void YamlSection::fail(const YAML::Node& node, std::string_view sentence) {
  fail(Error{ErrorCode::kInvalidConfig, fmt::format("{}{}", line_of(node), sentence)});
}

void YamlSection::fail(const char* key, std::string_view sentence) {
  const std::string name = path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  fail(has(key) ? YAML::Node(node_[key]) : node_, fmt::format("{} {}", name, sentence));
}

void YamlSection::fail(const Error& error) {
  if (!error_) error_ = error;
}

std::optional<std::string> YamlSection::scalar(const char* key, std::string_view expected) {
  const YAML::Node value = take(key);
  if (!value.IsDefined()) return std::nullopt;
  if (!value.IsScalar()) {
    fail(key, fmt::format("is {}; expected {}", kind_of(value), expected));
    return std::nullopt;
  }
  auto text = resolve_(value.Scalar());
  if (!text) {
    fail(key, fmt::format("cannot be read: {}", text.error().message));
    return std::nullopt;
  }
  return *std::move(text);
}

std::string YamlSection::string(const char* key, std::string fallback) {
  auto text = scalar(key, "a text");
  return text ? *std::move(text) : std::move(fallback);
}

std::string YamlSection::required_string(const char* key) {
  auto text = scalar(key, "a text");
  if (!text)
    fail(key, "is missing");
  else if (text->empty())
    fail(key, "is empty");
  return text.value_or(std::string());
}

std::optional<double> YamlSection::number(const char* key) {
  const auto text = scalar(key, "a number");
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || !std::isfinite(value)) {
    fail(key, fmt::format("is \"{}\"; expected a number", *text));
    return std::nullopt;
  }
  return value;
}

std::int64_t YamlSection::integer(const char* key, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) {
  const auto text = scalar(key, "a whole number");
  if (!text) return fallback;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < low || value > high) {
    fail(key, fmt::format("is \"{}\"; expected a whole number from {} to {}", *text, low, high));
    return fallback;
  }
  return value;
}

bool YamlSection::boolean(const char* key, bool fallback) {
  const auto text = scalar(key, "true or false");
  if (!text) return fallback;
  if (*text == "true" || *text == "yes" || *text == "on") return true;
  if (*text == "false" || *text == "no" || *text == "off") return false;
  fail(key, fmt::format("is \"{}\"; expected true or false", *text));
  return fallback;
}

std::vector<std::string> YamlSection::strings(const char* key) {
  const YAML::Node value = take(key);
  std::vector<std::string> result;
  if (!value.IsDefined()) return result;
  if (!value.IsSequence()) {
    fail(key, fmt::format("is {}; expected a list, such as [first, second]", kind_of(value)));
    return result;
  }
  for (const YAML::Node& item : value) {
    if (!item.IsScalar()) {
      fail(item, fmt::format("{}.{} holds {}; expected texts", path_, key,
                             item.IsNull() ? "an empty place" : kind_of(item)));
      return result;
    }
    result.push_back(item.Scalar());
  }
  return result;
}

Result<void> YamlSection::finish() {
  if (error_) return *error_;
  for (const auto& entry : node_) {
    const std::string key =
        entry.first.IsScalar() ? entry.first.Scalar() : std::string("(not a text)");
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string guess = nearest(key, known_);
    const std::string name = path_.empty() ? key : fmt::format("{}.{}", path_, key);
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("{}unknown key {}{}", line_of(entry.first), name,
                             guess.empty() ? fmt::format("; known are {}", fmt::join(known_, ", "))
                                           : fmt::format("; did you mean {}?", guess))};
  }
  return {};
}

}  // namespace rung::gateway
