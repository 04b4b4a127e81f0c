#include "gateway/config_sessions.h"

#include <fmt/format.h>

namespace rung::gateway {

std::optional<SessionOptions> read_sessions(YamlSection& top, const YamlSection::Resolve& resolve) {
  SessionOptions out;
  const YAML::Node node = top.child("sessions");
  if (!node.IsDefined()) return out;
  if (node.IsScalar() && (node.Scalar() == "off" || node.Scalar() == "false")) return std::nullopt;
  YamlSection s(node, "sessions", resolve);
  const auto number = [&](const char* key, double& into, double most) {
    const auto value = s.number(key);
    if (!value) return;
    if (!(*value >= 0 && *value <= most))
      s.fail(key, fmt::format("is {:g}; expected 0 to {:g}", *value, most));
    into = *value;
  };
  number("cache_ttl_s", out.cache_ttl_s, 86'400);
  number("idle_s", out.idle_s, 604'800);
  number("drift_points", out.drift_points, 100);
  out.most = static_cast<std::size_t>(
      s.integer("max", static_cast<std::int64_t>(out.most), 8, 16'777'216));
  if (auto done = s.finish(); !done) top.fail(done.error());
  return out;
}

}  // namespace rung::gateway
