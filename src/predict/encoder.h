#pragma once
// A sentence encoder of the MiniLM class, in process on the CPU, optional:
//
//   text ──► WordPiece ids ──► BERT layers ──► mean over the tokens ──► unit vector
//
// BERT: Devlin et al. 2019; MiniLM: Wang et al. 2020; pooling and length as in
// sentence-transformers. Weights are int8 with one scale for each output, maths is float32. Sizes
// come from the file.
//
// The file is one safetensors file with the vocabulary inside; pack_encoder makes it. Weights lie
// in panels of kPanel outputs, [panels, inputs, kPanel], as they are read.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "predict/matrix.h"
#include "predict/safetensors.h"
#include "text/wordpiece.h"

namespace rung::predict {

inline constexpr std::string_view kEncoderFormat = "rung-encoder-1";
inline constexpr std::size_t kEncoderTokens = 256;  // read of a text, unless another limit is named

/// Working memory of one thread; about 7 MB at 256 tokens of MiniLM-L6, once it saw so long a text.
struct EncoderScratch {
  std::vector<std::int32_t> ids;
  std::vector<float> x, query, key, value, context, hidden, scores, panel, tile;
};

/// Immutable after load: all threads share one, each with its own scratch.
class Encoder {
 public:
  /// Reads the whole file. Errors: kNotFound, kIo; kCorruptFile with what was found and expected.
  static Result<std::shared_ptr<const Encoder>> load(const std::filesystem::path& file);
  static Result<std::shared_ptr<const Encoder>> read(std::string bytes);

  std::size_t dims() const { return dims_; }
  std::size_t most_tokens() const { return positions_.size() / dims_; }
  const std::string& name() const { return name_; }
  const std::string& sha256() const { return sha256_; }  // of the file's bytes, in hex
  const text::WordPiece& tokens() const { return *tokens_; }

  /// Writes the unit vector [dims] of any text; all 0 if the weights leave no finite one. Reads
  /// [CLS], at most `max_tokens` - 2 pieces and [SEP]; limits outside 2..most_tokens() are moved
  /// there. One build gives the same bits on every x86-64 machine.
  void encode(std::string_view text, std::size_t max_tokens, EncoderScratch& scratch,
              std::span<float> out) const;

 private:
  struct Linear {
    std::span<const std::int8_t> panels;  // [ceil(outputs / kPanel), inputs, kPanel]
    std::span<const float> scale, bias;   // [outputs]
    std::size_t inputs = 0;
  };
  struct Norm {
    std::span<const float> weight, bias;  // [dims]
  };
  struct Layer {
    Linear query, key, value, output, up, down;
    Norm attention_norm, norm;
  };
  Encoder() = default;
  Result<void> bind();
  static void apply(const Linear& linear, std::size_t rows, std::span<const float> x,
                    std::span<float> out, EncoderScratch& scratch);
  void attend(std::size_t rows, EncoderScratch& scratch) const;

  std::string bytes_;  // what everything below looks at
  TensorFile file_;
  std::string name_, sha256_;
  std::unique_ptr<const text::WordPiece> tokens_;
  std::size_t dims_ = 0, heads_ = 0;
  std::span<const std::int8_t> words_;             // [pieces, dims]
  std::span<const float> word_scale_, positions_;  // [pieces], [most tokens, dims]
  Norm input_norm_;
  std::vector<Layer> layers_;
};

/// Unit vectors of many texts and a last column of 1: [count, dims + 1]. Uses all cores; shows
/// progress. kCancelled if interrupted.
Result<Matrix> encode_all(const Encoder& encoder, std::size_t max_tokens, std::size_t count,
                          const std::function<std::string_view(std::size_t)>& text_of);

/// The encoder's file from the float32 model under its names at Hugging Face (`BertModel`) and its
/// vocab.txt. Deterministic. kCorruptFile or kInvalidData, as a sentence.
Result<std::string> pack_encoder(std::string_view model, std::string vocabulary,
                                 const std::string& name, std::size_t heads);

/// Where the encoder lies: the environment's RUNG_ENCODER; else minilm-l6-v2.safetensors in
/// RUNG_DATA_DIR (environment), else in rung/ of XDG_DATA_HOME or ~/.local/share.
std::filesystem::path encoder_file();

/// SHA-256 in lower-case hex.
std::string sha256_hex(std::string_view bytes);

}  // namespace rung::predict
