#include "predict/artefact_parts.h"

#include <simdjson.h>

#include "json/write.h"
#include "predict/artefact.h"

namespace rung::predict {
namespace {

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

}  // namespace

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

void add_common_metadata(const ArtefactFacts& facts, const std::vector<ArmInfo>& arms,
                         const std::vector<MemberInfo>& members, TensorWriter& out) {
  out.metadata("format", std::string(kArtefactFormat));
  out.metadata("feature_version", std::to_string(text::kFeatureVersion));
  out.metadata("method", facts.method);
  out.metadata("static", facts.is_static ? "true" : "false");
  out.metadata("seed", std::to_string(facts.seed));
  out.metadata("rows", std::to_string(facts.rows));
  out.metadata("arms", arms_json(arms));
  out.metadata("members", members_json(members));
}

void add_embedding(const Embedding& e, TensorWriter& out) {
  const auto f32 = [&](std::string name, std::vector<std::size_t> shape,
                       const std::vector<float>& values) {
    out.add(std::move(name), std::move(shape), std::span<const float>(values));
  };
  f32("embedding.idf", {e.idf.size()}, e.idf);
  out.add("embedding.table", {e.table.size() / kEmbeddingDims, kEmbeddingDims},
          std::span<const std::int8_t>(e.table));
  f32("embedding.column_scale", {e.column_scale.size()}, e.column_scale);
  f32("embedding.surface_mean", {e.surface_mean.size()}, e.surface_mean);
  f32("embedding.surface_scale", {e.surface_scale.size()}, e.surface_scale);
  f32("embedding.bytes", {2}, {e.mean_bytes, e.max_bytes});
}

Result<void> check_format(const TensorFile& file) {
  if (const auto format = file.metadata("format"); format != kArtefactFormat)
    return corrupt(
        fmt::format("this safetensors file is no router: its format is '{}'; expected '{}'", format,
                    kArtefactFormat));
  if (const auto version = file.metadata("feature_version");
      version != std::to_string(text::kFeatureVersion))
    return corrupt(fmt::format(
        "the router was trained with feature version {}; this build reads version {}: train "
        "it again",
        version, text::kFeatureVersion));
  return {};
}

Tensor Fetch::get(std::string_view name, DType type, std::initializer_list<std::size_t> shape) {
  auto tensor = file.tensor(name, type, {shape.begin(), shape.size()});
  if (tensor) return *tensor;
  if (!wrong) wrong = tensor.error();
  return Tensor{type, {}, {}};
}

EmbeddingView fetch_embedding(Fetch& fetch) {
  EmbeddingView v;
  v.idf = fetch.f32("embedding.idf", {TensorFile::kAny});
  const std::size_t buckets = v.idf.size();
  fetch.require(
      buckets == text::kBuckets,
      fmt::format("tensor 'embedding.idf' has {} buckets; expected {}", buckets, text::kBuckets));
  v.table = fetch.get("embedding.table", DType::kI8, {buckets, kEmbeddingDims}).i8();
  v.column_scale = fetch.f32("embedding.column_scale", {kEmbeddingDims});
  v.surface_mean = fetch.f32("embedding.surface_mean", {text::kSurfaceCount});
  v.surface_scale = fetch.f32("embedding.surface_scale", {text::kSurfaceCount});
  const auto lengths = fetch.f32("embedding.bytes", {2});
  if (fetch.wrong) return v;
  fetch.require(lengths[0] > 0 && lengths[1] > 0, "tensor 'embedding.bytes' must be above 0");
  v.mean_bytes = lengths[0];
  v.max_bytes = lengths[1];
  return v;
}

}  // namespace rung::predict
