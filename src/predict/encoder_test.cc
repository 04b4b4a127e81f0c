#include "predict/encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "predict/encoder_kernels.h"
#include "predict/encoder_testing.h"

namespace rung::predict {
namespace {

using namespace tiny;  // NOLINT(google-build-using-namespace): a model for tests
/// BERT as the paper has it, in double, one number after the other.
class Slow {
 public:
  explicit Slow(const Weights& weights) : w_(weights) {}
  std::vector<double> encode(const std::vector<std::int32_t>& ids) const {
    const std::size_t n = ids.size();
    Rows x(n, std::vector<double>(kDims));
    for (std::size_t t = 0; t < n; ++t)
      for (std::size_t j = 0; j < kDims; ++j)
        x[t][j] = at("embeddings.word_embeddings.weight", static_cast<std::size_t>(ids[t]), j) +
                  at("embeddings.position_embeddings.weight", t, j) +
                  at("embeddings.token_type_embeddings.weight", 0, j);
    norm(x, "embeddings.LayerNorm");
    for (std::size_t l = 0; l < kLayers; ++l) {
      const std::string p = "encoder.layer." + std::to_string(l) + ".";
      const Rows q = linear(x, p + "attention.self.query"), k = linear(x, p + "attention.self.key"),
                 v = linear(x, p + "attention.self.value");
      Rows context(n, std::vector<double>(kDims));
      constexpr std::size_t kWidth = kDims / kHeads;
      for (std::size_t h = 0; h < kHeads; ++h)
        for (std::size_t t = 0; t < n; ++t) {
          std::vector<double> share(n);
          double sum = 0;
          for (std::size_t s = 0; s < n; ++s) {
            double dot = 0;
            for (std::size_t j = h * kWidth; j < (h + 1) * kWidth; ++j) dot += q[t][j] * k[s][j];
            sum += share[s] = std::exp(dot / std::sqrt(double{kWidth}));
          }
          for (std::size_t s = 0; s < n; ++s)
            for (std::size_t j = h * kWidth; j < (h + 1) * kWidth; ++j)
              context[t][j] += share[s] / sum * v[s][j];
        }
      add(x, linear(context, p + "attention.output.dense"));
      norm(x, p + "attention.output.LayerNorm");
      Rows inner = linear(x, p + "intermediate.dense");
      for (auto& row : inner)
        for (double& value : row) value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
      add(x, linear(inner, p + "output.dense"));
      norm(x, p + "output.LayerNorm");
    }
    std::vector<double> mean(kDims);
    for (const auto& row : x)
      for (std::size_t j = 0; j < kDims; ++j) mean[j] += row[j];
    double square = 0;
    for (const double value : mean) square += value * value;
    for (double& value : mean) value /= std::sqrt(square);
    return mean;
  }

 private:
  using Rows = std::vector<std::vector<double>>;
  double at(const std::string& name, std::size_t row, std::size_t column) const {
    return w_.at(name)[row * kDims + column];
  }
  Rows linear(const Rows& x, const std::string& name) const {
    const auto &weight = w_.at(name + ".weight"), &bias = w_.at(name + ".bias");
    Rows out(x.size(), std::vector<double>(bias.begin(), bias.end()));
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t o = 0; o < bias.size(); ++o)
        for (std::size_t i = 0; i < x[t].size(); ++i)
          out[t][o] += x[t][i] * double{weight[o * x[t].size() + i]};
    return out;
  }
  static void add(Rows& x, const Rows& y) {
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t j = 0; j < kDims; ++j) x[t][j] += y[t][j];
  }
  void norm(Rows& x, const std::string& name) const {
    for (auto& row : x) {
      double mean = 0, variance = 0;
      for (const double value : row) mean += value / kDims;
      for (const double value : row) variance += (value - mean) * (value - mean) / kDims;
      for (std::size_t j = 0; j < kDims; ++j)
        row[j] = (row[j] - mean) / std::sqrt(variance + 1e-12) * w_.at(name + ".weight")[j] +
                 w_.at(name + ".bias")[j];
    }
  }
  const Weights& w_;
};

std::vector<float> vector_of(const Encoder& encoder, std::string_view text,
                             std::size_t most = kEncoderTokens) {
  EncoderScratch scratch;
  std::vector<float> out(encoder.dims());
  encoder.encode(text, most, scratch, out);
  return out;
}

TEST(Encoder, SaysWithInt8WeightsWhatASlowFloatImplementationSays) {
  const Tiny tiny;
  const auto encoder = tiny.encoder();
  ASSERT_EQ(encoder->dims(), kDims);
  for (std::size_t words = 0; words < kPlaces; ++words) {
    const std::string text = text_of(words, words);
    std::vector<std::int32_t> ids;
    encoder->tokens().encode(text, kPlaces, ids);
    const auto expected = Slow(tiny.weights).encode(ids);
    const auto got = vector_of(*encoder, text);
    double cosine = 0;
    for (std::size_t j = 0; j < kDims; ++j) cosine += expected[j] * double{got[j]};
    EXPECT_GT(cosine, 0.99) << words << " words";
  }
}

TEST(Encoder, IsExactWhereTheWeightsAre) {
  // Weights that int8 holds: what is left is the rounding of float32.
  Tiny tiny;
  Rng rng(8);
  for (auto& [name, values] : tiny.weights) {
    const auto& shape = tiny.shape.at(name);
    if (shape.size() != 2 || name.starts_with("embeddings.position") ||
        name.starts_with("embeddings.token"))
      continue;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double whole = static_cast<double>(rng.below(255)) - 127;
      values[i] = static_cast<float>((i % shape[1] == 0 ? 127 : whole) / 256);
    }
  }
  const auto encoder = tiny.encoder();
  const std::string text = text_of(20, 5);
  std::vector<std::int32_t> ids;
  encoder->tokens().encode(text, kPlaces, ids);
  const auto expected = Slow(tiny.weights).encode(ids);
  const auto got = vector_of(*encoder, text);
  for (std::size_t j = 0; j < kDims; ++j) EXPECT_NEAR(got[j], expected[j], 2e-5) << j;
}

TEST(Encoder, DependsOnTheTextAloneNotOnWhatTheScratchSaw) {
  const auto encoder = Tiny().encoder();
  EncoderScratch scratch;
  std::vector<float> first(kDims), second(kDims);
  encoder->encode(text_of(3, 1), 16, scratch, first);
  encoder->encode(text_of(22, 2), kPlaces, scratch, second);
  encoder->encode(text_of(3, 1), 16, scratch, second);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, vector_of(*encoder, text_of(3, 4)));
}

TEST(Encoder, ReadsNoMoreThanItsLimitOfTokens) {
  const auto encoder = Tiny().encoder();
  const std::string text = text_of(200, 1);
  std::size_t at = 0;
  for (int i = 0; i < 6; ++i) at = text.find(' ', at) + 1;
  const std::string head = text.substr(0, at);  // six words
  EXPECT_EQ(vector_of(*encoder, text, 8), vector_of(*encoder, head, 8));
  EXPECT_NE(vector_of(*encoder, text, 8), vector_of(*encoder, text, 9));
  EXPECT_EQ(vector_of(*encoder, text, 5000), vector_of(*encoder, text, kPlaces));
}

TEST(Encoder, GivesAUnitVectorForAnyBytes) {
  const auto encoder = Tiny().encoder();
  Rng rng(2);
  for (int round = 0; round < 200; ++round) {
    std::string text(rng.below(80), '\0');
    for (char& c : text) c = static_cast<char>(rng.below(256));
    double square = 0;
    for (const float value : vector_of(*encoder, text)) square += double{value} * double{value};
    ASSERT_NEAR(square, 1, 1e-5);
  }
}

TEST(Encoder, EncodesManyTextsAsItDoesOne) {
  const auto encoder = Tiny().encoder();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 20; ++i) texts.push_back(text_of(i, i));
  const auto all = encode_all(*encoder, 16, texts.size(),
                              [&](std::size_t i) -> std::string_view { return texts[i]; });
  ASSERT_TRUE(all);
  ASSERT_EQ(all->cols(), static_cast<Index>(kDims + 1));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto one = vector_of(*encoder, texts[i], 16);
    const auto row = all->row(static_cast<Index>(i));
    EXPECT_EQ(std::vector<float>(row.data(), row.data() + kDims), one);
    EXPECT_EQ(row(static_cast<Index>(kDims)), 1);
  }
}

TEST(Encoder, RefusesFilesThatDoNotHoldTogether) {
  const Tiny tiny;
  const std::string good = tiny.packed();
  const auto says = [](const auto& result, std::string_view words) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kCorruptFile);
    EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
  };
  says(Encoder::read(good.substr(0, good.size() - 9)), "cut");
  says(Encoder::read(tiny.file()), "no encoder");
  says(pack_encoder(tiny.file(), vocabulary() + "more\n", "tiny", kHeads), "61 pieces");
  says(pack_encoder(tiny.file(), "a\nb\n", "tiny", kHeads), "[UNK]");
  says(pack_encoder(tiny.file(), vocabulary(), "tiny", 3), "heads");
  Tiny lacks;
  lacks.weights.erase("encoder.layer.1.output.dense.bias");
  says(pack_encoder(lacks.file(), vocabulary(), "tiny", kHeads), "layer.1.output.dense.bias");
}

TEST(EncoderKernels, MultiplyTheSameBitsAsTheScalarOne) {
  Rng rng(1);
  for (const std::size_t depth : {1u, 7u, 64u})
    for (std::size_t rows = 1; rows <= 21; ++rows) {
      const std::size_t stride = depth + 3;
      std::vector<float> x(rows * stride), panel(depth * kPanel), fast(rows * kPanel),
          slow(rows * kPanel);
      for (float& value : x) value = static_cast<float>(rng.normal());
      for (float& value : panel) value = static_cast<float>(rng.normal());
      multiply_panel(x.data(), stride, rows, depth, panel.data(), fast.data());
      multiply_panel_scalar(x.data(), stride, rows, depth, panel.data(), slow.data());
      ASSERT_EQ(fast, slow) << rows << " rows, depth " << depth;
    }
}

TEST(EncoderKernels, AreCloseToTheFunctionsTheyStandFor) {
  std::vector<float> x;
  for (int i = -400; i <= 400; ++i) x.push_back(static_cast<float>(i) / 40);
  std::vector<float> g = x, s = x;
  gelu(g);
  softmax(s);
  double sum = 0;
  for (const float value : x) sum += std::exp(double{value});
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(g[i], x[i] * 0.5 * std::erfc(-double{x[i]} / std::sqrt(2.0)), 3e-6) << x[i];
    EXPECT_NEAR(s[i] / (std::exp(double{x[i]}) / sum), 1, 1e-5) << x[i];
  }
  std::vector<float> far = {0, -1000, 90};
  softmax(far);
  EXPECT_NEAR(far[2], 1, 1e-6);
  EXPECT_LT(far[1], 1e-30f);
}

TEST(Encoder, OfTheRealWeightsTellsMeaningsApart) {
  const auto file = encoder_file();
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "no encoder at " << file << "; `rung encoder fetch` brings it";
  const auto encoder = Encoder::load(file);
  ASSERT_TRUE(encoder) << encoder.error().message;
  const auto cosine = [&](std::string_view a, std::string_view b) {
    const auto x = vector_of(**encoder, a), y = vector_of(**encoder, b);
    double sum = 0;
    for (std::size_t j = 0; j < x.size(); ++j) sum += double{x[j]} * double{y[j]};
    return sum;
  };
  EXPECT_GT(cosine("A man is eating food.", "Someone has a meal."),
            cosine("A man is eating food.", "The stock market fell.") + 0.3);
}

}  // namespace
}  // namespace rung::predict
