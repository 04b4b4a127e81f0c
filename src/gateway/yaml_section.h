#pragma once
// A YAML mapping that is read key by key: every value is checked, every key that nobody read is an
// error.

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rung::gateway {

/// Reads one mapping. The first error is kept; later reads return their defaults, so that a caller
/// reads everything and asks once at the end. Not thread-safe.
class YamlSection {
 public:
  /// `path` names the mapping in sentences: "models.small". `resolve` turns a scalar into its final
  /// text (environment variables).
  using Resolve = std::function<Result<std::string>(const std::string&)>;
  YamlSection(const YAML::Node& node, std::string path, const Resolve& resolve);

  std::string string(const char* key, std::string fallback = {});
  std::string required_string(const char* key);
  std::optional<double> number(const char* key);
  /// Within [low, high], else an error that says so.
  std::int64_t integer(const char* key, std::int64_t fallback, std::int64_t low, std::int64_t high);
  bool boolean(const char* key, bool fallback);
  std::vector<std::string> strings(const char* key);
  /// A nested value of any kind; undefined if absent. The caller reads it.
  YAML::Node child(const char* key);
  /// A nested mapping, read in the same way; requires has(key).
  YamlSection part(const char* key);
  /// The same for an item of the list `key`.
  YamlSection item(const char* key, const YAML::Node& node) const;
  /// "line 12: ", of the key's value; "" if it is absent.
  std::string line_of_key(const char* key) const;
  bool has(const char* key) const;

  /// Keeps the first error, with the line of `key` (of the section itself if the key is absent).
  void fail(const char* key, std::string_view sentence);
  void fail(const YAML::Node& node, std::string_view sentence);
  void fail(const Error& error);
  bool failed() const { return error_.has_value(); }
  const std::string& path() const { return path_; }

  /// The first error, or that a key is unknown (with the nearest known one).
  Result<void> finish();

 private:
  YAML::Node take(const char* key);
  std::optional<std::string> scalar(const char* key, std::string_view expected);
  YAML::Node node_;
  std::string path_;
  const Resolve& resolve_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

/// "line 12: "; empty if the position is not known.
/// "a list", "a mapping", "empty" or "a text": for error sentences. Never the text, which may be a
/// secret in the wrong place.
std::string_view kind_of(const YAML::Node& node);
std::string line_of(const YAML::Node& node);

/// The one of `names` that is a few letters away from `word`; empty if none is.
std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace rung::gateway
