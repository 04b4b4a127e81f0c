#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "commands.h"
#include "gateway/service.h"

namespace rung::cli {

void add_check_config(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "check-config", "Say what a configuration would do, or what is wrong with it");
  auto file = std::make_shared<std::string>();
  command->add_option("file,--config", *file, "the configuration (docs/configuration.md)")
      ->required()
      ->type_name("FILE");
  command->callback([&action, file] {
    action = [file] {
      std::string summary;
      if (auto good = gateway::check(*file, summary); !good) {
        fmt::print(stderr, "rung check-config: {}\n", good.error().message);
        return kBadInput;
      }
      fmt::print("{}", summary);
      return kDone;
    };
  });
}

}  // namespace rung::cli
