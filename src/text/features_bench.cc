#include <benchmark/benchmark.h>

#include <string>

#include "text/features.h"

namespace {

/// Words of varied length from a fixed linear generator: `bytes` bytes, about bytes / 4 tokens.
std::string prose(std::size_t bytes) {
  std::string text;
  std::uint32_t state = 12345;
  while (text.size() < bytes) {
    state = state * 1664525u + 1013904223u;
    for (std::uint32_t i = 0; i < 2 + (state >> 28) / 2; ++i) {
      state = state * 1664525u + 1013904223u;
      text.push_back(static_cast<char>('a' + (state >> 24) % 26));
    }
    text.push_back(' ');
  }
  text.resize(bytes);
  return text;
}

void BM_Features(benchmark::State& state) {
  const std::string text = prose(static_cast<std::size_t>(state.range(0)));
  rung::text::FeatureReader reader;
  rung::text::Features features;
  for (auto _ : state) {
    reader.read(text, features);
    benchmark::DoNotOptimize(features.buckets.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(BM_Features)->Arg(40)->Arg(400)->Arg(4000)->Arg(400'000);

}  // namespace
