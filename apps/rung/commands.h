#pragma once
// The commands of `rung`. Each file of this folder adds its own to the parser; main.cc only lists them.

#include <CLI/CLI.hpp>
#include <functional>

namespace rung::cli {

/// Exit codes of every command (docs/command-line.md): 0 done; 1 the honest answer is "no"; 2 bad usage or input.
enum ExitCode : int { kDone = 0, kNo = 1, kBadInput = 2 };

/// What the chosen command will do; set by the callback of the subcommand that was parsed, run by main.
using Action = std::function<int()>;

void add_train(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_encoder(CLI::App& app, Action& action);
void add_split(CLI::App& app, Action& action);
void add_route(CLI::App& app, Action& action);
void add_models(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_reproduce(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_keys(CLI::App& app, Action& action);
void add_check_config(CLI::App& app, Action& action);
void add_ledger(CLI::App& app, Action& action);
void add_import_config(CLI::App& app, Action& action);

}  // namespace rung::cli
