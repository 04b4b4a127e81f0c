#include "predict/encoder.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "predict/encoder_kernels.h"

namespace rung::predict {
namespace {

Error corrupt(std::string sentence) { return {ErrorCode::kCorruptFile, std::move(sentence)}; }

std::size_t panels_of(std::size_t columns) { return (columns + kPanel - 1) / kPanel; }

void widen(std::span<const std::int8_t> from, float* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]);
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  RUNG_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) == 1,
             "SHA-256 is part of every OpenSSL");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::filesystem::path encoder_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (auto file = variable("RUNG_ENCODER"); !file.empty()) return file;
  constexpr const char* kName = "minilm-l6-v2.safetensors";
  if (auto folder = variable("RUNG_DATA_DIR"); !folder.empty()) return folder / kName;
  if (auto folder = variable("XDG_DATA_HOME"); !folder.empty()) return folder / "rung" / kName;
  return variable("HOME") / ".local/share/rung" / kName;
}

Result<std::shared_ptr<const Encoder>> Encoder::load(const std::filesystem::path& path) {
  // Read, not mapped: somebody may cut or overwrite the file while it is in use.
  auto bytes = read_file(path);
  if (!bytes) return bytes.error();
  auto encoder = read(std::move(*bytes));
  if (!encoder) return encoder.error().with(path.string());
  return encoder;
}

Result<std::shared_ptr<const Encoder>> Encoder::read(std::string bytes) {
  std::shared_ptr<Encoder> out(new Encoder());
  out->bytes_ = std::move(bytes);
  auto file = TensorFile::parse(out->bytes_);
  if (!file) return file.error();
  out->file_ = std::move(*file);
  if (auto bound = out->bind(); !bound) return bound.error();
  out->sha256_ = sha256_hex(out->bytes_);
  return std::shared_ptr<const Encoder>(std::move(out));
}

Result<void> Encoder::bind() {
  constexpr std::size_t any = TensorFile::kAny;
  Result<void> fine;
  const auto get = [&](const std::string& name, DType type,
                       std::initializer_list<std::size_t> shape) {
    auto tensor = file_.tensor(name, type, {shape.begin(), shape.size()});
    if (tensor) return *tensor;
    if (fine) fine = tensor.error();
    return Tensor{type, std::vector<std::size_t>(shape.size()), {}};
  };
  if (const auto format = file_.metadata("format"); format != kEncoderFormat)
    return corrupt(fmt::format(
        "this safetensors file is no encoder: its format is '{}'; expected '{}', as `rung encoder "
        "fetch` writes it",
        format, kEncoderFormat));
  name_ = file_.metadata("name");
  const auto heads = file_.metadata("heads");
  std::from_chars(heads.data(), heads.data() + heads.size(), heads_);

  const Tensor words = get("words", DType::kI8, {any, any});
  const std::size_t pieces = words.shape[0];
  dims_ = words.shape[1];
  words_ = words.i8();
  word_scale_ = get("words.scale", DType::kF32, {pieces}).f32();
  positions_ = get("positions", DType::kF32, {any, dims_}).f32();
  const auto norm = [&](const std::string& name) {
    return Norm{get(name + ".weight", DType::kF32, {dims_}).f32(),
                get(name + ".bias", DType::kF32, {dims_}).f32()};
  };
  const auto linear = [&](const std::string& name, std::size_t inputs, std::size_t outputs) {
    return Linear{get(name + ".weight", DType::kI8, {panels_of(outputs), inputs, kPanel}).i8(),
                  get(name + ".scale", DType::kF32, {outputs}).f32(),
                  get(name + ".bias", DType::kF32, {outputs}).f32(), inputs};
  };
  input_norm_ = norm("norm");
  for (std::size_t l = 0; file_.has(fmt::format("layer.{}.up.bias", l)); ++l) {
    const std::string at = fmt::format("layer.{}.", l);
    const std::size_t inner = get(at + "up.bias", DType::kF32, {any}).shape[0];
    layers_.push_back({linear(at + "query", dims_, dims_), linear(at + "key", dims_, dims_),
                       linear(at + "value", dims_, dims_), linear(at + "output", dims_, dims_),
                       linear(at + "up", dims_, inner), linear(at + "down", inner, dims_),
                       norm(at + "attention_norm"), norm(at + "norm")});
  }
  const auto vocabulary = get("vocabulary", DType::kU8, {any});
  if (!fine) return fine;
  if (dims_ == 0 || heads_ == 0 || dims_ % heads_ != 0)
    return corrupt(fmt::format("metadata 'heads' is '{}'; expected a divisor of the {} dimensions",
                               heads, dims_));
  if (most_tokens() < 2) return corrupt("tensor 'positions' has fewer than 2 rows");
  if (layers_.empty()) return corrupt("tensor 'layer.0.up.bias' is missing; expected a layer");
  auto tokens = text::WordPiece::read(std::string(vocabulary.bytes));
  if (!tokens) return corrupt("tensor 'vocabulary': " + tokens.error().message);
  if (tokens->size() != pieces)
    return corrupt(
        fmt::format("the vocabulary has {} pieces, tensor 'words' {} rows; expected "
                    "one for each",
                    tokens->size(), pieces));
  tokens_ = std::make_unique<const text::WordPiece>(std::move(*tokens));
  return {};
}

/// out [rows, outputs] = x [rows, inputs] * weights + bias.
void Encoder::apply(const Linear& linear, std::size_t rows, std::span<const float> x,
                    std::span<float> out, EncoderScratch& s) {
  const std::size_t outputs = linear.bias.size(), size = linear.inputs * kPanel;
  s.panel.resize(std::max(s.panel.size(), size));
  s.tile.resize(std::max(s.tile.size(), rows * kPanel));
  for (std::size_t p = 0; p < panels_of(outputs); ++p) {
    widen(linear.panels.subspan(p * size, size), s.panel.data());
    multiply_panel(x.data(), linear.inputs, rows, linear.inputs, s.panel.data(), s.tile.data());
    const std::size_t first = p * kPanel, n = std::min(kPanel, outputs - first);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < n; ++c)
        out[r * outputs + first + c] =
            std::fma(s.tile[r * kPanel + c], linear.scale[first + c], linear.bias[first + c]);
  }
}

/// context = softmax(query * transpose(key) / sqrt(width of a head)) * value, head by head.
void Encoder::attend(std::size_t rows, EncoderScratch& s) const {
  const std::size_t width = dims_ / heads_, stride = panels_of(rows) * kPanel;
  const float scale = 1 / std::sqrt(static_cast<float>(width));
  s.scores.resize(std::max(s.scores.size(), rows * stride));
  s.panel.resize(std::max(s.panel.size(), std::max(width, rows) * kPanel));
  s.tile.resize(std::max(s.tile.size(), rows * kPanel));
  for (std::size_t h = 0; h < heads_; ++h) {
    const std::size_t begin = h * width;
    for (std::size_t first = 0; first < rows; first += kPanel) {
      const std::size_t n = std::min(kPanel, rows - first);
      std::fill_n(s.panel.begin(), width * kPanel, 0.0f);
      for (std::size_t c = 0; c < n; ++c)
        for (std::size_t k = 0; k < width; ++k)
          s.panel[k * kPanel + c] = s.key[(first + c) * dims_ + begin + k];
      multiply_panel(s.query.data() + begin, dims_, rows, width, s.panel.data(), s.tile.data());
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < kPanel; ++c)
          s.scores[r * stride + first + c] = s.tile[r * kPanel + c] * scale;
    }
    for (std::size_t r = 0; r < rows; ++r) softmax({&s.scores[r * stride], rows});
    for (std::size_t first = 0; first < width; first += kPanel) {
      const std::size_t n = std::min(kPanel, width - first);
      std::fill_n(s.panel.begin(), rows * kPanel, 0.0f);
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(&s.value[r * dims_ + begin + first], n, &s.panel[r * kPanel]);
      multiply_panel(s.scores.data(), stride, rows, rows, s.panel.data(), s.tile.data());
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(&s.tile[r * kPanel], n, &s.context[r * dims_ + begin + first]);
    }
  }
}

void Encoder::encode(std::string_view text, std::size_t max_tokens, EncoderScratch& s,
                     std::span<float> out) const {
  RUNG_CHECK(out.size() == dims_, "the vector of a text has as many numbers as the encoder");
  tokens_->encode(text, std::clamp<std::size_t>(max_tokens, 2, most_tokens()), s.ids);
  const std::size_t rows = s.ids.size(), all = rows * dims_;
  for (auto* part : {&s.x, &s.query, &s.key, &s.value, &s.context})
    part->resize(std::max(part->size(), all));
  const auto row = [&](std::vector<float>& m, std::size_t r) {
    return std::span<float>(&m[r * dims_], dims_);
  };
  // 1. What each token is and where it stands.
  for (std::size_t r = 0; r < rows; ++r) {
    const auto id = static_cast<std::size_t>(s.ids[r]);
    for (std::size_t j = 0; j < dims_; ++j)
      s.x[r * dims_ + j] = std::fma(static_cast<float>(words_[id * dims_ + j]), word_scale_[id],
                                    positions_[r * dims_ + j]);
    layer_norm(row(s.x, r), input_norm_.weight, input_norm_.bias);
  }
  // 2. Layers; `from` is what a step makes, which is added to what was there.
  const auto add = [&](std::vector<float>& from, const Norm& norm) {
    for (std::size_t i = 0; i < all; ++i) s.x[i] += from[i];
    for (std::size_t r = 0; r < rows; ++r) layer_norm(row(s.x, r), norm.weight, norm.bias);
  };
  for (const Layer& layer : layers_) {
    apply(layer.query, rows, s.x, s.query, s);
    apply(layer.key, rows, s.x, s.key, s);
    apply(layer.value, rows, s.x, s.value, s);
    attend(rows, s);
    apply(layer.output, rows, s.context, s.query, s);
    add(s.query, layer.attention_norm);
    const std::size_t inner = rows * layer.up.bias.size();
    s.hidden.resize(std::max(s.hidden.size(), inner));
    apply(layer.up, rows, s.x, s.hidden, s);
    gelu({s.hidden.data(), inner});
    apply(layer.down, rows, s.hidden, s.context, s);
    add(s.context, layer.norm);
  }
  // 3. Their mean, at unit length.
  std::fill(out.begin(), out.end(), 0.0f);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < dims_; ++j) out[j] += s.x[r * dims_ + j];
  double square = 0;
  for (const float value : out) square += double{value} * double{value};
  const float scale = static_cast<float>(1 / std::sqrt(square));
  if (!std::isfinite(scale) || !std::isfinite(square)) {
    std::fill(out.begin(), out.end(), 0.0f);
    return;
  }
  for (float& value : out) value *= scale;
}

Result<Matrix> encode_all(const Encoder& encoder, std::size_t max_tokens, std::size_t count,
                          const std::function<std::string_view(std::size_t)>& text_of) {
  const std::size_t dims = encoder.dims();
  Matrix out(static_cast<Index>(count), static_cast<Index>(dims + 1));
  Progress progress("encoding", count);
  parallel_for(count, [&](std::size_t i) {
    if (interrupted()) return;
    thread_local EncoderScratch scratch;
    float* row = out.row(static_cast<Index>(i)).data();
    encoder.encode(text_of(i), max_tokens, scratch, {row, dims});
    row[dims] = 1;
    progress.advance();
  });
  if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted while encoding the prompts"};
  return out;
}

}  // namespace rung::predict
