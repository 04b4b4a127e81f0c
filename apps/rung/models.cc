// rung models: the reference arms of a router, which a configured model can be `like`, and what is
// known of them.

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "commands.h"
#include "json/write.h"
#include "predict/router.h"
#include "router_file.h"

namespace rung::cli {
namespace {

struct ModelsCommand {
  std::string router;
  bool json = false;
};

std::string as_json(const predict::Router& router, const std::string& file) {
  json::Writer w;
  w.begin_object().key("router").string(file).key("method").string(router.metadata("method"));
  w.key("static").boolean(router.is_static()).key("models").begin_array();
  for (const auto& arm : router.arms()) {
    w.begin_object().key("name").string(arm.name).key("description").string(arm.description);
    w.key("rows")
        .number(arm.rows)
        .key("mean_quality")
        .number(static_cast<double>(arm.mean_quality));
    w.key("mean_cost_usd");
    arm.has_cost ? w.number(static_cast<double>(arm.mean_cost_usd)) : w.null();
    w.key("kept").boolean(arm.kept).key("has_tokens").boolean(arm.has_tokens).end_object();
  }
  w.end_array().end_object();
  return w.take() + "\n";
}

std::string as_text(const predict::Router& router, const std::string& file) {
  std::size_t width = 5;
  for (const auto& arm : router.arms()) width = std::max(width, arm.name.size());
  std::string out = fmt::format("{}: {}, trained on {} rows\n\n", file,
                                router.is_static() ? "static mixture" : router.metadata("method"),
                                router.metadata("rows"));
  out += fmt::format("  {:<{}}  {:>7}  {:>12}  {:>7}  \n", "model", width, "score", "USD / 1000",
                     "rows");
  for (const auto& arm : router.arms())
    out +=
        fmt::format("  {:<{}}  {:>7.3f}  {:>12}  {:>7}  {}{}\n", arm.name, width, arm.mean_quality,
                    arm.has_cost ? fmt::format("{:.4f}", 1000 * arm.mean_cost_usd) : "unknown",
                    arm.rows, arm.description,
                    arm.kept                  ? ""
                    : arm.description.empty() ? "off the frontier"
                                              : " (off the frontier)");
  return out +
         "\nScore and cost are means over the training rows of each model. A configured model may "
         "say `like: NAME`.\n";
}

}  // namespace

void add_models(CLI::App& app, Action& action) {
  auto command = std::make_shared<ModelsCommand>();
  CLI::App* sub = app.add_subcommand("models", "List the reference models of a router");
  sub->add_option("--router", command->router,
                  "Artefact of rung train; default: RUNG_ROUTER, or the shipped one");
  sub->add_flag("--json", command->json, "Print one JSON object");
  sub->callback([command, &action] {
    action = [command]() -> int {
      const std::string file = router_file(command->router);
      auto router = predict::Router::load(file);
      if (!router) {
        fmt::print(stderr, "rung models: {}\n", router.error().message);
        return kBadInput;
      }
      const std::string out = command->json ? as_json(**router, file) : as_text(**router, file);
      std::fwrite(out.data(), 1, out.size(), stdout);
      return kDone;
    };
  });
}

}  // namespace rung::cli
