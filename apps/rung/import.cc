// rung import: other people's records as outcomes.

#include "outcomes/import.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/progress.h"
#include "commands.h"

namespace rung::cli {
namespace {

struct ImportCommand {
  std::string kind, out;
  std::vector<std::string> files, prices;
};

Result<void> import(const ImportCommand& command) {
  catch_interrupts();
  outcomes::ImportOptions options;
  for (const std::string& text : command.prices) {
    auto price = outcomes::parse_price(text);
    if (!price) return price.error();
    options.prices.insert(std::move(*price));
  }
  auto rows = outcomes::import_outcomes(command.kind, command.files, command.out, options);
  if (!rows) return rows.error();
  fmt::print("{} rows to {}\n", *rows, command.out);
  return {};
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
  auto options = std::make_shared<ImportCommand>();
  CLI::App* command =
      app.add_subcommand("import", "Turn pairs, RouterBench CSV or OpenAI logs into outcomes");
  command->add_option("kind", options->kind, "pairs, routerbench or openai-log")->required();
  command->add_option("files", options->files, "Files to read; - is standard input")->required();
  command->add_option("--out", options->out, "File to write (.gz and .zst are packed)")->required();
  command
      ->add_option("--price", options->prices,
                   "MODEL=IN/OUT, USD per million tokens; without one the cost is missing")
      ->allow_extra_args(false);
  command->callback([options, &action] {
    action = [options] {
      auto done = import(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung import: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
