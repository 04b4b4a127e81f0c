// rung import-config: another gateway's configuration as ours.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/file.h"
#include "commands.h"
#include "gateway/litellm_import.h"
#include "json/write.h"

namespace rung::cli {
namespace {

struct ImportConfigCommand {
  std::string file, out;
  bool json = false, strict = false;
};

void notes(std::string_view head, const std::vector<gateway::ImportNote>& list,
           std::string_view start, std::string& out) {
  if (list.empty()) return;
  out += fmt::format("{}{}:\n", start, head);
  for (const gateway::ImportNote& note : list)
    out += fmt::format("{}  {}: {}\n", start, note.where, note.why);
}

/// What a person must know of it; `start` begins each line.
std::string report(const gateway::ImportedConfig& made, std::string_view start) {
  std::string out;
  notes("not carried over", made.left_out, start, out);
  notes("carried over, but look at it", made.differs, start, out);
  if (made.variables.empty()) return out;
  out += fmt::format("{}environment variables that it reads:\n", start);
  for (const std::string& name : made.variables) out += fmt::format("{}  {}\n", start, name);
  return out;
}

std::string as_json(const gateway::ImportedConfig& made) {
  json::Writer w;
  w.begin_object().key("config").string(made.yaml);
  w.key("models").number(made.models).key("routes").number(made.routes);
  const auto list = [&](std::string_view key, const std::vector<gateway::ImportNote>& items) {
    w.key(key).begin_array();
    for (const gateway::ImportNote& item : items)
      w.begin_object().key("where").string(item.where).key("why").string(item.why).end_object();
    w.end_array();
  };
  list("left_out", made.left_out);
  list("differs", made.differs);
  w.key("variables").begin_array();
  for (const std::string& name : made.variables) w.string(name);
  w.end_array().end_object();
  return w.take() + "\n";
}

Result<ExitCode> import_config(const ImportConfigCommand& command) {
  auto text = read_file(command.file);
  if (!text) return text.error();
  auto made = gateway::import_litellm(*text);
  if (!made) return made.error().with(command.file);
  const std::string head =
      "# Made by `rung import-config` from a LiteLLM proxy configuration.\n" + report(*made, "# ");
  if (!command.out.empty()) {
    if (auto done = write_file(command.out, head + "\n" + made->yaml); !done) return done.error();
  }
  if (command.json) {
    fmt::print("{}", as_json(*made));
  } else if (command.out.empty()) {
    fmt::print("{}\n{}", head, made->yaml);
  } else {
    fmt::print("{} models and {} routes to {}\n{}", made->models, made->routes, command.out,
               report(*made, ""));
  }
  return command.strict && !made->left_out.empty() ? kNo : kDone;
}

}  // namespace

void add_import_config(CLI::App& app, Action& action) {
  auto options = std::make_shared<ImportConfigCommand>();
  CLI::App* command = app.add_subcommand(
      "import-config", "Turn a LiteLLM proxy configuration into one of ours, and say what is lost");
  command->add_option("file", options->file, "LiteLLM's config.yaml")
      ->required()
      ->type_name("FILE");
  command->add_option("--out", options->out, "File to write; without it the standard output")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "The configuration and the notes as one JSON object");
  command->add_flag("--strict", options->strict, "Exit 1 if anything was not carried over");
  command->callback([options, &action] {
    action = [options] {
      auto done = import_config(*options);
      if (done) return *done;
      fmt::print(stderr, "rung import-config: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
