#include "predict/published_artefact.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "predict/artefact_parts.h"
#include "predict/methods/best_route.h"
#include "predict/methods/matrix_factorisation.h"
#include "predict/router_scratch.h"

namespace rung::predict {
namespace {

constexpr double kUnknown = -1;      // in cluster tables: scores and costs are never below 0
constexpr float kMostWeight = 1e6f;  // of a direction or a head: far above what fits give
constexpr std::size_t kMostTiers = 64;

std::vector<float> table_floats(const MatrixD& table) {
  std::vector<float> out;
  for (Index i = 0; i < table.rows(); ++i)
    for (Index j = 0; j < table.cols(); ++j)
      out.push_back(static_cast<float>(std::isfinite(table(i, j)) ? table(i, j) : kUnknown));
  return out;
}

MatrixD float_table(std::span<const float> values, std::size_t rows, std::size_t columns,
                    bool with_unknown) {
  MatrixD out(static_cast<Index>(rows), static_cast<Index>(columns));
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const double v = values[i * columns + j];
      out(static_cast<Index>(i), static_cast<Index>(j)) =
          with_unknown && v < 0 ? std::numeric_limits<double>::quiet_NaN() : v;
    }
  return out;
}

/// A published method read back.
struct Parts {
  TensorFile file;
  const PublishedMethod* method = nullptr;
  std::vector<ArmInfo> arms;
  EmbeddingView embedding;
  std::span<const float> tokens, quality_se, direction;
  SimilarityRanking ranking;
  BestRoute heads;
  ClusterRouter clusters;
};

bool within(std::span<const float> values, float least, float most) {
  return std::all_of(values.begin(), values.end(),
                     [&](float v) { return v >= least && v <= most; });
}

void fetch_ranking(Fetch& fetch, SimilarityRanking& ranking) {
  constexpr std::size_t any = TensorFile::kAny;
  const Tensor prompts = fetch.get("ranking.prompts", DType::kF32, {any, kEmbeddingDims});
  const Tensor battles = fetch.get("ranking.battles", DType::kI32, {any, 4});
  const auto tier = fetch.get("ranking.tier", DType::kI32, {2}).i32();
  const auto tiers = fetch.get("ranking.tiers", DType::kI32, {1}).i32();
  if (fetch.wrong) return;
  const std::size_t count = prompts.shape[0];
  fetch.require(
      tiers[0] >= 1 && static_cast<std::size_t>(tiers[0]) <= kMostTiers,
      fmt::format("tensor 'ranking.tiers' is {}; expected 1 to {}", tiers[0], kMostTiers));
  fetch.require(count > 0, "tensor 'ranking.prompts' is empty; expected at least one prompt");
  fetch.require(within(prompts.f32(), -1.01f, 1.01f),
                "tensor 'ranking.prompts' has a number beyond 1; its rows are of unit length");
  for (const std::int32_t t : tier)
    fetch.require(t >= 0 && t < tiers[0],
                  fmt::format("tensor 'ranking.tier' names tier {} of {}", t, tiers[0]));
  const auto b = battles.i32();
  for (std::size_t i = 0; i + 3 < b.size(); i += 4)
    fetch.require(b[i] >= 0 && static_cast<std::size_t>(b[i]) < count && b[i + 1] >= 0 &&
                      b[i + 1] < tiers[0] && b[i + 2] >= 0 && b[i + 2] < tiers[0] &&
                      b[i + 3] >= 0 && b[i + 3] <= static_cast<std::int32_t>(Winner::kTie),
                  fmt::format("tensor 'ranking.battles' names a prompt, tier or winner that is not "
                              "there in battle {}",
                              i / 4));
  if (fetch.wrong) return;
  ranking.tiers = static_cast<std::size_t>(tiers[0]);
  ranking.tier.assign(tier.begin(), tier.end());
  ranking.prompts = Eigen::Map<const Matrix>(prompts.f32().data(), static_cast<Index>(count),
                                             static_cast<Index>(kEmbeddingDims));
  for (std::size_t i = 0; i < b.size(); i += 4)
    ranking.battles.push_back(
        {static_cast<std::uint32_t>(b[i]), static_cast<std::uint32_t>(b[i + 1]),
         static_cast<std::uint32_t>(b[i + 2]), static_cast<Winner>(b[i + 3])});
}

void fetch_heads(Fetch& fetch, std::size_t count, BestRoute& out) {
  const auto weights = fetch.f32("heads", {count, kQualityDims});
  const auto has = fetch.get("has_head", DType::kU8, {count}).u8();
  if (fetch.wrong) return;
  fetch.require(within(weights, -kMostWeight, kMostWeight),
                "tensor 'heads' has a weight of more than a million");
  fetch.require(std::any_of(has.begin(), has.end(), [](std::uint8_t h) { return h != 0; }),
                "tensor 'has_head' says that there is no head");
  for (std::size_t o = 0; o < count; ++o) {
    out.options.push_back({static_cast<std::uint32_t>(o), 1});
    out.heads.emplace_back();
    if (has[o] == 0) continue;
    out.heads.back().emplace();
    out.heads.back()->weights =
        Eigen::Map<const Vector>(weights.data() + o * kQualityDims, kQualityDims).cast<double>();
  }
}

void fetch_clusters(Fetch& fetch, std::size_t m, ClusterRouter& out) {
  constexpr std::size_t any = TensorFile::kAny;
  const Tensor centroids = fetch.get("cluster.centroids", DType::kF32, {any, kEmbeddingDims});
  if (fetch.wrong) return;
  const std::size_t k = centroids.shape[0];
  const auto quality = fetch.f32("cluster.quality", {k, m}),
             cost = fetch.f32("cluster.cost", {k, m});
  const auto form = fetch.get("cluster.form", DType::kI32, {4}).i32();
  const auto beta = fetch.f32("cluster.beta", {1});
  if (fetch.wrong) return;
  fetch.require(k > 0, "tensor 'cluster.centroids' is empty; expected at least one cluster");
  fetch.require(within(centroids.f32(), -1e3f, 1e3f),
                "tensor 'cluster.centroids' has a number beyond 1000");
  fetch.require(std::all_of(quality.begin(), quality.end(), [](float q) { return q <= 1; }),
                "tensor 'cluster.quality' has a score above 1");
  fetch.require(form[0] >= 1, fmt::format("{} near clusters; expected at least 1", form[0]));
  fetch.require(form[1] >= 0 && form[1] <= static_cast<std::int32_t>(Aggregation::kAvengers) &&
                    form[2] >= 0 && form[2] <= static_cast<std::int32_t>(CostScale::kByMax) &&
                    form[3] >= 0 && form[3] <= static_cast<std::int32_t>(ClusterDistance::kCosine),
                "tensor 'cluster.form' names an aggregation, scale or distance that this build "
                "does not know");
  fetch.require(beta[0] >= 0 && beta[0] <= 1e6f, "tensor 'cluster.beta' must be 0 to a million");
  if (fetch.wrong) return;
  out.centroids = float_table(centroids.f32(), k, kEmbeddingDims, false);
  out.quality = float_table(quality, k, m, true);
  out.cost = float_table(cost, k, m, true);
  out.near = static_cast<std::size_t>(form[0]);
  out.how = static_cast<Aggregation>(form[1]);
  out.scale = static_cast<CostScale>(form[2]);
  out.distance = static_cast<ClusterDistance>(form[3]);
  out.beta = static_cast<double>(beta[0]);
}

Result<Parts> read(std::string_view bytes) {
  auto parsed = TensorFile::parse(bytes);
  if (!parsed) return parsed.error();
  Parts p;
  p.file = std::move(*parsed);
  if (auto ours = check_format(p.file); !ours) return ours.error();
  p.method = find_published(p.file.metadata("method"));
  if (p.method == nullptr)
    return corrupt(
        fmt::format("the method '{}' is not a published one", p.file.metadata("method")));
  auto arms = read_arms(p.file.metadata("arms"));
  if (!arms) return arms.error();
  p.arms = std::move(*arms);
  const std::size_t m = p.arms.size();
  Fetch fetch{p.file};
  const bool pair = p.method->quality_scale == "win_chance";
  fetch.require(
      p.file.metadata("quality_scale") == p.method->quality_scale,
      fmt::format("metadata 'quality_scale' is '{}'; {} has '{}'", p.file.metadata("quality_scale"),
                  p.method->name, p.method->quality_scale));
  fetch.require(pair ? m == 2 : m >= 2,
                fmt::format("{} arms; {} has {}", m, p.method->name,
                            pair ? "two, strong and weak" : "at least two"));
  p.embedding = fetch_embedding(fetch);
  p.tokens = fetch.f32("mean_tokens", {m});
  p.quality_se = fetch.f32("quality_se", {m});
  if (fetch.wrong) return *fetch.wrong;
  fetch.require(within(p.quality_se, 0, 1), "tensor 'quality_se' has a number outside 0 to 1");
  fetch.require(within(p.tokens, 0, 1e9f), "tensor 'mean_tokens' has a number outside 0 to 1e9");
  for (const ArmInfo& arm : p.arms)
    fetch.require(
        std::isfinite(arm.mean_quality) && arm.mean_quality >= 0 && arm.mean_quality <= 1 &&
            std::isfinite(arm.mean_cost_usd) && arm.mean_cost_usd >= 0,
        fmt::format("arm '{}' has a mean score outside 0 to 1 or a cost below 0", arm.name));
  switch (p.method->rule) {
    case PublishedRule::kFactors:
      p.direction = fetch.f32("direction", {kEmbeddingDims});
      fetch.require(within(p.direction, -kMostWeight, kMostWeight),
                    "tensor 'direction' has a weight of more than a million");
      break;
    case PublishedRule::kRanking:
      fetch_ranking(fetch, p.ranking);
      break;
    case PublishedRule::kMatch:
      fetch_heads(fetch, 1, p.heads);
      break;
    case PublishedRule::kOptions:
      fetch_heads(fetch, m - 1, p.heads);
      break;
    case PublishedRule::kClusters:
      fetch_clusters(fetch, m, p.clusters);
      break;
  }
  if (fetch.wrong) return *fetch.wrong;
  return p;
}

class PublishedRouter final : public Router {
 public:
  PublishedRouter(std::unique_ptr<const std::string> bytes, Parts parts)
      : bytes_(std::move(bytes)), p_(std::move(parts)) {}

  std::span<const ArmInfo> arms() const override { return p_.arms; }
  std::string_view metadata(std::string_view key) const override { return p_.file.metadata(key); }
  bool is_static() const override { return false; }
  bool is_slow() const override { return p_.method->rule == PublishedRule::kRanking; }

  void estimate_for(std::span<const std::uint32_t>, std::string_view prompt,
                    std::span<Estimate> per_arm, Scratch& scratch) const override {
    RUNG_CHECK(per_arm.size() == p_.arms.size(), "one estimate for each arm");
    Scratch::Impl& s = *scratch.impl;
    const std::span<const float> e = read_prompt(prompt, s);
    for (std::size_t j = 0; j < per_arm.size(); ++j)
      per_arm[j] = {p_.arms[j].mean_quality,  p_.quality_se[j],
                    p_.arms[j].mean_cost_usd, p_.tokens[j],
                    p_.arms[j].has_cost,      p_.arms[j].has_tokens};
    switch (p_.method->rule) {
      case PublishedRule::kFactors:
        set_pair(per_arm, pair_probability(p_.direction, e));
        break;
      case PublishedRule::kRanking:
        set_pair(per_arm, *p_.ranking.strong_probability(e, 0, 1));
        break;
      case PublishedRule::kMatch:
        set_pair(per_arm, 1 - p_.heads.heads[0]->probability(s.design));
        break;
      case PublishedRule::kOptions:
        s.confidence.resize(per_arm.size());
        p_.heads.confidences(s.design, s.confidence);
        for (std::size_t j = 0; j < per_arm.size(); ++j) {
          const double p = (1 + s.confidence[j]) / 2;
          per_arm[j].quality = p >= 0 ? static_cast<float>(p) : 0.0f;  // no head: -infinity
        }
        break;
      case PublishedRule::kClusters:
        s.confidence.resize(per_arm.size());
        p_.clusters.expected_quality(e, s.confidence);
        for (std::size_t j = 0; j < per_arm.size(); ++j)
          if (std::isfinite(s.confidence[j]))
            per_arm[j].quality = static_cast<float>(std::clamp(s.confidence[j], 0.0, 1.0));
        break;
    }
  }

  bool utilities(std::string_view prompt, float alpha, std::span<const std::uint8_t> capable,
                 std::span<float> per_arm, Scratch& scratch) const override {
    if (p_.method->rule != PublishedRule::kClusters) return false;
    RUNG_CHECK(per_arm.size() == p_.arms.size() && alpha >= 0 && alpha <= 1,
               "one utility for each arm, alpha in [0, 1]");
    Scratch::Impl& s = *scratch.impl;
    const std::span<const float> e = read_prompt(prompt, s);
    s.confidence.resize(per_arm.size());
    const bool quality_alone = p_.clusters.how == Aggregation::kAvengers;
    const auto weights = ScoreWeights::alpha(quality_alone ? 1.0 : static_cast<double>(alpha));
    p_.clusters.scores(e, capable, weights, s.confidence);
    for (std::size_t j = 0; j < per_arm.size(); ++j)
      per_arm[j] = static_cast<float>(s.confidence[j]);
    return true;
  }

 private:
  std::span<const float> read_prompt(std::string_view prompt, Scratch::Impl& s) const {
    s.reader.read(prompt, s.features);
    embed(p_.embedding, s.features, s.design);
    // Tables of absurd size may overflow; then nothing is known of the prompt.
    for (float& v : s.design)
      if (!std::isfinite(v)) v = 0;
    return std::span<const float>(s.design).first(kEmbeddingDims);
  }

  static void set_pair(std::span<Estimate> per_arm, double s) {
    per_arm[0].quality = static_cast<float>(s);
    per_arm[1].quality = 1 - per_arm[0].quality;
  }

  std::unique_ptr<const std::string> bytes_;  // what p_ looks at
  Parts p_;
};

}  // namespace

std::string write_published(const PublishedModel& model,
                            const std::map<std::string, std::string>& extra) {
  const PublishedMethod* method = find_published(model.method);
  RUNG_CHECK(method != nullptr, "a published model has a published method");
  const std::size_t m = model.arms.size();
  TensorWriter out;
  for (const auto& [key, value] : extra) out.metadata(key, value);
  add_common_metadata({model.method, false, model.seed, model.rows}, model.arms, model.members,
                      out);
  out.metadata("knob", std::string(method->knob));
  out.metadata("paper", std::string(method->paper));
  if (!method->quality_scale.empty())
    out.metadata("quality_scale", std::string(method->quality_scale));
  add_embedding(model.embedding, out);
  const auto f32 = [&](std::string name, std::vector<std::size_t> shape,
                       const std::vector<float>& values) {
    out.add(std::move(name), std::move(shape), std::span<const float>(values));
  };
  const auto i32 = [&](std::string name, std::vector<std::size_t> shape,
                       const std::vector<std::int32_t>& values) {
    out.add(std::move(name), std::move(shape), std::span<const std::int32_t>(values));
  };
  f32("mean_tokens", {m}, model.mean_tokens);
  f32("quality_se", {m}, model.quality_se);
  switch (method->rule) {
    case PublishedRule::kFactors:
      f32("direction", {kEmbeddingDims}, model.direction);
      break;
    case PublishedRule::kRanking: {
      const SimilarityRanking& r = model.ranking;
      out.add("ranking.prompts", {static_cast<std::size_t>(r.prompts.rows()), kEmbeddingDims},
              std::span<const float>(r.prompts.data(), static_cast<std::size_t>(r.prompts.size())));
      std::vector<std::int32_t> battles;
      for (const StoredBattle& b : r.battles)
        for (const std::uint32_t v :
             {b.prompt, b.tier_a, b.tier_b, static_cast<std::uint32_t>(b.winner)})
          battles.push_back(static_cast<std::int32_t>(v));
      i32("ranking.battles", {r.battles.size(), 4}, battles);
      i32("ranking.tier", {2}, {r.tier[0], r.tier[1]});
      i32("ranking.tiers", {1}, {static_cast<std::int32_t>(r.tiers)});
      break;
    }
    case PublishedRule::kMatch:
    case PublishedRule::kOptions:
      f32("heads", {model.has_head.size(), kQualityDims}, model.heads);
      out.add("has_head", {model.has_head.size()}, std::span<const std::uint8_t>(model.has_head));
      break;
    case PublishedRule::kClusters: {
      const ClusterRouter& c = model.clusters;
      f32("cluster.centroids", {c.clusters(), kEmbeddingDims}, table_floats(c.centroids));
      f32("cluster.quality", {c.clusters(), m}, table_floats(c.quality));
      f32("cluster.cost", {c.clusters(), m}, table_floats(c.cost));
      i32("cluster.form", {4},
          {static_cast<std::int32_t>(c.near), static_cast<std::int32_t>(c.how),
           static_cast<std::int32_t>(c.scale), static_cast<std::int32_t>(c.distance)});
      f32("cluster.beta", {1}, {static_cast<float>(c.beta)});
      break;
    }
  }
  return out.finish();
}

Result<std::shared_ptr<const Router>> make_published_router(
    std::unique_ptr<const std::string> bytes) {
  auto parts = read(*bytes);
  if (!parts) return parts.error();
  return std::shared_ptr<const Router>(
      std::make_shared<PublishedRouter>(std::move(bytes), std::move(*parts)));
}

}  // namespace rung::predict
