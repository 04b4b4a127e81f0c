#include "predict/artefact.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/check.h"
#include "json/write.h"
#include "predict/tables.h"

namespace rung::predict {
namespace {

constexpr std::uint8_t kNoScore = 255;

Error corrupt(std::string sentence) { return {ErrorCode::kCorruptFile, std::move(sentence)}; }

std::string arms_json(const std::vector<ArmInfo>& arms) {
  json::Writer w;
  w.begin_array();
  for (const ArmInfo& arm : arms) {
    w.begin_object().key("name").string(arm.name).key("description").string(arm.description);
    w.key("mean_quality").number(static_cast<double>(arm.mean_quality));
    w.key("mean_cost_usd").number(static_cast<double>(arm.mean_cost_usd));
    w.key("rows").number(arm.rows).key("kept").boolean(arm.kept);
    w.key("has_cost").boolean(arm.has_cost).key("has_tokens").boolean(arm.has_tokens).end_object();
  }
  w.end_array();
  return w.take();
}

std::string members_json(const std::vector<MemberInfo>& members) {
  json::Writer w;
  w.begin_array();
  for (const MemberInfo& member : members)
    w.begin_object()
        .key("name")
        .string(member.name)
        .key("detail")
        .string(member.detail)
        .key("weight")
        .number(member.weight)
        .end_object();
  w.end_array();
  return w.take();
}

Result<std::vector<ArmInfo>> read_arms(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(simdjson::padded_string(text)).get(list) != simdjson::SUCCESS)
    return corrupt("metadata 'arms' is not a JSON array");
  std::vector<ArmInfo> arms;
  for (const auto& item : list) {
    ArmInfo arm;
    std::string_view name, description;
    double quality = 0, cost = 0;
    if (item["name"].get(name) != simdjson::SUCCESS || name.empty() ||
        item["description"].get(description) != simdjson::SUCCESS ||
        item["mean_quality"].get(quality) != simdjson::SUCCESS ||
        item["mean_cost_usd"].get(cost) != simdjson::SUCCESS ||
        item["rows"].get(arm.rows) != simdjson::SUCCESS ||
        item["kept"].get(arm.kept) != simdjson::SUCCESS ||
        item["has_cost"].get(arm.has_cost) != simdjson::SUCCESS ||
        item["has_tokens"].get(arm.has_tokens) != simdjson::SUCCESS)
      return corrupt(fmt::format("metadata 'arms' lacks a field at arm {}", arms.size()));
    arm.name = name;
    arm.description = description;
    arm.mean_quality = static_cast<float>(quality);
    arm.mean_cost_usd = static_cast<float>(cost);
    for (const ArmInfo& other : arms)
      if (other.name == arm.name)
        return corrupt(fmt::format("metadata 'arms' names '{}' twice", arm.name));
    arms.push_back(std::move(arm));
  }
  if (arms.empty()) return corrupt("metadata 'arms' is empty; expected at least one arm");
  return arms;
}

Result<std::vector<MemberInfo>> read_members(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(simdjson::padded_string(text)).get(list) != simdjson::SUCCESS)
    return corrupt("metadata 'members' is not a JSON array");
  std::vector<MemberInfo> members;
  for (const auto& item : list) {
    std::string_view name, detail;
    double weight = 0;
    if (item["name"].get(name) != simdjson::SUCCESS ||
        item["detail"].get(detail) != simdjson::SUCCESS ||
        item["weight"].get(weight) != simdjson::SUCCESS)
      return corrupt(fmt::format("metadata 'members' lacks a field at member {}", members.size()));
    members.push_back({std::string(name), std::string(detail), weight});
  }
  return members;
}

/// Fetches tensors, remembers the first thing that was wrong.
struct Fetch {
  const TensorFile& file;
  std::optional<Error> wrong = std::nullopt;

  Tensor get(std::string_view name, DType type, std::initializer_list<std::size_t> shape) {
    auto tensor = file.tensor(name, type, {shape.begin(), shape.size()});
    if (tensor) return *tensor;
    if (!wrong) wrong = tensor.error();
    return Tensor{type, {}, {}};
  }
  std::span<const float> f32(std::string_view name, std::initializer_list<std::size_t> shape) {
    return get(name, DType::kF32, shape).f32();
  }
  void require(bool condition, std::string_view sentence) {
    if (!condition && !wrong) wrong = corrupt(std::string(sentence));
  }
};

}  // namespace

std::string write_artefact(const Model& model, const std::map<std::string, std::string>& extra) {
  const std::size_t m = model.arms.size();
  TensorWriter out;
  for (const auto& [key, value] : extra) out.metadata(key, value);
  out.metadata("format", std::string(kArtefactFormat));
  out.metadata("feature_version", std::to_string(text::kFeatureVersion));
  out.metadata("method", model.method);
  out.metadata("static", model.is_static ? "true" : "false");
  out.metadata("seed", std::to_string(model.seed));
  out.metadata("rows", std::to_string(model.rows));
  out.metadata("arms", arms_json(model.arms));
  out.metadata("members", members_json(model.members));
  out.metadata("out_of_fold_hull_gain", fmt::format("{:.6f}", model.hull_gain));
  out.metadata("out_of_fold_hull_gain_se", fmt::format("{:.6f}", model.hull_gain_se));

  const auto f32 = [&](std::string name, std::vector<std::size_t> shape,
                       const std::vector<float>& values) {
    out.add(std::move(name), std::move(shape), std::span<const float>(values));
  };
  const Embedding& e = model.embedding;
  f32("embedding.idf", {e.idf.size()}, e.idf);
  out.add("embedding.table", {e.table.size() / kEmbeddingDims, kEmbeddingDims},
          std::span<const std::int8_t>(e.table));
  f32("embedding.column_scale", {e.column_scale.size()}, e.column_scale);
  f32("embedding.surface_mean", {e.surface_mean.size()}, e.surface_mean);
  f32("embedding.surface_scale", {e.surface_scale.size()}, e.surface_scale);
  f32("embedding.bytes", {2}, {e.mean_bytes, e.max_bytes});
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
  if (const auto format = a.file.metadata("format"); format != kArtefactFormat)
    return corrupt(
        fmt::format("this safetensors file is no router: its format is '{}'; expected '{}'", format,
                    kArtefactFormat));
  if (const auto version = a.file.metadata("feature_version");
      version != std::to_string(text::kFeatureVersion))
    return corrupt(fmt::format(
        "the router was trained with feature version {}; this build reads version {}: train "
        "it again",
        version, text::kFeatureVersion));
  auto arms = read_arms(a.file.metadata("arms"));
  if (!arms) return arms.error();
  a.arms = std::move(*arms);
  auto members = read_members(a.file.metadata("members"));
  if (!members) return members.error();
  a.members = std::move(*members);
  a.is_static = a.file.metadata("static") == "true";

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
  v.embedding.idf = fetch.f32("embedding.idf", {any});
  const std::size_t buckets = v.embedding.idf.size();
  fetch.require(
      buckets == 0 || buckets == text::kBuckets,
      fmt::format("tensor 'embedding.idf' has {} buckets; expected {}", buckets, text::kBuckets));
  v.embedding.table = fetch.get("embedding.table", DType::kI8, {buckets, kEmbeddingDims}).i8();
  const std::size_t one = buckets == 0 ? 0 : 1;
  v.embedding.column_scale = fetch.f32("embedding.column_scale", {one * kEmbeddingDims});
  v.embedding.surface_mean = fetch.f32("embedding.surface_mean", {one * text::kSurfaceCount});
  v.embedding.surface_scale = fetch.f32("embedding.surface_scale", {one * text::kSurfaceCount});
  const auto lengths = fetch.f32("embedding.bytes", {2});
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
  const bool learns = !v.linear.empty() || !v.encoder_linear.empty() || tasks > 0 ||
                      clusters > 0 || exemplars > 0;
  fetch.require(buckets > 0, "tensor 'embedding.idf' is empty; expected a value for every bucket");
  fetch.require(!learns || !a.is_static, "the router says that it is static, but it has members");
  fetch.require(lengths[0] > 0 && lengths[1] > 0, "tensor 'embedding.bytes' must be above 0");
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
  v.embedding.mean_bytes = lengths[0];
  v.embedding.max_bytes = lengths[1];
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
