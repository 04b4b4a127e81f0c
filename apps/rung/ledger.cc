// rung ledger: questions to the ledger, and its records as files.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>

#include "base/clock.h"
#include "base/progress.h"
#include "commands.h"
#include "gateway/admin_json.h"
#include "gateway/config.h"
#include "ledger_tables.h"
#include "ledger_time.h"
#include "outcomes/ledger_outcomes.h"
#include "outcomes/writer.h"
#include "state/ledger_reader.h"

namespace rung::cli {
namespace {

struct LedgerCommand {
  std::string ledger, config;                                 // where it is: exactly one of them
  std::string since, until, route, model, arm, key, outcome;  // which records
  std::string id, out, source, by = "arm";
  std::size_t limit = 50;
  bool json = false;
};

constexpr std::pair<std::string_view, state::GroupBy> kGroups[] = {
    {"arm", state::GroupBy::kArm},
    {"route", state::GroupBy::kRoute},
    {"model", state::GroupBy::kModel},
    {"day", state::GroupBy::kDay},
    {"key", state::GroupBy::kKey}};

Result<std::unique_ptr<state::LedgerReader>> open(const LedgerCommand& command) {
  if (command.ledger.empty() == command.config.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "expected --ledger FILE, or --config FILE of the gateway that writes it"};
  std::string path = command.ledger;
  if (path.empty()) {
    auto config = gateway::load_config(command.config);
    if (!config) return config.error();
    path = config->ledger.path.string();
    if (path.empty() || path == ":memory:")
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("{}: its ledger is {}; `ledger.path` names a file", command.config,
                               path.empty() ? "off" : "in memory only")};
  }
  return state::LedgerReader::open(path);
}

Result<state::DecisionFilter> filter_of(const LedgerCommand& command) {
  state::DecisionFilter filter;
  const std::int64_t now = Clock().wall_us();
  const auto time = [&](const std::string& text, const char* option,
                        std::int64_t& into) -> Result<void> {
    if (text.empty()) return {};
    auto at = parse_time(text, now);
    if (!at) return at.error().with(option);
    into = *at;
    return {};
  };
  if (auto done = time(command.since, "--since", filter.window.since_us); !done)
    return done.error();
  if (auto done = time(command.until, "--until", filter.window.until_us); !done)
    return done.error();
  filter.route = command.route;
  filter.model = command.model;
  filter.arm = command.arm;
  filter.key_name = command.key;
  if (!command.outcome.empty()) {
    filter.outcome = state::parse_outcome(command.outcome);
    if (!filter.outcome)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("--outcome is \"{}\"; expected ok, client_gone, upstream_error, "
                               "timeout, refused or internal",
                               command.outcome)};
  }
  filter.limit = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return filter;
}

Result<ExitCode> query(const LedgerCommand& command, const state::LedgerReader& ledger) {
  auto filter = filter_of(command);
  if (!filter) return filter.error();
  filter->limit = command.limit;
  auto decisions = ledger.recent(*filter);
  if (!decisions) return decisions.error();
  if (command.json) {
    json::Writer w;
    w.begin_object().key("decisions").begin_array();
    for (const state::StoredDecision& stored : *decisions) gateway::write_short(stored, w);
    w.end_array().end_object();
    fmt::print("{}\n", w.text());
  } else {
    fmt::print("{}", decisions_text(*decisions));
    if (decisions->size() == command.limit)
      fmt::print(stderr, "the newest {}; --limit N shows more\n", command.limit);
  }
  return kDone;
}

Result<ExitCode> show(const LedgerCommand& command, const state::LedgerReader& ledger) {
  const auto id = state::parse_decision_id(command.id);
  if (!id)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("\"{}\" is no decision's id; expected 26 letters and digits, as in "
                             "the x-rung-decision-id header",
                             command.id)};
  auto stored = ledger.decision(*id);
  if (!stored) return stored.error();
  if (command.json) {
    json::Writer w;
    gateway::write_whole(*stored, w);
    fmt::print("{}\n", w.text());
  } else {
    fmt::print("{}", decision_text(*stored));
  }
  return kDone;
}

Result<ExitCode> write_lines(const LedgerCommand& command, const state::LedgerReader& ledger) {
  auto filter = filter_of(command);
  if (!filter) return filter.error();
  std::optional<outcomes::PackedFile> file;
  if (command.out != "-") {
    auto made = outcomes::PackedFile::create(command.out);
    if (!made) return made.error();
    file.emplace(*std::move(made));
  }
  std::size_t lines = 0;
  auto done = ledger.scan(*filter, [&](const state::StoredDecision& stored) -> Result<void> {
    if (interrupted()) return Error{ErrorCode::kCancelled, "the export was interrupted"};
    json::Writer w;
    gateway::write_whole(stored, w);
    const std::string line = w.take() + "\n";
    ++lines;
    if (file) return file->write(line);
    if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
    return Error{ErrorCode::kIo, "standard output takes no more"};
  });
  if (!done) return done.error();
  if (!file) return kDone;
  if (auto written = file->commit(); !written) return written.error();
  fmt::print("{} decisions to {}\n", lines, command.out);
  return kDone;
}

std::string report_json(const outcomes::LedgerOutcomesReport& r) {
  json::Writer w;
  w.begin_object().key("rows").number(r.rows).key("decisions").number(r.decisions());
  w.key("used").number(r.used).key("cost_unknown").number(r.cost_unknown);
  w.key("left_out").begin_object().key("unscored").number(r.unscored);
  w.key("no_arm").number(r.no_arm).key("failed").number(r.failed);
  w.key("no_prompt").number(r.no_prompt).end_object().end_object();
  return w.take() + "\n";
}

std::string report_text(const outcomes::LedgerOutcomesReport& r, const std::string& out) {
  std::string text = r.rows == 0
                         ? fmt::format("no row: none of {} decisions can be used\n", r.decisions())
                         : fmt::format("{} rows to {}, from {} of {} decisions\n", r.rows, out,
                                       r.used, r.decisions());
  const auto left = [&](std::size_t count, std::string_view why) {
    if (count > 0) text += fmt::format("left out {}: {}\n", count, why);
  };
  left(r.unscored, "nobody scored them (POST /v1/feedback)");
  left(r.no_arm, "refused before a model was chosen");
  left(r.failed, "did not end well, so the score is not the model's");
  left(r.no_prompt, "the prompt was not kept (ledger: {keep_prompts: true})");
  if (r.cost_unknown > 0)
    text +=
        fmt::format("without a cost {}: no price, or no usage from the provider\n", r.cost_unknown);
  return text;
}

Result<ExitCode> outcomes_of(const LedgerCommand& command, const state::LedgerReader& ledger) {
  outcomes::LedgerOutcomesOptions options;
  auto filter = filter_of(command);
  if (!filter) return filter.error();
  options.filter = *std::move(filter);
  options.source = command.source;
  auto report = outcomes::write_ledger_outcomes(ledger, options, command.out);
  if (!report) return report.error();
  fmt::print("{}", command.json ? report_json(*report) : report_text(*report, command.out));
  return report->rows == 0 ? kNo : kDone;
}

Result<ExitCode> totals(const LedgerCommand& command, const state::LedgerReader& ledger) {
  const auto* group = std::find_if(std::begin(kGroups), std::end(kGroups),
                                   [&](const auto& known) { return known.first == command.by; });
  if (group == std::end(kGroups))
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--by is \"{}\"; expected arm, route, model, day or key", command.by)};
  auto filter = filter_of(command);
  if (!filter) return filter.error();
  auto sums = ledger.totals(filter->window, group->second);
  if (!sums) return sums.error();
  if (group->second == state::GroupBy::kDay)
    std::sort(sums->begin(), sums->end(),
              [](const state::Totals& a, const state::Totals& b) { return a.name < b.name; });
  if (command.json) {
    json::Writer w;
    w.begin_object().key("by").string(command.by).key("totals").begin_array();
    for (const state::Totals& t : *sums) gateway::write(t, w);
    w.end_array().end_object();
    fmt::print("{}\n", w.text());
  } else {
    fmt::print("{}", totals_text(command.by, *sums));
  }
  return kDone;
}

using Run = Result<ExitCode> (*)(const LedgerCommand&, const state::LedgerReader&);

CLI::App* add(CLI::App& parent, Action& action, const std::shared_ptr<LedgerCommand>& options,
              const std::string& name, const std::string& about, Run run) {
  CLI::App* command = parent.add_subcommand(name, about);
  command->add_option("--ledger", options->ledger, "The ledger's file")->type_name("FILE");
  command->add_option("--config", options->config, "The configuration that names the ledger")
      ->type_name("FILE");
  command->callback([options, run, name, &action] {
    action = [options, run, name] {
      catch_interrupts();
      auto ledger = open(*options);
      auto done = ledger ? run(*options, **ledger) : Result<ExitCode>(ledger.error());
      if (done) return *done;
      fmt::print(stderr, "rung ledger {}: {}\n", name, done.error().message);
      return kBadInput;
    };
  });
  return command;
}

void add_window(CLI::App* command, LedgerCommand& options) {
  command->add_option("--since", options.since, "From then on: 2h, 7d, 2026-11-24T10:30 (UTC)");
  command->add_option("--until", options.until, "Before then");
}

void add_filters(CLI::App* command, LedgerCommand& options) {
  add_window(command, options);
  command->add_option("--route", options.route, "Only of this route");
  command->add_option("--model", options.model, "Only those that this model answered");
  command->add_option("--arm", options.arm, "Only those that this arm answered");
  command->add_option("--key", options.key, "Only of the client's key with this name");
  command->add_option("--outcome", options.outcome,
                      "Only: ok, client_gone, upstream_error, timeout, refused or internal");
}

}  // namespace

void add_ledger(CLI::App& app, Action& action) {
  auto options = std::make_shared<LedgerCommand>();
  CLI::App* parent = app.add_subcommand("ledger", "Ask the ledger, or write it as files");
  parent->require_subcommand(1);

  CLI::App* command = add(*parent, action, options, "query", "List decisions, newest first", query);
  add_filters(command, *options);
  command->add_option("--limit", options->limit, "At most so many")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");

  command = add(*parent, action, options, "show", "Show one decision with all that is known", show);
  command->add_option("id", options->id, "The decision's id")->required();
  command->add_flag("--json", options->json, "One JSON object");

  command = add(*parent, action, options, "export", "Write decisions as JSON lines, oldest first",
                write_lines);
  add_filters(command, *options);
  command
      ->add_option("--out", options->out,
                   "File to write (.gz, .zst are packed); - is standard output")
      ->required();

  command = add(*parent, action, options, "outcomes",
                "Write scored decisions as outcomes for rung train", outcomes_of);
  add_filters(command, *options);
  command->add_option("--source", options->source, "Only scores of this source, such as judge");
  command->add_option("--out", options->out, "File to write (.gz and .zst are packed)")->required();
  command->add_flag("--json", options->json, "The summary as one JSON object");

  command = add(*parent, action, options, "totals", "Spent, saved and scored, by group", totals);
  add_window(command, *options);
  command->add_option("--by", options->by, "arm, route, model, day or key")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
}

}  // namespace rung::cli
