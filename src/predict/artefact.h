#pragma once
// A router as one safetensors file: the tensors of Model under their own names, and string metadata
// (format, method, arms, feature version, seed, training data, what cross-validation said). No date
// and nothing of the machine: the same model gives the same bytes.
//
// Scores of exemplars are rounded to 1/127 of a point of score and stored as one byte, 255 meaning
// "not scored"; everything else is stored as it is.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "predict/model.h"
#include "predict/safetensors.h"

namespace rung::predict {

inline constexpr std::string_view kArtefactFormat = "rung-router-1";

/// `extra` is added to the metadata (training_data_sha256, card, ...); it may not name a key of
/// ours.
std::string write_artefact(const Model& model, const std::map<std::string, std::string>& extra);

/// A model in place: views into the bytes it was read from, which must outlive it (and be aligned
/// to 8, as what a heap gives out is). Movable; the views stay valid.
struct Artefact {
  TensorFile file;
  std::vector<ArmInfo> arms;
  std::vector<MemberInfo> members;
  bool is_static = false;
  ModelView view;

  /// kCorruptFile, as a sentence: not a safetensors file, cut, another format or feature version, a
  /// missing tensor, a shape that disagrees, a number that is not finite or an index out of range.
  static Result<Artefact> read(std::string_view bytes);

 private:
  std::vector<float> exemplar_deviation_;
  std::vector<PrunedArm> pruned_;
};

}  // namespace rung::predict
