#pragma once
// Claims of the literature on routing, each with what can be measured of it on a folder of
// outcomes. A claim is one entry of a table and one small function; to add one, write both in the
// claims_*.cc of its kind and a test where its arithmetic is new.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "reproduce/bench.h"

namespace rung::reproduce {

enum class Verdict { kHolds, kInPart, kNot, kUntestable };
/// "holds", "holds in part", "does not hold", "not testable here".
std::string_view text(Verdict verdict);

struct Measured {
  Verdict verdict = Verdict::kUntestable;
  std::string number;  // with intervals; empty if nothing was measured
  std::string reason;  // one sentence
};

struct Claim {
  std::string_view id;         // stable: the anchor of its row
  std::string_view claim;      // what is said
  std::string_view published;  // the number
  std::string_view source;     // paper with arXiv identifier, or repository
  std::string_view checked;    // how the published number was checked: a key of checked_words()
  std::string_view test;       // what is measured here in its place
  std::function<Measured(const Bench&)> measure;
};

struct Row {
  const Claim* claim = nullptr;
  Measured measured;
};

/// All claims, by paper.
const std::vector<Claim>& claims();
/// One row for each claim, in that order; with progress. Error: kCancelled after an interrupt.
Result<std::vector<Row>> measure_all(const Bench& bench);

/// What the words of Claim::checked mean.
std::vector<std::pair<std::string_view, std::string_view>> checked_words();

/// The parts of claims(), one file each.
void add_pair_claims(std::vector<Claim>& out);     // RouteLLM, Hybrid-LLM, BEST-Route
void add_pool_claims(std::vector<Claim>& out);     // Avengers, LLMRouterBench, RouterArena
void add_cascade_claims(std::vector<Claim>& out);  // FrugalGPT, AutoMix, router or cascade
void add_compute_claims(std::vector<Claim>& out);  // test-time compute, sampling
void add_other_claims(std::vector<Claim>& out);    // function calling, retrieval, teams, sessions

/// For a claim that no outcomes of single answers can decide: "not testable here: needs ...".
std::function<Measured(const Bench&)> needs(std::string what);

}  // namespace rung::reproduce
