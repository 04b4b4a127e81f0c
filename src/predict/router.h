#pragma once
// A trained router: the artefact of `rung train`, read and checked, ready to estimate.
//
//   prompt ──► features (one pass) ──► members ──► ensemble ──► Estimate for every arm
//
// Immutable after load: all threads share one instance, each with its own Scratch.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "predict/predictor.h"

namespace rung::predict {

/// Working memory of one thread; after the first few calls estimating allocates nothing.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// What Estimate::quality means (metadata `quality_scale`).
enum class QualityScale : std::uint8_t {
  kExpectedScore,
  kWinChance,  // "win_chance": of two arms, strong then weak, s and 1 - s, s the chance that strong
               // beats weak. For the threshold policy alone
  kMatchChance,  // "match_chance": that the arm is at least as good as the last one, whose own
                 // is 1. For target_quality alone
};

class Router {
 public:
  virtual ~Router() = default;

  /// Reads and checks an artefact; what happens to the file afterwards is of no consequence.
  /// Errors: kNotFound, kIo; kCorruptFile with what was found and expected (not a safetensors file,
  /// truncated, wrong shape, feature version of another build). A router that was trained with a
  /// sentence encoder needs the same file of it at encoder_file(), and is refused without.
  static Result<std::shared_ptr<const Router>> load(const std::filesystem::path& file);
  /// The same from the bytes of an artefact.
  static Result<std::shared_ptr<const Router>> from_bytes(std::string bytes);

  /// The arms, in the order of every span of estimates.
  virtual std::span<const ArmInfo> arms() const = 0;
  /// One estimate for each arm; `per_arm.size()` must be `arms().size()`. From the prompt alone.
  void estimate(std::string_view prompt, std::span<Estimate> per_arm, Scratch& scratch) const {
    estimate_for({}, prompt, per_arm, scratch);
  }
  /// The same numbers for the arms `wanted` (indices into arms()) alone, for a route that has few
  /// of many; the other places are unspecified. Empty: all.
  virtual void estimate_for(std::span<const std::uint32_t> wanted, std::string_view prompt,
                            std::span<Estimate> per_arm, Scratch& scratch) const = 0;
  /// The scores of a router that has a rule of its own (Avengers-Pro's alpha): an arm with the
  /// greatest is picked. `alpha` in [0, 1]: 1 quality alone, 0 cost alone. `capable` [arms()] or
  /// empty (all): arms with 0 are out before anything is scaled. -infinity: cannot be chosen; no
  /// NaN. `per_arm` [arms()]. False: no rule of its own, nothing was written.
  virtual bool utilities(std::string_view prompt, float alpha,
                         std::span<const std::uint8_t> capable, std::span<float> per_arm,
                         Scratch& scratch) const;
  /// What `quality` of its estimates is: kExpectedScore unless the metadata says otherwise.
  QualityScale quality_scale() const;
  /// A string of the artefact's metadata ("method", "seed", "training_data_sha256", "card", ...);
  /// empty if absent.
  virtual std::string_view metadata(std::string_view key) const = 0;
  /// True if an estimate takes milliseconds (a sentence encoder, a ranking fitted for each prompt):
  /// an event loop then asks for it on another thread.
  virtual bool is_slow() const { return false; }
  /// True if cross-validation found nothing better than the best static mixture: every estimate is
  /// then a constant.
  virtual bool is_static() const = 0;
};

}  // namespace rung::predict
