// One whole decision: from the bytes of a chat request to the arm and the sentence that says why.
// RUNG_BENCH_ROUTER names another router than the shipped one; arms are its first ones.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "base/random.h"
#include "gateway/decider.h"
#include "json/write.h"

namespace rung::gateway {
namespace {

constexpr std::array<std::string_view, 120> kWords = {
    "the",       "of",         "a",         "to",        "and",       "is",          "in",
    "for",       "that",       "which",     "with",      "what",      "how",         "why",
    "each",      "between",    "from",      "two",       "three",     "first",       "after",
    "train",     "river",      "engine",    "market",    "price",     "teacher",     "village",
    "function",  "integer",    "matrix",    "prove",     "derive",    "estimate",    "compare",
    "explain",   "summarise",  "translate", "write",     "return",    "energy",      "voltage",
    "molecule",  "electron",   "reaction",  "pressure",  "velocity",  "temperature", "contract",
    "liability", "defendant",  "court",     "precedent", "treaty",    "inflation",   "currency",
    "interest",  "demand",     "supply",    "equity",    "patient",   "diagnosis",   "symptom",
    "dose",      "enzyme",     "protein",   "receptor",  "membrane",  "neuron",      "memory",
    "attention", "perception", "behaviour", "culture",   "kingdom",   "revolution",  "empire",
    "harvest",   "philosophy", "argument",  "premise",   "virtue",    "knowledge",   "algorithm",
    "recursive", "pointer",    "server",    "request",   "database",  "latency",     "throughput",
    "Geneva",    "Lisbon",     "Kyoto",     "Nairobi",   "naïve",     "café",        "Zürich",
    "not",       "never",      "without",   "except",    "following", "correct",     "option",
    "answer",    "question",   "number",    "value",     "sum",       "product",     "average",
    "probably",  "exactly",    "roughly",   "several",   "quickly",   "carefully",   "therefore",
    "because"};

/// Words, numbers, punctuation, lines and a little code, so many bytes; common words are common.
std::string prose(std::size_t bytes) {
  std::string text;
  Rng rng(20'240'601);
  std::size_t in_sentence = 0;
  while (text.size() < bytes) {
    const double u = rng.uniform();
    const auto kind = rng.below(100);
    if (kind < 6) {
      text += fmt::format("{}", rng.below(10'000));
    } else if (kind < 7) {
      text += fmt::format("`{}[{}] += x * {}.5;`", kWords[rng.below(kWords.size())], rng.below(90),
                          rng.below(40));
    } else if (kind < 8) {
      text += fmt::format("\"{}\"", kWords[rng.below(kWords.size())]);
    } else {
      text += kWords[static_cast<std::size_t>(u * u * static_cast<double>(kWords.size()))];
      // Endings make more distinct words than the list has.
      if (kind < 30) text += std::array{"s", "ed", "ing", "ly", "er"}[rng.below(5)];
    }
    ++in_sentence;
    if (in_sentence > 5 && rng.below(9) == 0) {
      text += std::array{". ", "? ", ".\n", ":\n- ", ".\n\n"}[rng.below(5)];
      in_sentence = 0;
    } else {
      text += rng.below(12) == 0 ? ", " : " ";
    }
  }
  text.resize(bytes);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80u) != 0) text.pop_back();
  return text;
}

std::string chat_body(std::size_t tokens) {
  std::string body =
      R"({"model":"auto","temperature":0.2,"messages":[{"role":"system","content":"Be brief."},)"
      R"({"role":"user","content":)";
  json::append_quoted(prose(tokens * 4), body);
  return body + "}]}";
}

std::filesystem::path router_file() {
  const char* const other = std::getenv("RUNG_BENCH_ROUTER");
  return other != nullptr ? other : RUNG_SOURCE_DIR "/data/default.safetensors";
}

/// A route over the first `arms` arms of the router, each at its own price.
Result<std::shared_ptr<const Snapshot>> snapshot_of(std::size_t arms) {
  const auto file = std::filesystem::absolute(router_file());
  auto router = predict::Router::load(file);
  if (!router) return router.error();
  std::string models, names;
  for (std::size_t i = 0; i < std::min(arms, (*router)->arms().size()); ++i) {
    models +=
        fmt::format("  m{}: {{upstream: u, like: \"{}\", price: {{input: {}, output: {}}}}}\n", i,
                    (*router)->arms()[i].name, 0.1 * double(i + 1), 0.4 * double(i + 1));
    names += fmt::format("{}m{}", i == 0 ? "" : ", ", i);
  }
  auto config = parse_config(
      fmt::format("upstreams: {{u: {{base_url: http://127.0.0.1:1/v1}}}}\nmodels:\n{}routes:\n"
                  "  auto: {{arms: [{}], predictor: {}, policy: {{kind: tradeoff, "
                  "usd_per_point: 0.00002}}}}\n",
                  models, names, file.string()),
      file.parent_path(), process_environment());
  if (!config) return config.error();
  return make_snapshot(*std::move(config));
}

void decide(benchmark::State& state) {
  const auto snapshot = snapshot_of(static_cast<std::size_t>(state.range(0)));
  if (!snapshot) return state.SkipWithError(snapshot.error().message.c_str());
  const std::string body = chat_body(static_cast<std::size_t>(state.range(1)));
  DeciderScratch scratch;
  for (auto _ : state) {
    const auto request = wire::parse_chat_request(body);
    if (!request) return state.SkipWithError(request.error().message.c_str());
    const auto choice = decide_chat(**snapshot, *request, {}, 1, scratch);
    if (!choice) return state.SkipWithError(choice.error().message.c_str());
    benchmark::DoNotOptimize(choice->reason.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
}
BENCHMARK(decide)
    ->Name("decision")
    ->ArgNames({"arms", "tokens"})
    ->ArgsProduct({{2, 12}, {100, 1'000, 10'000, 100'000}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace rung::gateway
