#include "state/key_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace rung::state {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

Error bad(std::string field, std::string_view found, std::string_view expected) {
  Error error{ErrorCode::kInvalidArgument,
              fmt::format("{} is {}; expected {}", field, found, expected)};
  error.field = std::move(field);
  return error;
}

/// Digits at a place of a fixed form.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

struct CountField {
  const char* name;
  std::optional<std::int64_t> Limits::* value;
};
constexpr std::array<CountField, 3> kCounts{
    CountField{"requests_per_minute", &Limits::requests_per_minute},
    CountField{"tokens_per_minute", &Limits::tokens_per_minute},
    CountField{"concurrent", &Limits::concurrent}};
struct UsdField {
  const char* name;
  std::optional<NanoUsd> Limits::* value;
};
constexpr std::array<UsdField, 3> kUsd{UsdField{"usd_per_day", &Limits::usd_per_day},
                                       UsdField{"usd_per_month", &Limits::usd_per_month},
                                       UsdField{"usd_total", &Limits::usd_total}};

Result<std::optional<std::vector<std::string>>> read_names(json::Value value,
                                                           const std::string& field) {
  if (value.is_null()) return std::optional<std::vector<std::string>>();
  if (!value.is_array()) return bad(field, json::name(value.kind()), "a list of names");
  std::vector<std::string> names;
  for (const json::Value item : json::elements(value)) {
    if (!item.is_string()) return bad(field, "a list with something else", "a list of names");
    names.push_back(item.text());
  }
  return std::optional(std::move(names));
}

}  // namespace

bool is_key_name(std::string_view name) {
  constexpr std::string_view kOthers = "._-@+";
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto y = digits(text, 0, 4), m = digits(text, 5, 2), d = digits(text, 8, 2);
  if (!y || !m || !d || text[4] != '-' || text[7] != '-') return std::nullopt;
  const year_month_day date{year(*y), month(static_cast<unsigned>(*m)),
                            day(static_cast<unsigned>(*d))};
  if (!date.ok()) return std::nullopt;
  std::int64_t second = duration_cast<seconds>(sys_days(date).time_since_epoch()).count();
  if (text.size() != 10) {
    const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), s = digits(text, 17, 2);
    if (text.size() != 20 || !hour || !minute || !s || text[10] != 'T' || text[13] != ':' ||
        text[16] != ':' || text[19] != 'Z' || *hour > 23 || *minute > 59 || *s > 59)
      return std::nullopt;
    second += *hour * 3600 + *minute * 60 + *s;
  }
  return second * kSecondUs;
}

std::string time_text(std::int64_t us) {
  using namespace std::chrono;
  const sys_seconds time{seconds(us / kSecondUs)};
  const year_month_day date{floor<days>(time)};
  const hh_mm_ss clock{time - floor<days>(time)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

void write_limits(const Limits& limits, json::Writer& w) {
  w.begin_object();
  for (const CountField& field : kCounts)
    if (limits.*field.value) w.key(field.name).number(*(limits.*field.value));
  for (const UsdField& field : kUsd)
    if (limits.*field.value) w.key(field.name).number((limits.*field.value)->usd().value);
  w.end_object();
}

void write_rights(const KeySpec& spec, json::Writer& w) {
  const auto names = [&](const char* key, const std::optional<std::vector<std::string>>& list) {
    if (!list) return;
    w.key(key).begin_array();
    for (const std::string& name : *list) w.string(name);
    w.end_array();
  };
  names("routes", spec.routes);
  names("models", spec.models);
  if (spec.expires_us) w.key("expires").string(time_text(*spec.expires_us));
  if (spec.disabled) w.key("disabled").boolean(true);
  if (!spec.team.empty()) w.key("team").string(spec.team);
  if (!spec.labels.empty()) {
    w.key("labels").begin_object();
    for (const auto& [label, value] : spec.labels) w.key(label).string(value);
    w.end_object();
  }
  if (spec.limits.any()) {
    w.key("limits");
    write_limits(spec.limits, w);
  }
}

Result<Limits> read_limits(json::Value object) {
  Limits limits;
  if (!object.is_object()) return bad("limits", json::name(object.kind()), "an object");
  for (const json::Member& member : json::members(object)) {
    const std::string name = member.key.text();
    const std::string field = "limits." + name;
    bool known = false;
    for (const CountField& count : kCounts) {
      if (name != count.name) continue;
      known = true;
      if (member.value.is_null()) continue;
      const auto value = member.value.integer();
      if (!value || *value < 0 || *value > 1'000'000'000'000)
        return bad(field, member.value.raw, "a whole number, 0 or more");
      limits.*count.value = *value;
    }
    for (const UsdField& usd : kUsd) {
      if (name != usd.name) continue;
      known = true;
      if (member.value.is_null()) continue;
      const auto value = member.value.number();
      if (!value || !(*value >= 0 && *value <= 1e9))
        return bad(field, member.value.raw, "US dollars, 0 or more");
      limits.*usd.value = nano_usd(Usd{*value});
    }
    if (!known)
      return bad(field, "not known",
                 "requests_per_minute, tokens_per_minute, concurrent, usd_per_day, usd_per_month "
                 "or usd_total");
  }
  return limits;
}

Result<void> read_rights(json::Value object, const std::vector<std::string_view>& others,
                         KeySpec& spec) {
  for (const json::Member& member : json::members(object)) {
    const std::string name = member.key.text();
    const json::Value value = member.value;
    if (std::find(others.begin(), others.end(), name) != others.end()) continue;
    if (name == "routes" || name == "models") {
      auto names = read_names(value, name);
      if (!names) return names.error();
      (name == "routes" ? spec.routes : spec.models) = *std::move(names);
    } else if (name == "expires") {
      if (value.is_null()) {
        spec.expires_us.reset();
        continue;
      }
      const auto time = value.is_string() ? parse_time(value.text()) : std::nullopt;
      if (!time) return bad(name, value.raw, "a time like 2026-12-31 or 2026-12-31T12:00:00Z");
      spec.expires_us = time;
    } else if (name == "disabled") {
      if (!value.is_bool()) return bad(name, value.raw, "true or false");
      spec.disabled = value.is_true();
    } else if (name == "team") {
      if (!value.is_string() && !value.is_null()) return bad(name, value.raw, "a text");
      spec.team = value.is_null() ? std::string() : value.text();
    } else if (name == "labels") {
      std::map<std::string, std::string> labels;
      if (!value.is_object() && !value.is_null())
        return bad(name, json::name(value.kind()), "an object of texts");
      if (value.is_object())
        for (const json::Member& label : json::members(value)) {
          if (!label.value.is_string())
            return bad("labels." + label.key.text(), json::name(label.value.kind()), "a text");
          labels[label.key.text()] = label.value.text();
        }
      spec.labels = std::move(labels);
    } else if (name == "limits") {
      if (value.is_null()) {
        spec.limits = {};
        continue;
      }
      auto limits = read_limits(value);
      if (!limits) return limits.error();
      spec.limits = *limits;
    } else {
      return bad(name, "not known", "routes, models, expires, disabled, team, labels or limits");
    }
  }
  return {};
}

}  // namespace rung::state
