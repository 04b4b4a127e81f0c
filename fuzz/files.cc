// Files that people give us: configurations, routers, outcomes.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/target.h"
#include "gateway/config.h"
#include "gateway/litellm_import.h"
#include "gateway/trace_context.h"
#include "outcomes/csv.h"
#include "outcomes/reader.h"
#include "outcomes/samples.h"
#include "predict/artefact.h"
#include "predict/safetensors.h"

namespace {

using namespace rung;

const gateway::Environment kEnvironment = [](const std::string& name) {
  return name == "UNSET" ? std::nullopt : std::optional<std::string>("value-of-" + name);
};

outcomes::ByteSource source(std::string_view input) {
  auto rest = std::make_shared<std::string_view>(input);
  return {"input", [rest](char* into, std::size_t capacity) {
            const std::size_t size = std::min(capacity, rest->size());
            std::memcpy(into, rest->data(), size);
            rest->remove_prefix(size);
            return static_cast<std::ptrdiff_t>(size);
          }};
}

}  // namespace

RUNG_FUZZ(config) {
  const auto config = gateway::parse_config(input, "/nowhere", kEnvironment);
  if (!config) {
    RUNG_CHECK(config.error().code == ErrorCode::kInvalidConfig, "a mistake is a mistake");
    return;
  }
  for (const gateway::ModelConfig& model : config->models)
    RUNG_CHECK(model.upstream < config->upstreams.size(), "a model has its upstream");
  for (const gateway::RouteConfig& route : config->routes)
    for (const gateway::ArmConfig& arm : route.arms)
      RUNG_CHECK(arm.model < config->models.size(), "an arm has its model");
}

RUNG_FUZZ(litellm) {
  const auto made = gateway::import_litellm(input);
  if (!made)
    RUNG_CHECK(made.error().message.find("that was made is not valid") == std::string::npos,
               "what is made passes the checks");
}

RUNG_FUZZ(safetensors) {
  const std::vector<std::uint64_t> aligned((input.size() + 7) / 8 + 1);
  auto* bytes = reinterpret_cast<char*>(const_cast<std::uint64_t*>(aligned.data()));
  std::memcpy(bytes, input.data(), input.size());
  const std::string_view file(bytes, input.size());
  if (const auto parsed = predict::TensorFile::parse(file))
    static_cast<void>(parsed->metadata("format"));
  static_cast<void>(predict::Artefact::read(file));
}

RUNG_FUZZ(outcomes) {
  std::vector<outcomes::ByteSource> sources;
  sources.push_back(source(input));
  const auto made = outcomes::read_outcomes(std::move(sources), {.keep_outputs = true});
  if (!made) {
    RUNG_CHECK(!made.error().message.empty(), "a refusal has a sentence");
    return;
  }
  const outcomes::Table& table = made->table;
  RUNG_CHECK(table.score.size() == table.rows() * table.arm_count(), "a score for each cell");
  for (const float score : table.score)
    RUNG_CHECK(!(score < 0) && !(score > 1), "a score is missing or from 0 to 1");
}

RUNG_FUZZ(csv) {
  outcomes::CsvReader csv(source(input));
  std::vector<std::string> fields;
  for (;;) {
    const auto more = csv.next(fields);
    if (!more || !*more) return;
  }
}

RUNG_FUZZ(traceparent) {
  const auto parent = gateway::parse_traceparent(input);
  if (!parent) return;
  const auto text = gateway::format_traceparent(*parent);
  RUNG_CHECK(gateway::parse_traceparent({text.data(), text.size()}) == *parent,
             "what is written is read back");
}
