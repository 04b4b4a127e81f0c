// rung split: parts outcomes into a training and a test file that share no near-duplicate prompt.

#include <fmt/format.h>

#include <cstdio>

#include "base/progress.h"
#include "commands.h"
#include "outcomes/split.h"
#include "outcomes/writer.h"

namespace rung::cli {
namespace {

struct SplitOptions {
  std::vector<std::string> outcomes;
  double fraction = 0.3;
  std::uint64_t seed = 0;
  std::string train, test;
  bool by_id = false;
};

Result<void> split(const SplitOptions& options) {
  catch_interrupts();
  auto all = outcomes::read_outcomes(options.outcomes, {.keep_outputs = true});
  if (!all) return all.error();
  const auto groups =
      options.by_id ? outcomes::group_by_id(all->table) : outcomes::group_by_text(all->table);
  const auto sides = outcomes::split_rows(groups, options.fraction, options.seed);
  for (const auto& [path, rows] :
       {std::pair{options.train, &sides.train}, {options.test, &sides.test}}) {
    if (rows->empty()) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("no row falls to {} with --fraction {} of {} rows in {} groups; "
                               "expected at least one on each side",
                               path, options.fraction, all->table.rows(), groups.count())};
    }
  }
  if (auto done = outcomes::write_outcomes(options.train, *all, sides.train); !done) return done;
  if (auto done = outcomes::write_outcomes(options.test, *all, sides.test); !done) return done;
  fmt::print("{} rows in {} groups: {} to {}, {} to {}\n", all->table.rows(), groups.count(),
             sides.train.size(), options.train, sides.test.size(), options.test);
  return {};
}

}  // namespace

void add_split(CLI::App& app, Action& action) {
  auto options = std::make_shared<SplitOptions>();
  CLI::App* command = app.add_subcommand("split", "Part outcomes into a training and a test file");
  command->add_option("--outcomes", options->outcomes, "Outcome files; - is standard input")
      ->required();
  command->add_option("--fraction", options->fraction, "Share of the groups that go to the test")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Another seed, another split")
      ->capture_default_str();
  command->add_option("--train", options->train, "File to write (.gz and .zst are packed)")
      ->required();
  command->add_option("--test", options->test, "File to write (.gz and .zst are packed)")
      ->required();
  command->add_flag("--by-id", options->by_id, "Split row by row; near-duplicates may be parted");
  command->callback([options, &action] {
    action = [options] {
      auto done = split(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung split: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
