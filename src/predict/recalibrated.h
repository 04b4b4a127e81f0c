#pragma once
// A router whose expected scores are mapped to what came of them (outcomes/score_map.h), one map
// for each arm, kept in the artefact's metadata under `recalibration`:
//
//   {"kind": "isotonic", "maps": {ARM: ..., ...}}
//
// An arm without a map keeps its estimates. A router of a pair has one map, of its strong arm: that
// of the chance that strong beats weak.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "outcomes/score_map.h"
#include "predict/router.h"

namespace rung::predict {

inline constexpr std::string_view kRecalibrationKey = "recalibration";

using ArmMaps = std::map<std::string, outcomes::ScoreMap>;
std::string recalibration_json(outcomes::ScoreMapKind kind, const ArmMaps& maps);

/// `inner` itself where its metadata names no maps. Errors: kCorruptFile; kUnsupported for a router
/// of match chances, whose reference is sure by definition.
Result<std::shared_ptr<const Router>> recalibrated(std::shared_ptr<const Router> inner);

/// An artefact with one entry of its metadata set; an empty value takes it out. The tensors stay
/// byte for byte. Error: kCorruptFile.
Result<std::string> with_metadata(std::string_view artefact, std::string_view key,
                                  std::string_view value);

}  // namespace rung::predict
