#pragma once
// What a folder of outcomes and samples lets one measure: each outcome file is split (near-
// duplicates together), a router is trained on one part, and the other part is what the claims are
// held against.
//
//   outcomes-NAME.jsonl[.gz|.zst] ──► split ──► train ──► estimates on the rest ──► Set
//   samples-NAME.jsonl[.gz|.zst]  ────────────────────────────────────────────────► SampleSet
//
// The same folder, options and kind of machine give the same numbers.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "outcomes/metrics.h"
#include "outcomes/samples.h"
#include "outcomes/table.h"

namespace rung::reproduce {

struct Options {
  double fraction = 0.3;        // of the rows of a set that are measured on; the rest trains
  std::uint64_t seed = 1;       // of split, training and resamples
  std::size_t bootstrap = 200;  // resamples behind each interval
};

/// The strong and the weak arm of a set, on the rows where both are known. [n] each, ordered by
/// `score`, highest first.
struct Pair {
  std::size_t weak = 0, strong = 0;  // arms: the cheapest, the best single
  std::vector<double> score;         // of going strong: expected strong minus expected weak
  std::vector<double> weak_score, strong_score, weak_cost, strong_cost;
  std::vector<std::size_t> row;  // of the table
  std::size_t rows() const { return score.size(); }
};

/// What the router picks at each setting, on each row. [settings][rows of the table]; NaN where no
/// arm is usable.
struct Settings {
  std::vector<std::vector<float>> cost, score;
};

struct Set {
  std::string name;       // of the file, without "outcomes-" and its endings
  outcomes::Table table;  // the rows that are measured on
  std::size_t train_rows = 0;
  bool is_static = false;            // training found nothing better than the static mixture
  std::vector<float> quality, cost;  // estimates [rows * arms]
  outcomes::Comparison comparison;
  Settings settings;
  std::optional<Pair> pair;  // empty where the cheapest arm is the best

  outcomes::Estimated data() const;
  std::string arm(std::size_t i) const { return table.arms[i]; }
};

struct SampleSet {
  std::string name;
  outcomes::Samples samples;
};

struct Bench {
  Options options;
  std::vector<Set> sets;  // by name
  std::vector<SampleSet> samples;
  std::vector<std::string> notes;  // sentences: files left out, and why
};

/// Files of the folder by name; others are ignored. A file that cannot be used is left out with a
/// note. Errors: kNotFound (no such folder), kCancelled (interrupted).
Result<Bench> make_bench(const std::filesystem::path& folder, const Options& options);

/// One set from a table; the same as for a file. Errors: those of training; kInvalidData for too
/// few rows to split or nothing with both a score and a cost.
Result<Set> make_set(std::string name, const outcomes::Table& table, const Options& options);

}  // namespace rung::reproduce
