#include "classifier_scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "ask_many.h"
#include "gateway/classifier.h"

namespace rung::cli {

Result<ClassifierRoute> classifier_route(const std::string& config_file, const std::string& name) {
  auto config = gateway::load_config(config_file);
  if (!config) return config.error();
  ClassifierRoute out{*std::move(config), 0};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < out.config.routes.size(); ++i) {
    if (!out.config.routes[i].classifier) continue;
    if (name.empty() || out.config.routes[i].name == name) out.route = i;
    names.push_back(out.config.routes[i].name);
  }
  const bool found =
      name.empty() ? names.size() == 1 : std::find(names.begin(), names.end(), name) != names.end();
  if (found) return out;
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("{}: {}; expected --route with one of the routes whose predictor is a "
                           "classifier: {}",
                           config_file,
                           name.empty() ? fmt::format("{} routes have a classifier", names.size())
                                        : fmt::format("route \"{}\" has no classifier", name),
                           names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")))};
}

Result<ClassifierScores> ask_scores(const ClassifierRoute& route, const outcomes::Table& table,
                                    const std::vector<std::size_t>& rows, std::size_t concurrency) {
  const gateway::ClassifierConfig& classifier = *route.get().classifier;
  const gateway::ModelConfig& model = route.config.models[classifier.model];
  const gateway::UpstreamConfig& upstream = route.config.upstreams[model.upstream];
  const Url& base = upstream.base_url;
  const AskMany how{
      .base_url =
          fmt::format("{}://{}{}", base.tls ? "https" : "http", base.authority(), base.path),
      .target = classifier.path,
      .key = upstream.api_key.reveal(),
      .concurrency = concurrency,
      .timeout_s = static_cast<std::size_t>((classifier.timeout.count() + 999) / 1000),
      .option = "upstream " + upstream.name};
  auto replies = ask_many(how, rows.size(), [&](std::size_t i) {
    return gateway::classifier_request(classifier, model.upstream_name, table.prompts[rows[i]]);
  });
  if (!replies) return replies.error();
  ClassifierScores out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Result<std::string>& reply = (*replies)[i];
    auto score =
        reply ? gateway::classifier_score(classifier, *reply) : Result<double>(reply.error());
    out.score.push_back(score ? *score : 1.0);
    if (score) continue;
    ++out.failed;
    if (out.first_failure.empty())
      out.first_failure = fmt::format("id \"{}\": {}", table.ids[rows[i]], score.error().message);
  }
  if (!rows.empty() && out.failed == rows.size())
    return Error{ErrorCode::kUnavailable, fmt::format("the classifier {} scored no prompt; {}",
                                                      classifier.name, out.first_failure)};
  return out;
}

}  // namespace rung::cli
