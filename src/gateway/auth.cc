#include "gateway/auth.h"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/headers.h"
#include "wire/error_reply.h"

namespace rung::gateway {
namespace {

/// "Bearer KEY", any case of the scheme; "" for anything else.
std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() ||
      !same_name(authorization.substr(0, kScheme.size()), kScheme))
    return {};
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  return authorization;
}

/// Without `/v1` and a slash at the end, as the endpoints have them.
std::string_view plain_path(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.starts_with("/v1/")) path.remove_prefix(3);
  return path;
}

bool is_open(const HttpRequestHead& head) {
  const std::string_view path = plain_path(head.path);
  return head.method == "OPTIONS" || path == "/healthz" || path == "/readyz";
}

HeadRefusal refuse(const HttpRequestHead& head, std::string_view request_id,
                   std::string_view sentence) {
  HeadRefusal refusal;
  refusal.status = 401;
  const std::string_view own = callers_request_id(head.headers);
  refusal.headers = {{"x-request-id", std::string(own.empty() ? request_id : own)},
                     {"www-authenticate", "Bearer"}};
  if (plain_path(head.path).starts_with("/messages")) {
    refusal.headers.emplace_back("request-id", refusal.headers[0].second);
    refusal.body =
        wire::messages_error_body("authentication_error", sentence, refusal.headers[0].second);
  } else {
    refusal.body = wire::openai_error_body(sentence, "authentication_error", "", "invalid_api_key");
  }
  return refusal;
}

/// Why a key that was found may not be used now; "": it may.
std::string_view why_not(const state::KeySpec& spec, std::int64_t wall_us) {
  if (spec.revoked_us) return "the key was revoked";
  if (spec.disabled) return "the key is disabled";
  if (spec.expires_us && wall_us >= *spec.expires_us) return "the key has expired";
  return {};
}

}  // namespace

bool allows(const std::optional<std::vector<std::string>>& names, std::string_view name) {
  return !names || std::find(names->begin(), names->end(), name) != names->end();
}

// --- Keys

Keys::Keys(const Clock& clock, Before before)
    : clock_(clock), before_(std::move(before)), ring_(std::make_shared<const KeyRing>()) {}

std::shared_ptr<const KeyRing> Keys::ring() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

Result<void> Keys::open_store(bool create) {
  if (store_ || store_path_.empty()) return {};
  std::error_code ignored;
  if (!create && !std::filesystem::exists(store_path_, ignored)) return {};
  auto store = state::KeyStore::open(store_path_);
  if (!store) return store.error();
  auto version = (*store)->version();
  auto keys = (*store)->list();
  if (!version || !keys) return version ? keys.error() : version.error();
  store_ = *std::move(store);
  store_version_ = *version;
  store_keys_ = *std::move(keys);
  return {};
}

Result<void> Keys::configure(const Config& config) {
  const std::lock_guard lock(mutex_);
  std::filesystem::path path = config.key_store;
  if (path.empty() && !config.ledger.path.empty())
    path = state::key_store_beside(config.ledger.path);
  if (path != store_path_) {
    store_.reset();
    store_keys_.clear();
    store_path_ = std::move(path);
  }
  if (auto opened = open_store(/*create=*/false); !opened) return opened;
  auto keys = std::exchange(config_keys_, config.keys);
  auto routes = std::exchange(route_limits_, {});
  const bool asked = std::exchange(asks_, config.asks_for_keys || !config.key_store.empty());
  for (const RouteConfig& route : config.routes)
    if (route.limits.any()) route_limits_.emplace_back(route.name, route.limits);
  auto built = rebuild();
  if (!built) {
    config_keys_ = std::move(keys);
    route_limits_ = std::move(routes);
    asks_ = asked;
  }
  return built;
}

Result<void> Keys::poll() {
  const std::lock_guard lock(mutex_);
  if (!store_) {
    if (auto opened = open_store(/*create=*/false); !opened) return opened;
    return store_ ? rebuild() : Result<void>();
  }
  auto version = store_->version();
  if (!version) return version.error();
  if (*version == store_version_) return {};
  auto keys = store_->list();
  if (!keys) return keys.error();
  store_version_ = *version;
  store_keys_ = *std::move(keys);
  return rebuild();
}

Result<std::shared_ptr<state::Account>> Keys::account(const std::string& scope,
                                                      const std::string& name,
                                                      const state::Limits& limits) {
  auto& account = accounts_[{scope, name}];
  if (account) {
    account->set_limits(limits);
    return account;
  }
  // Asked once for all accounts that a change brings; later ones ask anew.
  auto before = before_();
  if (!before) return before.error().with("what keys and routes have spent cannot be read");
  for (auto& [id, other] : accounts_)
    if (!other)
      other = std::make_shared<state::Account>(state::Limits{}, (*before)[id], clock_.wall_us());
  account->set_limits(limits);
  return account;
}

Result<void> Keys::rebuild() {
  auto ring = std::make_shared<KeyRing>();
  // A store with a key in it, even a revoked one, asks: revoking the last key must not open the
  // gateway to everybody.
  ring->asks = asks_ || !store_keys_.empty();
  for (const auto* keys : {&config_keys_, &store_keys_})
    for (const state::KeySpec& spec : *keys) accounts_[{"key", spec.name}];
  for (const auto& [name, limits] : route_limits_) accounts_[{"route", name}];
  for (const auto* keys : {&store_keys_, &config_keys_}) {  // those of the configuration win
    for (const state::KeySpec& spec : *keys) {
      const bool hidden =
          keys == &store_keys_ &&
          std::any_of(config_keys_.begin(), config_keys_.end(),
                      [&](const state::KeySpec& other) { return other.name == spec.name; });
      if (hidden) continue;
      auto account = this->account("key", spec.name, spec.limits);
      if (!account) return account.error();
      ring->by_digest[spec.digest] = std::make_shared<const Key>(Key{spec, *std::move(account)});
    }
  }
  for (const auto& [name, limits] : route_limits_) {
    auto account = this->account("route", name, limits);
    if (!account) return account.error();
    ring->routes[name] = *std::move(account);
  }
  ring_ = std::move(ring);
  version_.fetch_add(1, std::memory_order_release);
  return {};
}

std::vector<Keys::Listed> Keys::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Listed> listed;
  for (const auto* keys : {&config_keys_, &store_keys_})
    for (const state::KeySpec& spec : *keys) {
      Listed item{.spec = spec, .from_config = keys == &config_keys_, .state = {}};
      const auto account = accounts_.find({"key", spec.name});
      if (account != accounts_.end() && account->second)
        item.state = account->second->state(clock_.wall_us());
      listed.push_back(std::move(item));
    }
  return listed;
}

std::vector<std::pair<std::string, state::AccountState>> Keys::routes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, state::AccountState>> states;
  for (const auto& [name, limits] : route_limits_)
    if (const auto found = ring_->routes.find(name); found != ring_->routes.end())
      states.emplace_back(name, found->second->state(clock_.wall_us()));
  return states;
}

Error Keys::not_here(const std::string& name) const {
  for (const state::KeySpec& spec : config_keys_)
    if (spec.name == name)
      return {ErrorCode::kInvalidArgument,
              fmt::format("the key {} is one of the configuration file; change it there", name),
              "name"};
  return {ErrorCode::kNotFound, fmt::format("there is no key named {}", name), "name"};
}

Result<std::string> Keys::create(state::KeySpec spec) {
  const std::lock_guard lock(mutex_);
  if (!state::is_key_name(spec.name))
    return Error{ErrorCode::kInvalidArgument, "a key's name has 1 to 64 letters, digits and ._-@+",
                 "name"};
  for (const state::KeySpec& other : config_keys_)
    if (other.name == spec.name) return not_here(spec.name);
  if (store_path_.empty())
    return Error{ErrorCode::kUnsupported,
                 "there is no place to keep keys: set `key_store` or `ledger.path` in the "
                 "configuration"};
  if (auto opened = open_store(/*create=*/true); !opened) return opened.error();
  std::string key = state::make_key();
  spec.digest = state::digest_of(key);
  spec.shown = state::shown_part(key);
  spec.created_us = clock_.wall_us();
  if (auto added = store_->add(spec); !added) return added.error();
  store_keys_.push_back(std::move(spec));
  if (auto built = rebuild(); !built) return built.error();
  return key;
}

Result<void> Keys::update(const std::string& name,
                          const std::function<Result<void>(state::KeySpec&)>& change) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(store_keys_.begin(), store_keys_.end(),
                                  [&](const state::KeySpec& spec) { return spec.name == name; });
  if (found == store_keys_.end() || !store_) return not_here(name);
  state::KeySpec spec = *found;
  if (auto changed = change(spec); !changed) return changed;
  if (auto written = store_->update(spec); !written) return written;
  *found = std::move(spec);
  return rebuild();
}

Result<void> Keys::revoke(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(store_keys_.begin(), store_keys_.end(),
                                  [&](const state::KeySpec& spec) { return spec.name == name; });
  if (found == store_keys_.end() || !store_) return not_here(name);
  const std::int64_t now = clock_.wall_us();
  if (auto revoked = store_->revoke(name, now); !revoked) return revoked;
  found->revoked_us = now;
  return rebuild();
}

// --- the check

const KeyRing& KeyView::ring() {
  if (const std::uint64_t version = keys_.version(); version != seen_) {
    ring_ = keys_.ring();
    seen_ = version;
  }
  return *ring_;
}

std::optional<HeadRefusal> check_credentials(const KeyRing& ring, const HttpRequestHead& head,
                                             std::int64_t wall_us, std::string_view request_id,
                                             std::shared_ptr<const void>& context) {
  if (!ring.asks || is_open(head)) return std::nullopt;
  std::string_view reason = "no key was sent; expected `authorization: Bearer KEY` or `x-api-key`";
  // Some clients send more than one of them: any that is good will do.
  const std::string_view sent[] = {bearer(head.headers.get("authorization")),
                                   head.headers.get("x-api-key"), head.headers.get("api-key")};
  for (const std::string_view key : sent) {
    if (key.empty()) continue;
    const auto found = ring.by_digest.find(state::digest_of(key));
    if (found == ring.by_digest.end()) {
      reason = "the key is not known here";
      continue;
    }
    reason = why_not(found->second->spec, wall_us);
    if (!reason.empty()) break;
    context = found->second;
    return std::nullopt;
  }
  return refuse(head, request_id, reason);
}

std::shared_ptr<const Key> key_of(const Exchange& exchange) {
  return std::static_pointer_cast<const Key>(exchange.context());
}

}  // namespace rung::gateway
