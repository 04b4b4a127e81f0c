#pragma once
// `sessions` of the configuration.

#include <optional>

#include "gateway/sessions.h"
#include "gateway/yaml_section.h"

namespace rung::gateway {

/// Empty: off. The first mistake goes to `top`.
std::optional<SessionOptions> read_sessions(YamlSection& top, const YamlSection::Resolve& resolve);

}  // namespace rung::gateway
