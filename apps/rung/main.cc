#include <cstdio>

#include "base/progress.h"
#include "commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Rung puts every LLM request on the lowest rung that will hold it.", "rung"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(RUNG_VERSION));
  rung::cli::Action action;
  rung::cli::add_train(app, action);
  rung::cli::add_evaluate(app, action);
  rung::cli::add_calibrate(app, action);
  rung::cli::add_compare(app, action);
  rung::cli::add_encoder(app, action);
  rung::cli::add_split(app, action);
  rung::cli::add_route(app, action);
  rung::cli::add_models(app, action);
  rung::cli::add_import(app, action);
  rung::cli::add_reproduce(app, action);
  rung::cli::add_replay(app, action);
  rung::cli::add_serve(app, action);
  rung::cli::add_keys(app, action);
  rung::cli::add_check_config(app, action);
  rung::cli::add_ledger(app, action);
  rung::cli::add_import_config(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 says 0 for --help and --version; everything else is bad usage.
    return app.exit(error) == 0 ? rung::cli::kDone : rung::cli::kBadInput;
  }
  return action();
}
