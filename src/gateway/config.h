#pragma once
// The configuration: one YAML file, checked as a whole before anything starts.
// docs/configuration.md shows every key. A plain value after parsing; a running gateway holds it as
// a shared_ptr<const Config>.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "decide/eligibility.h"
#include "decide/policy.h"
#include "gateway/config_observe.h"
#include "gateway/config_sessions.h"
#include "gateway/prices.h"
#include "gateway/resilience.h"
#include "net/server_tls.h"
#include "net/url.h"
#include "state/key_spec.h"

namespace rung::gateway {

/// A text that must not be printed. Reading it is visible in the code.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

struct UpstreamConfig {
  std::string name;
  std::string dialect = "openai";        // or "anthropic": what it is asked in
  std::vector<std::string> also_speaks;  // "openai", "anthropic", "responses": used for clients
                                         // of that dialect instead of a translation
  Url base_url;
  Secret api_key;  // empty: no authorization header is sent
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{600'000};             // of a whole call, to the last byte
  std::chrono::milliseconds first_byte_timeout{300'000};  // until the head of the response
  std::size_t max_connections = 4096;                     // per worker thread
  HostResilience resilience;
  bool takes_reasoning = false;        // reasoning_content of earlier turns is sent back to it
  bool system_anywhere = true;         // it takes system messages behind others, in translations
  bool max_completion_tokens = false;  // what it calls max_tokens, in translations
};

struct ModelConfig {
  std::string name;           // as clients and routes call it
  std::size_t upstream = 0;   // index into Config::upstreams
  std::string upstream_name;  // as the upstream calls it
  decide::Abilities abilities;
  std::vector<std::string> efforts;   // reasoning efforts that may be asked for; empty: none
  std::int64_t max_output = 8192;     // tokens; asked for where a dialect requires a limit
  std::string thinking = "adaptive";  // or "budget": how an Anthropic model is told to think
  std::optional<PriceConfig> price;   // empty: unknown, never free
  std::optional<std::int64_t> max_output_tokens;  // of one answer; empty: not known
  std::string like;  // reference arm of the predictor; empty: its own name is looked up
  // The same model at its other hosts: alike but for upstream and upstream_name, without hosts of
  // their own. src/upstream/balance.h picks one of all.
  std::vector<ModelConfig> other_hosts;
  upstream::Balance balance = upstream::Balance::kLeastLoad;
  std::vector<std::size_t> fallback;  // models to ask instead where this one is named and fails
  HedgeConfig hedge;
};

/// How a request is answered: a model with its effort; other strategies join here.
struct ArmConfig {
  std::string label;      // "large@low"
  std::size_t model = 0;  // index into Config::models
  std::string effort;     // empty: as the client asked
  std::string strategy = "single";
};

struct RouteConfig {
  std::string name;
  std::vector<ArmConfig> arms;
  std::filesystem::path predictor;  // resolved; empty: the route has a single arm and needs none
  decide::PolicySpec policy;
  double explore = 0;  // share of requests that go to a random eligible arm
  std::optional<std::size_t>
      reference;         // arm that savings are measured against; empty: the dearest with a price
  state::Limits limits;  // of all who use it together
};

struct LedgerConfig {
  std::filesystem::path path;  // empty: off
  bool keep_prompts = false;
  bool before_reply = false;  // a reply ends only when its row is in the database
};

struct Config {
  ListenAddress listen{"127.0.0.1", 4000};
  std::optional<ServerTlsOptions> tls;  // of `listen`; empty: plain HTTP
  std::optional<ListenAddress> admin;   // empty: off
  Secret admin_token;  // empty: the dashboard asks for none, and nothing is changed
  std::vector<std::string> admin_hosts;  // names by which the admin listener may be called
  bool asks_for_keys = false;            // `keys` is there: nobody comes in without one
  std::vector<state::KeySpec> keys;
  std::filesystem::path key_store;             // empty: beside the ledger
  bool insecure = false;                       // others may reach an address without being asked
  std::int64_t reserve_output_tokens = 16384;  // for a model of unknown longest answer
  std::size_t workers = 0;                     // event loops; 0: one for each core
  std::size_t max_body_bytes = 64u << 20;
  std::chrono::milliseconds drain_timeout{30'000};  // a graceful stop waits this long
  std::chrono::milliseconds keep_alive{0};  // silence of a stream before a comment; 0: no comments
  LedgerConfig ledger;
  ObserveConfig observe;
  std::optional<SessionOptions> sessions = SessionOptions{};  // empty: off
  Resilience resilience;
  std::vector<UpstreamConfig> upstreams;
  std::vector<ModelConfig> models;
  std::vector<RouteConfig> routes;

  const ModelConfig* find_model(std::string_view name) const;
  const RouteConfig* find_route(std::string_view name) const;
};

/// Reads an environment variable; nullopt if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

/// Parses and checks. Relative paths are relative to `folder`; a predictor that is not there is
/// looked for among the shipped ones (RUNG_DATA_DIR). Every error is kInvalidConfig and says line,
/// key, what was found, what is right.
Result<Config> parse_config(std::string_view yaml, const std::filesystem::path& folder,
                            const Environment& environment);
/// The same from a file; errors carry its path.
Result<Config> load_config(const std::filesystem::path& file,
                           const Environment& environment = process_environment());

}  // namespace rung::gateway
