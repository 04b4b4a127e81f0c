// The encoder's file from the published weights.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "predict/encoder.h"
#include "predict/encoder_kernels.h"

namespace rung::predict {
namespace {

constexpr std::size_t kAny = TensorFile::kAny;

/// A row of floats as int8 at places `stride` apart; returns the scale. The largest is +-127.
float quantise(std::span<const float> row, std::int8_t* out, std::size_t stride) {
  float top = 0;
  for (const float value : row) top = std::max(top, std::abs(value));
  const float scale = top / 127;
  for (std::size_t i = 0; i < row.size(); ++i)
    out[i * stride] = static_cast<std::int8_t>(
        scale > 0 ? std::clamp(std::lround(row[i] / scale), -127L, 127L) : 0);
  return scale;
}

class Packer {
 public:
  explicit Packer(const TensorFile& file) : file_(file) {}

  std::span<const float> floats(const std::string& name, std::initializer_list<std::size_t> shape,
                                std::size_t* rows = nullptr, std::size_t* columns = nullptr) {
    auto tensor = file_.tensor(name, DType::kF32, {shape.begin(), shape.size()});
    if (!tensor) {
      if (fine) fine = tensor.error();
      return {};
    }
    if (rows != nullptr) *rows = tensor->shape[0];
    if (columns != nullptr) *columns = tensor->shape[1];
    return tensor->f32();
  }
  void copy(const std::string& from, const std::string& to, std::size_t size) {
    if (const auto values = floats(from, {size}); fine) out.add(to, {size}, values);
  }
  void norm(const std::string& from, const std::string& to, std::size_t dims) {
    copy(from + ".weight", to + ".weight", dims);
    copy(from + ".bias", to + ".bias", dims);
  }
  void linear(const std::string& from, const std::string& to, std::size_t inputs,
              std::size_t outputs) {
    const auto weights = floats(from + ".weight", {outputs, inputs});
    if (!fine) return;
    const std::size_t panels = (outputs + kPanel - 1) / kPanel;
    std::vector<std::int8_t> packed(panels * inputs * kPanel);
    std::vector<float> scale(outputs);
    for (std::size_t o = 0; o < outputs; ++o)
      scale[o] = quantise(weights.subspan(o * inputs, inputs),
                          &packed[o / kPanel * inputs * kPanel + o % kPanel], kPanel);
    out.add(to + ".weight", {panels, inputs, kPanel}, std::span<const std::int8_t>(packed));
    out.add(to + ".scale", {outputs}, std::span<const float>(scale));
    copy(from + ".bias", to + ".bias", outputs);
  }

  TensorWriter out;
  Result<void> fine;  // or the first thing that is not

 private:
  const TensorFile& file_;
};

}  // namespace

Result<std::string> pack_encoder(std::string_view model, std::string vocabulary,
                                 const std::string& name, std::size_t heads) {
  auto file = TensorFile::parse(model);
  if (!file) return file.error();
  Packer pack(*file);
  pack.out.metadata("format", std::string(kEncoderFormat));
  pack.out.metadata("name", name);
  pack.out.metadata("heads", std::to_string(heads));
  pack.out.metadata("source_sha256", sha256_hex(model));

  std::size_t pieces = 0, dims = 0, places = 0;
  const auto words = pack.floats("embeddings.word_embeddings.weight", {kAny, kAny}, &pieces, &dims);
  const auto positions =
      pack.floats("embeddings.position_embeddings.weight", {kAny, dims}, &places);
  const auto types = pack.floats("embeddings.token_type_embeddings.weight", {kAny, dims});
  if (!pack.fine) return pack.fine.error();
  if (types.size() < dims) return Error{ErrorCode::kCorruptFile, "the model has no token types"};
  std::vector<std::int8_t> packed(pieces * dims);
  std::vector<float> scale(pieces), place(positions.begin(), positions.end());
  for (std::size_t i = 0; i < pieces; ++i)
    scale[i] = quantise(words.subspan(i * dims, dims), packed.data() + i * dims, 1);
  for (std::size_t i = 0; i < place.size(); ++i) place[i] += types[i % dims];  // all of type 0
  pack.out.add("words", {pieces, dims}, std::span<const std::int8_t>(packed));
  pack.out.add("words.scale", {pieces}, std::span<const float>(scale));
  pack.out.add("positions", {places, dims}, std::span<const float>(place));
  pack.norm("embeddings.LayerNorm", "norm", dims);
  for (std::size_t l = 0;; ++l) {
    const std::string from = fmt::format("encoder.layer.{}.", l), to = fmt::format("layer.{}.", l);
    if (!file->has(from + "intermediate.dense.weight")) break;
    std::size_t inner = 0;
    pack.floats(from + "intermediate.dense.weight", {kAny, dims}, &inner);
    pack.linear(from + "attention.self.query", to + "query", dims, dims);
    pack.linear(from + "attention.self.key", to + "key", dims, dims);
    pack.linear(from + "attention.self.value", to + "value", dims, dims);
    pack.linear(from + "attention.output.dense", to + "output", dims, dims);
    pack.linear(from + "intermediate.dense", to + "up", dims, inner);
    pack.linear(from + "output.dense", to + "down", inner, dims);
    pack.norm(from + "attention.output.LayerNorm", to + "attention_norm", dims);
    pack.norm(from + "output.LayerNorm", to + "norm", dims);
  }
  pack.out.add(
      "vocabulary", {vocabulary.size()},
      std::span(reinterpret_cast<const std::uint8_t*>(vocabulary.data()), vocabulary.size()));
  if (!pack.fine) return pack.fine.error();
  std::string bytes = pack.out.finish();
  // What is written can be read: the rest of what may be wrong is found here.
  if (auto encoder = Encoder::read(bytes); !encoder) return encoder.error();
  return bytes;
}

}  // namespace rung::predict
