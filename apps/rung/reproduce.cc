// rung reproduce: what the literature says of routing, held against the outcomes of a folder.

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/progress.h"
#include "commands.h"

#ifndef RUNG_NO_PREDICT
#include "reproduce/page.h"

namespace rung::cli {
namespace {

struct ReproduceOptions {
  std::string data, out;
  reproduce::Options how;
};

Result<void> run(const ReproduceOptions& options) {
  catch_interrupts();
  auto bench = reproduce::make_bench(options.data, options.how);
  if (!bench) return bench.error();
  auto rows = reproduce::measure_all(*bench);
  if (!rows) return rows.error();
  std::error_code failed;
  const std::filesystem::path folder = options.out;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    return Error{ErrorCode::kIo, fmt::format("{}: {}; expected a folder that can be written to",
                                             options.out, failed.message())};
  }
  for (const auto& [name, page] :
       {std::pair{"reproduce.md", reproduce::page_markdown(*bench, *rows)},
        {"reproduce.html", reproduce::page_html(*bench, *rows)}}) {
    if (auto done = write_file(folder / name, page); !done) return done;
  }
  const std::string text = reproduce::summary(*bench, *rows);
  std::fwrite(text.data(), 1, text.size(), stdout);
  fmt::print("wrote {} and {}\n", (folder / "reproduce.md").string(),
             (folder / "reproduce.html").string());
  return {};
}

}  // namespace

void add_reproduce(CLI::App& app, Action& action) {
  auto options = std::make_shared<ReproduceOptions>();
  CLI::App* command = app.add_subcommand(
      "reproduce", "Hold the claims of the literature against a folder of outcomes");
  command
      ->add_option("--data", options->data,
                   "Folder with outcomes-*.jsonl and samples-*.jsonl, plain or packed")
      ->required();
  command->add_option("--out", options->out, "Folder for reproduce.md and reproduce.html")
      ->required();
  command->add_option("--fraction", options->how.fraction, "Share of each set that is measured on")
      ->check(CLI::Range(0.05, 0.95))
      ->capture_default_str();
  command->add_option("--bootstrap", options->how.bootstrap, "Resamples behind each interval")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  command->add_option("--seed", options->how.seed, "Seed of splits, training and resamples")
      ->capture_default_str();
  command->callback([options, &action] {
    action = [options] {
      auto done = run(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung reproduce: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
#else
namespace rung::cli {
void add_reproduce(CLI::App&, Action&) {}
}  // namespace rung::cli
#endif
