#pragma once
// The parts of the configuration that say who may use the gateway and how much of it: `keys`,
// `limits`, `admin`, `tls`.

#include <yaml-cpp/yaml.h>

#include "gateway/config.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {

/// Reads `limits` of a key or a route.
state::Limits read_limits(YamlSection& section, const YamlSection::Resolve& resolve);

/// Reads `keys`, `key_store`, `insecure` and `reserve_output_tokens`. Routes and models must have
/// been read: keys may name them.
void read_keys(YamlSection& top, const YamlSection::Resolve& resolve, Config& config);

/// Reads `admin`: an address, "off", or {listen, token, hosts}.
void read_admin(YamlSection& top, const YamlSection::Resolve& resolve, Config& config);

/// Reads `tls`: {certificate, key, client_ca}. Relative paths are relative to `folder`.
void read_tls(YamlSection& top, const YamlSection::Resolve& resolve,
              const std::filesystem::path& folder, Config& config);

/// Whether only this machine can reach the address.
bool is_loopback(const ListenAddress& address);

/// What must not be served, as a whole: an address that others can reach, without anybody being
/// asked for a key. Error: kInvalidConfig.
Result<void> check_reach(const Config& config, bool has_keys);

}  // namespace rung::gateway
