#pragma once
// `otlp` and `log` of the configuration: what is told of requests besides the ledger.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/yaml_section.h"
#include "net/url.h"

namespace rung::gateway {

/// Where traces go: docs/observability.md.
struct OtlpConfig {
  Url endpoint;       // with the path that is asked, "/v1/traces" if none was given
  double sample = 1;  // share of requests without a parent that are traced
  std::string service = "rung";
  std::vector<std::pair<std::string, std::string>> headers;  // values may be secrets: never print
};

struct LogConfig {
  bool json = false;
  bool requests = false;  // a line for each request
};

struct ObserveConfig {
  std::optional<OtlpConfig> otlp;  // empty: off
  LogConfig log;
};

/// Reads both keys of `top`; the first mistake goes to `top`.
ObserveConfig read_observe(YamlSection& top, const YamlSection::Resolve& resolve);

}  // namespace rung::gateway
