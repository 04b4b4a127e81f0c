#include "predict/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/file.h"
#include "predict/artefact.h"
#include "predict/encoder.h"
#include "predict/published_artefact.h"
#include "predict/recalibrated.h"
#include "predict/router_scratch.h"

namespace rung::predict {

Scratch::Scratch() : impl(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

namespace {

/// Finite tables of absurd size can still sum to infinity; then the arm's mean stands.
void make_finite(Estimate& e, const ArmInfo& arm) {
  if (!std::isfinite(e.quality)) e.quality = std::clamp(arm.mean_quality, 0.0f, 1.0f);
  if (!std::isfinite(e.quality_se)) e.quality_se = 0.5f;
  if (!std::isfinite(e.cost_usd)) e.cost_usd = arm.mean_cost_usd;
  if (!std::isfinite(e.completion_tokens)) e.has_tokens = false, e.completion_tokens = 0;
}

struct NeededEncoder {
  std::shared_ptr<const Encoder> encoder;  // null: the router needs none
  std::size_t tokens = 0;
};

/// The encoder that a router was trained with, from where encoders lie.
Result<NeededEncoder> find_encoder(const Artefact& artefact) {
  NeededEncoder out;
  const auto name = artefact.file.metadata("encoder");
  const auto sha256 = artefact.file.metadata("encoder_sha256");
  if (sha256.empty()) return out;
  const auto file = encoder_file();
  auto encoder = Encoder::load(file);
  if (!encoder)
    return Error{encoder.error().code,
                 fmt::format("the router needs the sentence encoder {}, but {}; `rung encoder "
                             "fetch` brings it, RUNG_ENCODER names another place",
                             name, encoder.error().message)};
  if ((*encoder)->sha256() != sha256)
    return Error{ErrorCode::kCorruptFile,
                 fmt::format("the router was trained with the sentence encoder {} of sha256 {}; {} "
                             "has {}: name the right one by RUNG_ENCODER, or train again",
                             name, sha256, file.string(), (*encoder)->sha256())};
  const auto tokens = artefact.file.metadata("encoder_tokens");
  std::from_chars(tokens.data(), tokens.data() + tokens.size(), out.tokens);
  const ModelView& v = artefact.view;
  const std::size_t dims = (*encoder)->dims(), groups = v.task_table.size() / v.arms;
  const auto fits = [](std::size_t size, std::size_t whole) { return size == 0 || size == whole; };
  if (out.tokens < 2 || !fits(v.encoder_linear.size(), dims * v.arms) ||
      !fits(v.encoder_task_weights.size(), dims * groups))
    return Error{ErrorCode::kCorruptFile,
                 fmt::format("tensors 'encoder.linear' and 'encoder.task_weights' have {} and {} "
                             "elements and metadata 'encoder_tokens' is '{}'; expected none or {} "
                             "rows, and at least 2",
                             v.encoder_linear.size(), v.encoder_task_weights.size(), tokens, dims)};
  out.encoder = std::move(*encoder);
  return out;
}

class LoadedRouter final : public Router {
 public:
  LoadedRouter(std::unique_ptr<const std::string> bytes, Artefact artefact, NeededEncoder encoder)
      : bytes_(std::move(bytes)), artefact_(std::move(artefact)), encoder_(std::move(encoder)) {}

  std::span<const ArmInfo> arms() const override { return artefact_.arms; }
  std::string_view metadata(std::string_view key) const override {
    return artefact_.file.metadata(key);
  }
  bool is_static() const override { return artefact_.is_static; }
  bool is_slow() const override { return encoder_.encoder != nullptr; }

  void estimate_for(std::span<const std::uint32_t> wanted, std::string_view prompt,
                    std::span<Estimate> per_arm, Scratch& scratch) const override {
    RUNG_CHECK(per_arm.size() == artefact_.arms.size(), "one estimate for each arm");
    Scratch::Impl& s = *scratch.impl;
    s.reader.read(prompt, s.features);
    embed(artefact_.view.embedding, s.features, s.design);
    if (encoder_.encoder) {
      s.encoded.resize(encoder_.encoder->dims());
      encoder_.encoder->encode(prompt, encoder_.tokens, s.encoder, s.encoded);
    }
    estimate_arms(artefact_.view, s.design, wanted, per_arm, s.estimate, s.encoded);
    for (std::size_t j = 0; j < per_arm.size(); ++j) make_finite(per_arm[j], artefact_.arms[j]);
  }

 private:
  std::unique_ptr<const std::string> bytes_;  // what artefact_ looks at
  Artefact artefact_;
  NeededEncoder encoder_;
};

}  // namespace

bool Router::utilities(std::string_view, float, std::span<const std::uint8_t>, std::span<float>,
                       Scratch&) const {
  return false;
}

QualityScale Router::quality_scale() const {
  const std::string_view name = metadata("quality_scale");
  return name == "win_chance"     ? QualityScale::kWinChance
         : name == "match_chance" ? QualityScale::kMatchChance
                                  : QualityScale::kExpectedScore;
}

namespace {

Result<std::shared_ptr<const Router>> as_trained(std::string file) {
  auto bytes = std::make_unique<const std::string>(std::move(file));
  const auto parsed = TensorFile::parse(*bytes);
  if (!parsed) return parsed.error();
  if (find_published(parsed->metadata("method")) != nullptr)
    return make_published_router(std::move(bytes));
  auto artefact = Artefact::read(*bytes);
  if (!artefact) return artefact.error();
  auto encoder = find_encoder(*artefact);
  if (!encoder) return encoder.error();
  return std::shared_ptr<const Router>(
      std::make_shared<LoadedRouter>(std::move(bytes), std::move(*artefact), std::move(*encoder)));
}

}  // namespace

Result<std::shared_ptr<const Router>> Router::from_bytes(std::string file) {
  auto router = as_trained(std::move(file));
  if (!router) return router;
  return recalibrated(*std::move(router));
}

Result<std::shared_ptr<const Router>> Router::load(const std::filesystem::path& path) {
  // Read, not mapped: somebody may cut or overwrite the file while it is in use.
  auto file = read_file(path);
  if (!file) return file.error();
  auto router = from_bytes(std::move(*file));
  if (!router) return router.error().with(path.string());
  return router;
}

}  // namespace rung::predict
