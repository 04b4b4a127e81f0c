#include "gateway/config_observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace rung::gateway {
namespace {

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
}

void read_headers(YamlSection& otlp, const YamlSection::Resolve& resolve, OtlpConfig& out) {
  const YAML::Node node = otlp.child("headers");
  if (!node.IsDefined()) return;
  if (!node.IsMap())
    return otlp.fail("headers", fmt::format("is {}; expected names with values", kind_of(node)));
  YamlSection section(node, "otlp.headers", resolve);
  for (const auto& entry : node) {
    const std::string name = entry.first.Scalar();
    if (!is_header_name(name))
      return otlp.fail("headers", "holds a name that is no HTTP header's name");
    std::string value = section.string(name.c_str());
    if (std::any_of(value.begin(), value.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; }))
      return otlp.fail("headers",
                       fmt::format("{} holds a line break or a control character", name));
    out.headers.emplace_back(name, std::move(value));
  }
  if (auto done = section.finish(); !done) otlp.fail(done.error());
}

std::optional<OtlpConfig> read_otlp(const YAML::Node& node, YamlSection& top,
                                    const YamlSection::Resolve& resolve) {
  if (!node.IsDefined() || (node.IsScalar() && node.Scalar() == "off")) return std::nullopt;
  YamlSection s(node, "otlp", resolve);
  OtlpConfig out;
  const std::string endpoint = s.required_string("endpoint");
  if (auto url = parse_url(endpoint)) {
    out.endpoint = *std::move(url);
    if (out.endpoint.path.empty()) out.endpoint.path = "/v1/traces";
  } else if (!endpoint.empty()) {
    s.fail("endpoint", fmt::format("is not usable: {}", url.error().message));
  }
  if (const auto share = s.number("sample")) {
    if (!(*share >= 0 && *share <= 1))
      s.fail("sample", fmt::format("is {:g}; expected a share from 0 to 1", *share));
    out.sample = *share;
  }
  out.service = s.string("service", out.service);
  read_headers(s, resolve, out);
  if (auto done = s.finish(); !done) top.fail(done.error());
  return out;
}

LogConfig read_log(const YAML::Node& node, YamlSection& top, const YamlSection::Resolve& resolve) {
  LogConfig out;
  if (!node.IsDefined()) return out;
  YamlSection s(node, "log", resolve);
  const std::string format = s.string("format", "text");
  if (format != "text" && format != "json")
    s.fail("format", fmt::format("is \"{}\"; expected text or json", format));
  out.json = format == "json";
  out.requests = s.boolean("requests", false);
  if (auto done = s.finish(); !done) top.fail(done.error());
  return out;
}

}  // namespace

ObserveConfig read_observe(YamlSection& top, const YamlSection::Resolve& resolve) {
  ObserveConfig out;
  out.otlp = read_otlp(top.child("otlp"), top, resolve);
  out.log = read_log(top.child("log"), top, resolve);
  return out;
}

}  // namespace rung::gateway
