// rung replay: an upstream that answers from recorded outcomes and samples, so that everything
// behind it can be tried without a key, at any pace, and with any fault.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/progress.h"
#include "commands.h"
#include "net/url.h"
#include "replay/handler.h"

namespace rung::cli {
namespace {

struct ReplayOptions {
  std::vector<std::string> outcomes, samples, faults;
  std::string listen = "127.0.0.1:4002";
  int first_token_ms = 0;
  double tokens_per_second = 0;
  std::uint64_t seed = 1;
  bool strict = false;
};

int refused(const Error& error) {
  fmt::print(stderr, "rung replay: {}\n", error.message);
  return kBadInput;
}

/// Looks at Ctrl-C, then lets running answers end.
Task<void> until_interrupted(Loop& loop, Server& server) {
  while (!interrupted()) (void)co_await loop.sleep_for(std::chrono::milliseconds(50));
  co_await server.drain(Deadline{loop.now() + std::chrono::seconds(2)});
  loop.stop();
}

int run_replay(const ReplayOptions& options) {
  if (options.outcomes.empty() && options.samples.empty()) {
    return refused(
        {ErrorCode::kInvalidArgument, "nothing to replay; give --outcomes FILE or --samples FILE"});
  }
  const auto address = parse_listen(options.listen);
  if (!address) return refused(address.error());
  replay::FaultPlan faults(options.seed);
  for (const std::string& fault : options.faults) {
    if (auto added = faults.add(fault); !added) return refused(added.error());
  }
  catch_interrupts();
  replay::Data data;
  if (!options.outcomes.empty()) {
    if (auto read = data.add_outcomes(options.outcomes); !read) return refused(read.error());
  }
  if (auto read = data.add_samples(options.samples); !read) return refused(read.error());
  if (data.rows() == 0)
    return refused({ErrorCode::kInvalidData, "the files hold no row; there is nothing to replay"});

  Loop loop;
  const replay::Pace pace{std::chrono::milliseconds(options.first_token_ms),
                          options.tokens_per_second};
  replay::Handler handler(data, pace, std::move(faults), options.strict);
  ServerOptions server_options;
  server_options.host = address->host;
  server_options.port = address->port;
  auto server = Server::listen(loop, server_options, std::ref(handler));
  if (!server) return refused(server.error());
  fmt::print(stderr, "replaying {} rows of {} models on http://{}:{}\n", data.rows(),
             data.models().size(), address->host, (*server)->port());
  loop.spawn(until_interrupted(loop, **server));
  loop.run();
  return kDone;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "replay", "Serve recorded answers as an upstream in OpenAI's form, with faults on purpose");
  auto options = std::make_shared<ReplayOptions>();
  command->add_option("--outcomes", options->outcomes, "outcomes whose answers are given")
      ->type_name("FILE");
  command->add_option("--samples", options->samples, "samples whose answers are given in turn")
      ->type_name("FILE");
  command->add_option("--listen", options->listen, "where to listen (port 0: any free one)")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command->add_option("--first-token-ms", options->first_token_ms, "wait before the first token")
      ->check(CLI::Range(0, 600'000));
  command
      ->add_option("--tokens-per-second", options->tokens_per_second,
                   "pace of an answer; 0: at once")
      ->check(CLI::Range(0.0, 1e6));
  command
      ->add_option("--fault", options->faults,
                   "how often something goes wrong: refuse, reset-before-headers, cut, stall, "
                   "slow, 429, 500, 503, "
                   "malformed-json, empty, wrong-model. A request asks for one by the header "
                   "x-replay-fault: KIND or by "
                   "[[fault:KIND]] in its text")
      ->type_name("KIND=RATE");
  command->add_option("--seed", options->seed, "of the faults")->capture_default_str();
  command->add_flag("--strict", options->strict,
                    "a prompt without a row is a 404 instead of a canned answer");
  command->callback([&action, options] { action = [options] { return run_replay(*options); }; });
}

}  // namespace rung::cli
