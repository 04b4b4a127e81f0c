#pragma once
// What all artefacts of routers have in common, whatever the method: format, arms, members, and the
// embedding of texts.

#include <fmt/format.h>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "predict/embedding.h"
#include "predict/model.h"
#include "predict/safetensors.h"

namespace rung::predict {

inline Error corrupt(std::string sentence) {
  return {ErrorCode::kCorruptFile, std::move(sentence)};
}

struct ArtefactFacts {
  std::string method;
  bool is_static = false;
  std::uint64_t seed = 0, rows = 0;
};
/// The metadata that every router has.
void add_common_metadata(const ArtefactFacts& facts, const std::vector<ArmInfo>& arms,
                         const std::vector<MemberInfo>& members, TensorWriter& out);
void add_embedding(const Embedding& embedding, TensorWriter& out);

/// kCorruptFile unless it is a router of this format and of this build's feature version.
Result<void> check_format(const TensorFile& file);
Result<std::vector<ArmInfo>> read_arms(std::string_view text);
Result<std::vector<MemberInfo>> read_members(std::string_view text);

/// Fetches tensors, remembers the first thing that was wrong.
struct Fetch {
  const TensorFile& file;
  std::optional<Error> wrong = std::nullopt;

  Tensor get(std::string_view name, DType type, std::initializer_list<std::size_t> shape);
  std::span<const float> f32(std::string_view name, std::initializer_list<std::size_t> shape) {
    return get(name, DType::kF32, shape).f32();
  }
  void require(bool condition, std::string_view sentence) {
    if (!condition && !wrong) wrong = corrupt(std::string(sentence));
  }
};
/// Views into the file; meaningless once fetch.wrong is set.
EmbeddingView fetch_embedding(Fetch& fetch);

}  // namespace rung::predict
