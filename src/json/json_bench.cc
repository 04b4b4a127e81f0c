#include <benchmark/benchmark.h>

#include "json/splice.h"
#include "json/value.h"

namespace rung::json {
namespace {

std::string chat_body(std::size_t text_bytes) {
  std::string text;
  while (text.size() < text_bytes) text += "The quick brown fox jumps over the lazy dog.\\n";
  return R"({"model":"auto","temperature":0.2,"messages":[{"role":"user","content":")" + text +
         R"("}],"seed":9007199254740993})";
}

/// Checking a chat body of so many bytes of text.
void Parse(benchmark::State& state) {
  const std::string body = chat_body(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(parse(body));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(Parse)->Arg(200)->Arg(4'000)->Arg(400'000)->Arg(20'000'000);

/// Replacing the model's name in it.
void Edit(benchmark::State& state) {
  const std::string body = chat_body(static_cast<std::size_t>(state.range(0)));
  const Value root = *parse(body);
  for (auto _ : state) {
    Splice splice(body);
    splice.set(root, "model", "\"gpt-5.1\"");
    benchmark::DoNotOptimize(splice.apply());
  }
}
BENCHMARK(Edit)->Arg(200)->Arg(400'000);

}  // namespace
}  // namespace rung::json
