#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "predict/router.h"

namespace rung::predict {
namespace {

/// One prompt of so many tokens (four bytes each) through features, embedding, every member and the
/// cost model of the shipped router.
void Estimate_(benchmark::State& state) {
  auto router = Router::load(RUNG_SOURCE_DIR "/data/default.safetensors");
  if (!router) return state.SkipWithError(router.error().message.c_str());
  const std::string sentence =
      "A train leaves Geneva at 9:40 and covers 276 km in 2 hours; how fast does it go on "
      "average? ";
  std::string prompt;
  while (prompt.size() < static_cast<std::size_t>(state.range(0)) * 4) prompt += sentence;
  std::vector<Estimate> out((*router)->arms().size());
  Scratch scratch;
  for (auto _ : state) {
    (*router)->estimate(prompt, out, scratch);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(Estimate_)
    ->Name("Router::estimate/tokens")
    ->Arg(25)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(100'000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace rung::predict
