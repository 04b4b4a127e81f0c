#pragma once
// For tests alone: a model of the form of the published encoders, tiny and random.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "predict/encoder.h"

namespace rung::predict::tiny {

inline constexpr std::size_t kDims = 32, kHeads = 2, kInner = 80, kLayers = 2, kPlaces = 24,
                             kWords = 60;

inline std::string vocabulary() {
  std::string out = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
  for (std::size_t i = 4; i < kWords; ++i) out += "w" + std::to_string(i) + "\n";
  return out;
}

/// A model of the published form with random numbers.
using Weights = std::map<std::string, std::vector<float>>;
struct Tiny {
  Weights weights;
  std::map<std::string, std::vector<std::size_t>> shape;

  explicit Tiny(std::uint64_t seed = 3) {
    Rng rng(seed);
    const auto put = [&](const std::string& name, std::vector<std::size_t> sides, double mean,
                         double deviation) {
      std::size_t n = 1;
      for (const std::size_t side : sides) n *= side;
      for (std::size_t i = 0; i < n; ++i)
        weights[name].push_back(static_cast<float>(mean + deviation * rng.normal()));
      shape[name] = std::move(sides);
    };
    const auto linear = [&](const std::string& name, std::size_t in, std::size_t out) {
      put(name + ".weight", {out, in}, 0, 0.3);
      put(name + ".bias", {out}, 0, 0.1);
    };
    const auto norm = [&](const std::string& name) {
      put(name + ".weight", {kDims}, 1, 0.1);
      put(name + ".bias", {kDims}, 0, 0.1);
    };
    put("embeddings.word_embeddings.weight", {kWords, kDims}, 0, 1);
    put("embeddings.position_embeddings.weight", {kPlaces, kDims}, 0, 0.3);
    put("embeddings.token_type_embeddings.weight", {2, kDims}, 0, 0.3);
    norm("embeddings.LayerNorm");
    for (std::size_t l = 0; l < kLayers; ++l) {
      const std::string at = "encoder.layer." + std::to_string(l) + ".";
      for (const char* part : {"query", "key", "value"})
        linear(at + "attention.self." + part, kDims, kDims);
      linear(at + "attention.output.dense", kDims, kDims);
      linear(at + "intermediate.dense", kDims, kInner);
      linear(at + "output.dense", kInner, kDims);
      norm(at + "attention.output.LayerNorm");
      norm(at + "output.LayerNorm");
    }
  }
  std::string file() const {
    TensorWriter out;
    for (const auto& [name, values] : weights)
      out.add(name, shape.at(name), std::span<const float>(values));
    return out.finish();
  }
  std::string packed() const {
    auto bytes = pack_encoder(file(), vocabulary(), "tiny", kHeads);
    RUNG_CHECK(bytes, "the tiny model packs");
    return *bytes;
  }
  std::shared_ptr<const Encoder> encoder() const {
    auto out = Encoder::read(packed());
    RUNG_CHECK(out, "the tiny model is read");
    return *out;
  }
};

/// So many random words of the vocabulary.
inline std::string text_of(std::size_t words, std::uint64_t seed) {
  Rng rng(seed);
  std::string out;
  for (std::size_t i = 0; i < words; ++i) out += "w" + std::to_string(4 + rng.below(56)) + " ";
  return out;
}

}  // namespace rung::predict::tiny
