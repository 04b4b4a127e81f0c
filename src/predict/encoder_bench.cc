// Milliseconds to encode a text of so many tokens on one thread. With the weights of `rung encoder
// fetch` if they are there; without them it says so and measures nothing.

#include <benchmark/benchmark.h>

#include "predict/encoder.h"

namespace rung::predict {
namespace {

void encode(benchmark::State& state) {
  static const auto encoder = Encoder::load(encoder_file());
  if (!encoder) return state.SkipWithError(encoder.error().message.c_str());
  const auto tokens = static_cast<std::size_t>(state.range(0));
  std::string text;
  for (std::size_t i = 0; i < tokens; ++i) text += "word ";
  EncoderScratch scratch;
  std::vector<float> out((*encoder)->dims());
  for (auto _ : state) {
    (*encoder)->encode(text, tokens, scratch, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode)
    ->Arg(16)
    ->Arg(64)
    ->Arg(128)
    ->Arg(256)
    ->Unit(benchmark::kMillisecond)
    ->ComputeStatistics("min", [](const std::vector<double>& v) {
      return *std::min_element(v.begin(), v.end());
    });

}  // namespace
}  // namespace rung::predict
