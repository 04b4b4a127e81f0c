#include "gateway/config_keys.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

namespace rung::gateway {
namespace {

constexpr std::size_t kLeastKeyLength = 24, kLeastTokenLength = 16;

std::optional<std::vector<std::string>> names_in(YamlSection& s, const char* key) {
  if (!s.has(key)) {
    s.child(key);
    return std::nullopt;
  }
  return s.strings(key);
}

void read_labels(YamlSection& s, const YamlSection::Resolve& resolve, state::KeySpec& spec) {
  const YAML::Node node = s.child("labels");
  if (!node.IsDefined()) return;
  if (!node.IsMap())
    return s.fail("labels", fmt::format("is {}; expected a mapping of texts", kind_of(node)));
  YamlSection labels(node, s.path() + ".labels", resolve);
  for (const auto& entry : node) {
    const std::string label = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
    spec.labels[label] = labels.string(label.c_str());
  }
  if (auto done = labels.finish(); !done) s.fail(done.error());
}

/// The digest, from `hash` or from the key itself. Sentences never quote either.
void read_digest(YamlSection& s, state::KeySpec& spec) {
  const std::string key = s.string("key"), hash = s.string("hash");
  if (s.failed()) return;
  if (key.empty() == hash.empty())
    return s.fail("key", "or hash, one of them, is needed: `rung keys new` makes both");
  if (!key.empty()) {
    if (key.size() < kLeastKeyLength)
      s.fail("key", fmt::format("is too short to be safe from guessing; expected at least {} "
                                "random characters, as `rung keys new` makes them",
                                kLeastKeyLength));
    spec.digest = state::digest_of(key);
    spec.shown = state::shown_part(key);
    return;
  }
  const auto digest = state::parse_digest(hash);
  if (!digest) s.fail("hash", "is not of the form sha256:<64 hexadecimal digits>");
  spec.digest = digest.value_or(state::KeyDigest{});
  spec.shown = "...";
}

void check_names(YamlSection& s, const char* key, const char* what,
                 const std::optional<std::vector<std::string>>& names,
                 const std::function<bool(const std::string&)>& exists) {
  if (!names) return;
  for (const std::string& name : *names)
    if (!exists(name)) s.fail(key, fmt::format("names \"{}\", which is no {}", name, what));
}

void read_key(const std::string& name, YamlSection& s, const YamlSection::Resolve& resolve,
              Config& config) {
  state::KeySpec spec;
  spec.name = name;
  if (!state::is_key_name(name))
    s.fail("key", "has a name that is not 1 to 64 letters, digits and ._-@+");
  read_digest(s, spec);
  spec.routes = names_in(s, "routes");
  spec.models = names_in(s, "models");
  check_names(s, "routes", "route", spec.routes,
              [&](const std::string& n) { return config.find_route(n) != nullptr; });
  check_names(s, "models", "model", spec.models,
              [&](const std::string& n) { return config.find_model(n) != nullptr; });
  if (const std::string expires = s.string("expires"); !expires.empty()) {
    spec.expires_us = state::parse_time(expires);
    if (!spec.expires_us)
      s.fail("expires", fmt::format("is \"{}\"; expected a time like 2026-12-31 or "
                                    "2026-12-31T12:00:00Z",
                                    expires));
  }
  spec.disabled = s.boolean("disabled", false);
  spec.team = s.string("team");
  read_labels(s, resolve, spec);
  spec.limits = read_limits(s, resolve);
  for (const state::KeySpec& other : config.keys)
    if (other.digest == spec.digest && !s.failed())
      s.fail("key", fmt::format("is the same as that of {}", other.name));
  config.keys.push_back(std::move(spec));
}

}  // namespace

state::Limits read_limits(YamlSection& section, const YamlSection::Resolve& resolve) {
  state::Limits limits;
  const YAML::Node node = section.child("limits");
  if (!node.IsDefined()) return limits;
  YamlSection s(node, section.path() + ".limits", resolve);
  const auto count = [&](const char* key) -> std::optional<std::int64_t> {
    const bool has = s.has(key);
    const std::int64_t value = s.integer(key, 0, 0, 1'000'000'000'000);
    return has ? std::optional(value) : std::nullopt;
  };
  const auto usd = [&](const char* key) -> std::optional<state::NanoUsd> {
    const auto value = s.number(key);
    if (!value) return std::nullopt;
    if (!(*value >= 0 && *value <= 1e9))
      s.fail(key, fmt::format("is {:g}; expected US dollars, 0 or more", *value));
    return state::nano_usd(Usd{*value});
  };
  limits.requests_per_minute = count("requests_per_minute");
  limits.tokens_per_minute = count("tokens_per_minute");
  limits.concurrent = count("concurrent");
  limits.usd_per_day = usd("usd_per_day");
  limits.usd_per_month = usd("usd_per_month");
  limits.usd_total = usd("usd_total");
  if (auto done = s.finish(); !done) section.fail(done.error());
  return limits;
}

void read_keys(YamlSection& top, const YamlSection::Resolve& resolve, Config& config) {
  config.insecure = top.boolean("insecure", false);
  config.key_store = top.string("key_store");
  config.reserve_output_tokens = top.integer("reserve_output_tokens", 16384, 1, 1'000'000'000);
  const YAML::Node node = top.child("keys");
  if (!node.IsDefined()) return;
  config.asks_for_keys = true;
  if (!node.IsMap() && !node.IsNull())
    return top.fail("keys",
                    fmt::format("is {}; expected a mapping of names to keys", kind_of(node)));
  for (const auto& entry : node) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
    YamlSection section(entry.second, fmt::format("keys.{}", name), resolve);
    const bool twice = std::any_of(config.keys.begin(), config.keys.end(),
                                   [&](const state::KeySpec& other) { return other.name == name; });
    if (twice) section.fail("key", "has a name that is there twice");
    if (!section.failed()) read_key(name, section, resolve, config);
    if (auto done = section.finish(); !done) return top.fail(done.error());
  }
}

void read_admin(YamlSection& top, const YamlSection::Resolve& resolve, Config& config) {
  const YAML::Node node = top.child("admin");
  if (!node.IsDefined() || node.IsNull() || (node.IsScalar() && node.Scalar() == "off")) return;
  std::string address;
  if (node.IsScalar()) {
    address = top.string("admin");
  } else {
    YamlSection s(node, "admin", resolve);
    address = s.required_string("listen");
    const std::string token = s.string("token");
    if (s.has("token") && token.size() < kLeastTokenLength)
      s.fail("token", fmt::format("is too short to be safe from guessing; expected at least {} "
                                  "random characters",
                                  kLeastTokenLength));
    config.admin_token = Secret(token);
    config.admin_hosts = s.strings("hosts");
    if (auto done = s.finish(); !done) return top.fail(done.error());
  }
  auto parsed = parse_listen(address);
  if (!parsed)
    return top.fail("admin", fmt::format("is \"{}\": {}", address, parsed.error().message));
  config.admin = *parsed;
}

void read_tls(YamlSection& top, const YamlSection::Resolve& resolve,
              const std::filesystem::path& folder, Config& config) {
  const YAML::Node node = top.child("tls");
  if (!node.IsDefined()) return;
  YamlSection s(node, "tls", resolve);
  const auto path = [&](const std::string& name) {
    const std::filesystem::path file(name);
    return name.empty() || file.is_absolute() ? file : folder / file;
  };
  ServerTlsOptions options;
  options.certificate = path(s.required_string("certificate"));
  options.key = path(s.required_string("key"));
  options.client_ca = path(s.string("client_ca"));
  if (auto done = s.finish(); !done) return top.fail(done.error());
  config.tls = std::move(options);
}

bool is_loopback(const ListenAddress& address) {
  if (address.host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<void> check_reach(const Config& config, bool has_keys) {
  const auto refuse = [](const char* key, const ListenAddress& address, const char* remedy) {
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("{} is {}:{}, which other machines can reach, and nobody would be "
                             "asked who they are: {}",
                             key, address.host, address.port, remedy)};
  };
  if (!config.insecure && !has_keys && !is_loopback(config.listen))
    return refuse("listen", config.listen,
                  "add `keys` (docs/keys-and-budgets.md), listen on 127.0.0.1, or say `insecure: "
                  "true` where something in front of it asks");
  if (!config.insecure && config.admin && config.admin_token.empty() && !is_loopback(*config.admin))
    return refuse("admin", *config.admin,
                  "give it a token, as in `admin: {listen: ..., token: ${RUNG_ADMIN_TOKEN}}`, or "
                  "listen on 127.0.0.1");
  return {};
}

}  // namespace rung::gateway
