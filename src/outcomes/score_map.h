#pragma once
// A map from what is predicted to what happens: isotonic regression, or Platt scaling of log odds,
// fitted on rows that trained nothing, kept in an artefact.
//
// A map never turns two estimates of one arm around; between arms it may, and that is what it is
// for. Values; const use from many threads is safe.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace rung::outcomes {

enum class ScoreMapKind : std::uint8_t { kIsotonic, kPlatt };
std::string_view name(ScoreMapKind kind);  // "isotonic", "platt"
std::optional<ScoreMapKind> parse_score_map_kind(std::string_view name);

class ScoreMap {
 public:
  ScoreMap() = default;  // leaves everything as it is
  /// Estimates and outcomes in [0, 1]. Errors: those of Isotonic::fit and Platt::fit.
  static Result<ScoreMap> fit(ScoreMapKind kind, std::span<const double> estimate,
                              std::span<const double> outcome);
  /// In [0, 1] and never falling. NaN stays NaN.
  double apply(double estimate) const;

  /// [[estimate, value], ...] for isotonic, {"slope", "offset"} for Platt.
  std::string json() const;
  /// Error kCorruptFile with what was found and expected.
  static Result<ScoreMap> parse(json::Value value);

 private:
  std::vector<std::pair<double, double>> knots_;    // rising; empty: not isotonic
  std::optional<std::pair<double, double>> platt_;  // slope and offset, on log odds
};

/// Cells [rows * arms] of estimates mapped by maps that were fitted, for each arm, on the rows of
/// other folds: what the map would do on new rows. `fold` [rows]. NaN scores are left out; an arm
/// with fewer than kFewestToMap scores outside a fold keeps its estimates there.
inline constexpr std::size_t kFewestToMap = 50;
std::vector<float> cross_mapped(ScoreMapKind kind, std::size_t arms,
                                std::span<const float> estimate, std::span<const float> score,
                                std::span<const std::uint32_t> fold);

/// One map for each arm, fitted on all rows; empty where an arm has too few scores or none settles.
std::vector<std::optional<ScoreMap>> fit_maps(ScoreMapKind kind, std::size_t arms,
                                              std::span<const float> estimate,
                                              std::span<const float> score);

}  // namespace rung::outcomes
