#include "predict/artefact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "predict/artefact_parts.h"
#include "predict/tables.h"

namespace rung::predict {
namespace {

constexpr std::uint8_t kNoScore = 255;

}  // namespace

std::string write_artefact(const Model& model, const std::map<std::string, std::string>& extra) {
  const std::size_t m = model.arms.size();
  TensorWriter out;
  for (const auto& [key, value] : extra) out.metadata(key, value);
  add_common_metadata({model.method, model.is_static, model.seed, model.rows}, model.arms,
                      model.members, out);
  if (model.common != 0) out.metadata("common", fmt::format("{:.6f}", model.common));
  out.metadata("out_of_fold_hull_gain", fmt::format("{:.6f}", model.hull_gain));
  out.metadata("out_of_fold_hull_gain_se", fmt::format("{:.6f}", model.hull_gain_se));

  const auto f32 = [&](std::string name, std::vector<std::size_t> shape,
                       const std::vector<float>& values) {
    out.add(std::move(name), std::move(shape), std::span<const float>(values));
  };
  add_embedding(model.embedding, out);
  f32("base", {m}, model.base);
  f32("linear", {model.linear.size() / m, m}, model.linear);
  const std::size_t tasks_or_1 = std::max<std::size_t>(1, model.task_table.size() / m);
  if (!model.encoder_sha256.empty()) {
    out.metadata("encoder", model.encoder_name);
    out.metadata("encoder_sha256", model.encoder_sha256);
    out.metadata("encoder_tokens", std::to_string(model.encoder_tokens));
    f32("encoder.linear", {model.encoder_linear.size() / m, m}, model.encoder_linear);
    f32("encoder.task_weights", {model.encoder_task_weights.size() / tasks_or_1, tasks_or_1},
        model.encoder_task_weights);
  }
  const std::size_t tasks = model.task_table.size() / m, clusters = model.cluster_table.size() / m;
  f32("task.weights", {tasks == 0 ? 0 : kQualityDims, tasks}, model.task_weights);
  f32("task.table", {tasks, m}, model.task_table);
  f32("cluster.centroids", {clusters, kEmbeddingDims}, model.centroids);
  f32("cluster.table", {clusters, m}, model.cluster_table);
  const std::size_t exemplars = model.exemplars.size() / kEmbeddingDims;
  out.add("exemplars", {exemplars, kEmbeddingDims}, std::span<const std::int8_t>(model.exemplars));
  std::vector<std::uint8_t> deviation(exemplars * m, kNoScore);
  RUNG_CHECK(model.exemplar_deviation.size() == deviation.size(),
             "exemplars and their scores disagree");
  for (std::size_t i = 0; i < deviation.size(); ++i)
    if (const float d = model.exemplar_deviation[i]; !std::isnan(d))
      deviation[i] = static_cast<std::uint8_t>(127 + std::lround(127 * std::clamp(d, -1.0f, 1.0f)));
  out.add("exemplar.deviation", {exemplars, m}, std::span<const std::uint8_t>(deviation));
  f32("exemplar.beta", {1}, {model.neighbours.beta});
  const std::int32_t k = static_cast<std::int32_t>(model.neighbours.k);
  out.add("exemplar.k", {1}, std::span<const std::int32_t>(&k, 1));
  std::vector<std::int32_t> pruned_arms;
  std::vector<float> pruned_values;
  for (const PrunedArm& p : model.pruned) {
    for (std::uint32_t arm : {p.arm, p.low, p.high})
      pruned_arms.push_back(static_cast<std::int32_t>(arm));
    for (float value : {p.weight, p.gap}) pruned_values.push_back(value);
  }
  out.add("pruned.arms", {model.pruned.size(), 3}, std::span<const std::int32_t>(pruned_arms));
  f32("pruned.values", {model.pruned.size(), 2}, pruned_values);
  const auto amounts = [&](const std::string& name, const AmountModel& amount) {
    std::vector<std::uint8_t> form;
    for (AmountForm f : amount.form) form.push_back(static_cast<std::uint8_t>(f));
    out.add(name + ".form", {m}, std::span<const std::uint8_t>(form));
    f32(name + ".weights", {m, kDesignDims}, amount.weights);
    f32(name + ".low", {m}, amount.low);
    f32(name + ".high", {m}, amount.high);
  };
  amounts("cost", model.cost);
  amounts("tokens", model.tokens);
  f32("se_floor", {m}, model.se_floor);
  f32("noise", {m}, model.noise);
  f32("covariance",
      {model.covariance.size() / kQualityDims, model.covariance.empty() ? 0 : kQualityDims},
      model.covariance);
  return out.finish();
}

Result<Artefact> Artefact::read(std::string_view bytes) {
  auto parsed = TensorFile::parse(bytes);
  if (!parsed) return parsed.error();
  Artefact a;
  a.file = std::move(*parsed);

  // 1. Is it ours, and of this build?
  if (auto ours = check_format(a.file); !ours) return ours.error();
  auto arms = read_arms(a.file.metadata("arms"));
  if (!arms) return arms.error();
  a.arms = std::move(*arms);
  auto members = read_members(a.file.metadata("members"));
  if (!members) return members.error();
  a.members = std::move(*members);
  a.is_static = a.file.metadata("static") == "true";

  if (const std::string common(a.file.metadata("common")); !common.empty()) {
    char* end = nullptr;
    a.view.common = std::strtof(common.c_str(), &end);
    if (*end != '\0' || !(std::fabs(a.view.common) <= 1))
      return Error{ErrorCode::kCorruptFile,
                   fmt::format("metadata 'common' is \"{}\"; expected a number in -1..1", common)};
  }

  // 2. Every tensor, with the shape that the arms demand; those of an unused member are empty.
  constexpr std::size_t any = TensorFile::kAny;
  const std::size_t m = a.arms.size();
  const auto rows_of = [&](std::string_view name, DType type, std::size_t columns) -> std::size_t {
    const std::size_t shape[] = {any, columns};
    const auto tensor = a.file.tensor(name, type, shape);
    return tensor ? tensor->shape[0] : 0;
  };
  Fetch fetch{a.file};
  ModelView& v = a.view;
  v.arms = m;
  v.embedding = fetch_embedding(fetch);
  v.base = fetch.f32("base", {m});
  v.linear = fetch.f32("linear", {rows_of("linear", DType::kF32, m) == 0 ? 0 : kQualityDims, m});
  const std::size_t tasks = rows_of("task.table", DType::kF32, m);
  v.task_weights = fetch.f32("task.weights", {tasks == 0 ? 0 : kQualityDims, tasks});
  v.task_table = fetch.f32("task.table", {any, m});
  if (!a.file.metadata("encoder_sha256").empty()) {  // of the size that Router::load finds right
    v.encoder_linear = fetch.f32("encoder.linear", {any, m});
    v.encoder_task_weights =
        fetch.f32("encoder.task_weights", {any, std::max<std::size_t>(1, tasks)});
  }
  const std::size_t clusters = rows_of("cluster.table", DType::kF32, m);
  v.centroids = fetch.f32("cluster.centroids", {clusters, kEmbeddingDims});
  v.cluster_table = fetch.f32("cluster.table", {any, m});
  const std::size_t exemplars = rows_of("exemplars", DType::kI8, kEmbeddingDims);
  v.exemplars = fetch.get("exemplars", DType::kI8, {any, kEmbeddingDims}).i8();
  const auto deviation = fetch.get("exemplar.deviation", DType::kU8, {exemplars, m}).u8();
  const auto beta = fetch.f32("exemplar.beta", {1});
  const auto k = fetch.get("exemplar.k", DType::kI32, {1}).i32();
  const std::size_t pruned = rows_of("pruned.arms", DType::kI32, 3);
  const auto pruned_arms = fetch.get("pruned.arms", DType::kI32, {any, 3}).i32();
  const auto pruned_values = fetch.f32("pruned.values", {pruned, 2});
  v.cost_form = fetch.get("cost.form", DType::kU8, {m}).u8();
  v.cost_weights = fetch.f32("cost.weights", {m, kDesignDims});
  v.cost_low = fetch.f32("cost.low", {m});
  v.cost_high = fetch.f32("cost.high", {m});
  v.token_form = fetch.get("tokens.form", DType::kU8, {m}).u8();
  v.token_weights = fetch.f32("tokens.weights", {m, kDesignDims});
  v.token_low = fetch.f32("tokens.low", {m});
  v.token_high = fetch.f32("tokens.high", {m});
  v.se_floor = fetch.f32("se_floor", {m});
  v.noise = fetch.f32("noise", {m});
  const bool has_covariance = rows_of("covariance", DType::kF32, kQualityDims) > 0;
  v.covariance = fetch.f32("covariance",
                           {has_covariance ? kQualityDims : 0, has_covariance ? kQualityDims : 0});
  if (fetch.wrong) return *fetch.wrong;

  // 3. Values that later code relies on.
  const bool learns =
      !v.linear.empty() || !v.encoder_linear.empty() || tasks > 0 || clusters > 0 || exemplars > 0;
  fetch.require(!learns || !a.is_static, "the router says that it is static, but it has members");
  fetch.require(clusters == 0 || clusters >= kNearClusters,
                "tensor 'cluster.table' has too few clusters");
  fetch.require(exemplars == 0 || (k[0] > 0 && beta[0] >= 0),
                "tensor 'exemplar.k' must be above 0");
  for (std::size_t j = 0; j < m; ++j) {
    const auto amount_ok = [](std::uint8_t form, float low, float high) {
      return form <= static_cast<std::uint8_t>(AmountForm::kLog) && low >= 0 && low <= high &&
             (form == 0 || high > 0);
    };
    fetch.require(
        amount_ok(v.cost_form[j], v.cost_low[j], v.cost_high[j]),
        fmt::format("the cost of arm {} has a form or bounds that do not hold together", j));
    fetch.require(
        amount_ok(v.token_form[j], v.token_low[j], v.token_high[j]),
        fmt::format("the tokens of arm {} have a form or bounds that do not hold together", j));
    fetch.require(v.se_floor[j] >= 0 && v.noise[j] >= 0,
                  fmt::format("the standard error of arm {} is negative", j));
  }
  v.neighbours = {static_cast<std::uint32_t>(std::max(k[0], 0)), beta[0]};
  for (std::size_t p = 0; p < pruned; ++p) {
    const std::int32_t* arm = &pruned_arms[3 * p];
    for (std::size_t i = 0; i < 3; ++i)
      fetch.require(arm[i] >= 0 && static_cast<std::size_t>(arm[i]) < m,
                    fmt::format("tensor 'pruned.arms' names arm {}; there are {}", arm[i], m));
    a.pruned_.push_back({static_cast<std::uint32_t>(arm[0]), static_cast<std::uint32_t>(arm[1]),
                         static_cast<std::uint32_t>(arm[2]), pruned_values[2 * p],
                         pruned_values[2 * p + 1]});
  }
  if (fetch.wrong) return *fetch.wrong;
  a.exemplar_deviation_.resize(deviation.size());
  std::transform(deviation.begin(), deviation.end(), a.exemplar_deviation_.begin(),
                 [](std::uint8_t d) {
                   return d == kNoScore ? std::numeric_limits<float>::quiet_NaN()
                                        : (static_cast<float>(d) - 127.0f) / 127.0f;
                 });
  v.exemplar_deviation = a.exemplar_deviation_;
  v.pruned = a.pruned_;
  return a;
}

}  // namespace rung::predict
