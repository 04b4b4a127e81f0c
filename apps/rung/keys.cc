// `rung keys`: makes, lists and revokes the keys of clients, in the file that a running gateway
// watches.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "commands.h"
#include "gateway/config.h"
#include "state/key_store.h"

namespace rung::cli {
namespace {

struct Options {
  std::string name, store, config, expires, team;
  std::vector<std::string> routes, models;
  std::optional<double> usd_day, usd_month, usd_total;
  std::optional<std::int64_t> requests, tokens, concurrent;
};

int fail(const Error& error) {
  fmt::print(stderr, "rung keys: {}\n", error.message);
  return kBadInput;
}

Result<std::unique_ptr<state::KeyStore>> open_store(const Options& options) {
  if (!options.store.empty()) return state::KeyStore::open(options.store);
  if (options.config.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "which keys? Name the file with --store, or the gateway's configuration with "
                 "--config"};
  auto config = gateway::load_config(options.config);
  if (!config) return config.error();
  if (!config->key_store.empty()) return state::KeyStore::open(config->key_store);
  if (config->ledger.path.empty())
    return Error{ErrorCode::kInvalidConfig,
                 fmt::format("{}: says neither `key_store` nor `ledger.path`; keys have no place",
                             options.config)};
  return state::KeyStore::open(state::key_store_beside(config->ledger.path));
}

Result<state::KeySpec> spec_of(const Options& options) {
  state::KeySpec spec;
  spec.name = options.name;
  if (!state::is_key_name(spec.name))
    return Error{ErrorCode::kInvalidArgument, "a key's name has 1 to 64 letters, digits and ._-@+"};
  if (!options.routes.empty()) spec.routes = options.routes;
  if (!options.models.empty()) spec.models = options.models;
  spec.team = options.team;
  if (!options.expires.empty()) {
    spec.expires_us = state::parse_time(options.expires);
    if (!spec.expires_us)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("--expires is \"{}\"; expected a time like 2026-12-31 or "
                               "2026-12-31T12:00:00Z",
                               options.expires)};
  }
  const auto usd = [](const std::optional<double>& amount) -> std::optional<state::NanoUsd> {
    return amount ? state::nano_usd(Usd{*amount}) : std::nullopt;
  };
  spec.limits = {.requests_per_minute = options.requests,
                 .tokens_per_minute = options.tokens,
                 .concurrent = options.concurrent,
                 .usd_per_day = usd(options.usd_day),
                 .usd_per_month = usd(options.usd_month),
                 .usd_total = usd(options.usd_total)};
  return spec;
}

int create(const Options& options) {
  auto spec = spec_of(options);
  if (!spec) return fail(spec.error());
  auto store = open_store(options);
  if (!store) return fail(store.error());
  const std::string key = state::make_key();
  spec->digest = state::digest_of(key);
  spec->shown = state::shown_part(key);
  spec->created_us = Clock().wall_us();
  if (auto added = (*store)->add(*spec); !added) return fail(added.error());
  fmt::print("{}\n", key);
  fmt::print(stderr, "this is the only time that the key of {} is shown\n", spec->name);
  return kDone;
}

int list(const Options& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  const auto keys = (*store)->list();
  if (!keys) return fail(keys.error());
  for (const state::KeySpec& spec : *keys) {
    json::Writer w;
    w.begin_object();
    state::write_rights(spec, w);
    const std::string rights = w.end_object().take();
    fmt::print("{:<24} {:<12} {} {}{}\n", spec.name, spec.shown, state::time_text(spec.created_us),
               spec.revoked_us ? "revoked " : "", rights);
  }
  return kDone;
}

int revoke(const Options& options) {
  auto store = open_store(options);
  if (!store) return fail(store.error());
  if (auto revoked = (*store)->revoke(options.name, Clock().wall_us()); !revoked)
    return fail(revoked.error());
  return kDone;
}

void add_place(CLI::App& command, Options& options) {
  command.add_option("--store", options.store, "the file of keys")->type_name("FILE");
  command.add_option("--config", options.config, "the configuration of the gateway that has them")
      ->type_name("FILE");
}

}  // namespace

void add_keys(CLI::App& app, Action& action) {
  CLI::App* keys = app.add_subcommand("keys", "Make, list and revoke keys of clients");
  keys->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* make = keys->add_subcommand("create", "Make a key; it is printed once");
  make->add_option("name", options->name, "whose it is")->required()->type_name("NAME");
  add_place(*make, *options);
  make->add_option("--route", options->routes, "a route that it may use (all)")->type_name("NAME");
  make->add_option("--model", options->models, "a model that may answer it (all)")
      ->type_name("NAME");
  make->add_option("--expires", options->expires, "when it ends (never)")->type_name("TIME");
  make->add_option("--team", options->team, "kept with it")->type_name("TEXT");
  const auto limit = [&](const char* name, auto& value, const char* what) {
    make->add_option(name, value, what)->check(CLI::NonNegativeNumber);
  };
  limit("--usd-per-day", options->usd_day, "budget of a day, UTC");
  limit("--usd-per-month", options->usd_month, "budget of a month, UTC");
  limit("--usd-total", options->usd_total, "budget in all");
  limit("--requests-per-minute", options->requests, "in any 60 seconds");
  limit("--tokens-per-minute", options->tokens, "in any 60 seconds");
  limit("--concurrent", options->concurrent, "requests at the same time");
  make->callback([&action, options] { action = [options] { return create(*options); }; });

  CLI::App* show =
      keys->add_subcommand("list", "List the keys of the store, never the keys themselves");
  add_place(*show, *options);
  show->callback([&action, options] { action = [options] { return list(*options); }; });

  CLI::App* end = keys->add_subcommand("revoke", "Revoke a key, for good");
  end->add_option("name", options->name, "whose it is")->required()->type_name("NAME");
  add_place(*end, *options);
  end->callback([&action, options] { action = [options] { return revoke(*options); }; });

  CLI::App* fresh = keys->add_subcommand(
      "new", "Print a new key and its hash, for `keys` in a configuration; nothing is stored");
  fresh->callback([&action] {
    action = [] {
      const std::string key = state::make_key();
      fmt::print("{}\n{}\n", key, state::text_of(state::digest_of(key)));
      return kDone;
    };
  });
}

}  // namespace rung::cli
