#include "predict/recalibrated.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "json/value.h"
#include "json/write.h"

namespace rung::predict {
namespace {

class Recalibrated final : public Router {
 public:
  Recalibrated(std::shared_ptr<const Router> inner, std::vector<outcomes::ScoreMap> maps)
      : inner_(std::move(inner)),
        maps_(std::move(maps)),
        arms_(inner_->arms().begin(), inner_->arms().end()),
        is_pair_(inner_->quality_scale() == QualityScale::kWinChance) {
    // The mean is a number that people read, and where a pruned arm's estimate comes from.
    for (std::size_t j = 0; j < arms_.size(); ++j)
      if (!is_pair_) arms_[j].mean_quality = mapped(j, arms_[j].mean_quality);
  }

  std::span<const ArmInfo> arms() const override { return arms_; }
  std::string_view metadata(std::string_view key) const override { return inner_->metadata(key); }
  bool is_static() const override { return inner_->is_static(); }
  bool is_slow() const override { return inner_->is_slow(); }

  void estimate_for(std::span<const std::uint32_t> wanted, std::string_view prompt,
                    std::span<Estimate> per_arm, Scratch& scratch) const override {
    inner_->estimate_for(wanted, prompt, per_arm, scratch);
    if (is_pair_) {
      per_arm[0].quality = mapped(0, per_arm[0].quality);
      per_arm[1].quality = 1 - per_arm[0].quality;
      return;
    }
    // The places that nobody wanted are unspecified before and after.
    for (std::size_t arm = 0; arm < per_arm.size(); ++arm)
      per_arm[arm].quality = mapped(arm, per_arm[arm].quality);
  }

  bool utilities(std::string_view prompt, float alpha, std::span<const std::uint8_t> capable,
                 std::span<float> per_arm, Scratch& scratch) const override {
    return inner_->utilities(prompt, alpha, capable, per_arm, scratch);
  }

 private:
  float mapped(std::size_t arm, float quality) const {
    return static_cast<float>(std::clamp(maps_[arm].apply(static_cast<double>(quality)), 0.0, 1.0));
  }

  std::shared_ptr<const Router> inner_;
  std::vector<outcomes::ScoreMap> maps_;  // [arms]
  std::vector<ArmInfo> arms_;
  bool is_pair_;
};

Error corrupt(std::string_view found) {
  return {ErrorCode::kCorruptFile,
          fmt::format("metadata '{}' {}; expected what rung calibrate --recalibrate wrote",
                      kRecalibrationKey, found)};
}

}  // namespace

std::string recalibration_json(outcomes::ScoreMapKind kind, const ArmMaps& maps) {
  json::Writer w;
  w.begin_object().key("kind").string(outcomes::name(kind)).key("maps").begin_object();
  for (const auto& [arm, map] : maps) w.key(arm).raw(map.json());
  return w.end_object().end_object().take();
}

Result<std::shared_ptr<const Router>> recalibrated(std::shared_ptr<const Router> inner) {
  const std::string_view text = inner->metadata(kRecalibrationKey);
  if (text.empty()) return inner;
  if (inner->quality_scale() == QualityScale::kMatchChance)
    return Error{ErrorCode::kUnsupported,
                 "the router gives chances to match a reference, which are not recalibrated"};
  const auto root = json::parse(text);
  if (!root || !root->is_object()) return corrupt("is not a JSON object");
  const auto named = json::find(*root, "maps");
  if (!named || !named->is_object()) return corrupt("has no maps");
  const auto arms = inner->arms();
  std::vector<outcomes::ScoreMap> maps(arms.size());
  for (const json::Member& member : json::members(*named)) {
    const std::string name = member.key.text();
    const auto arm = std::find_if(arms.begin(), arms.end(),
                                  [&](const ArmInfo& info) { return info.name == name; });
    if (arm == arms.end()) return corrupt(fmt::format("maps the unknown arm \"{}\"", name));
    auto map = outcomes::ScoreMap::parse(member.value);
    if (!map) return map.error().with(fmt::format("arm \"{}\"", name));
    maps[static_cast<std::size_t>(arm - arms.begin())] = *std::move(map);
  }
  return std::shared_ptr<const Router>(
      std::make_shared<Recalibrated>(std::move(inner), std::move(maps)));
}

Result<std::string> with_metadata(std::string_view artefact, std::string_view key,
                                  std::string_view value) {
  const Error bad{ErrorCode::kCorruptFile, "the file is no artefact of rung train"};
  std::uint64_t length = 0;
  if (artefact.size() < 8) return bad;
  std::memcpy(&length, artefact.data(), 8);
  if (length > artefact.size() - 8) return bad;
  // Tensors are found from the end of the header, so its length may change.
  const auto root = json::parse(artefact.substr(8, length));
  if (!root || !root->is_object()) return bad;
  json::Writer w;
  w.begin_object().key("__metadata__").begin_object();
  bool set = value.empty();
  const auto put = [&] {
    if (!set) w.key(key).string(value);
    set = true;
  };
  if (const auto old = json::find(*root, "__metadata__"); old && old->is_object())
    for (const json::Member& member : json::members(*old)) {
      const std::string name = member.key.text();
      if (name > key) put();  // the order in which they are written
      if (name != key) w.key(name).raw(member.value.raw);
    }
  put();
  w.end_object();
  for (const json::Member& member : json::members(*root))
    if (!member.key.equals("__metadata__")) w.key(member.key.text()).raw(member.value.raw);
  std::string header = w.end_object().take();
  while (header.size() % 8 != 0) header += ' ';
  const std::uint64_t size = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &size, 8);
  return out.append(header).append(artefact.substr(8 + length));
}

}  // namespace rung::predict
