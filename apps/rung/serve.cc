#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "commands.h"
#include "gateway/service.h"

namespace rung::cli {

void add_serve(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("serve", "Serve an OpenAI-compatible endpoint that routes");
  auto file = std::make_shared<std::string>();
  command->add_option("--config,config", *file, "the configuration (docs/configuration.md)")
      ->required()
      ->type_name("FILE");
  command->callback([&action, file] {
    action = [file] {
      if (auto served = gateway::serve(*file); !served) {
        fmt::print(stderr, "rung serve: {}\n", served.error().message);
        return kBadInput;
      }
      return kDone;
    };
  });
}

}  // namespace rung::cli
