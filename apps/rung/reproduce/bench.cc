#include "reproduce/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/progress.h"
#include "outcomes/reader.h"
#include "outcomes/split.h"
#include "predict/model.h"
#include "predict/train.h"

namespace rung::reproduce {
namespace {

namespace fs = std::filesystem;

// "outcomes-x.jsonl.gz" with "outcomes-" is "x"; empty for other files.
std::string name_of(const std::string& file, std::string_view prefix) {
  if (!file.starts_with(prefix)) return {};
  for (const std::string_view end : {".jsonl", ".jsonl.gz", ".jsonl.zst"}) {
    if (file.ends_with(end) && file.size() > prefix.size() + end.size())
      return file.substr(prefix.size(), file.size() - prefix.size() - end.size());
  }
  return {};
}

void estimate(const predict::Model& model, Set& set) {
  const predict::ModelView view = model.view();
  const std::size_t n = set.table.rows(), m = set.table.arm_count();
  const predict::Matrix x = predict::embed_all(
      view.embedding, n, [&](std::size_t row) { return set.table.prompts[row]; });
  set.quality.resize(n * m);
  set.cost.resize(n * m);
  parallel_for(n, [&](std::size_t row) {
    std::vector<predict::Estimate> out(m);
    predict::EstimateScratch scratch;
    predict::estimate_arms(view, {x.data() + row * predict::kDesignDims, predict::kDesignDims}, {},
                           out, scratch);
    for (std::size_t arm = 0; arm < m; ++arm) {
      set.quality[row * m + arm] = out[arm].quality;
      set.cost[row * m + arm] = out[arm].cost_usd;
    }
  });
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t arm = 0; arm < m; ++arm) {
      if (!model.arms[arm].has_cost) set.table.score[row * m + arm] = outcomes::kMissing;
    }
  }
}

std::optional<Pair> pair_of(const Set& set) {
  Pair pair;
  pair.weak = set.comparison.cheapest;
  pair.strong = set.comparison.best;
  if (pair.weak == pair.strong) return std::nullopt;
  const outcomes::Estimated data = set.data();
  struct Row {
    double score;
    std::size_t row;
  };
  std::vector<Row> rows;
  for (std::size_t row = 0; row < data.rows; ++row) {
    if (!data.usable(row, pair.weak) || !data.usable(row, pair.strong)) continue;
    rows.push_back({static_cast<double>(data.est_quality[data.cell(row, pair.strong)]) -
                        static_cast<double>(data.est_quality[data.cell(row, pair.weak)]),
                    row});
  }
  if (rows.empty()) return std::nullopt;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.score > b.score; });
  for (const Row& r : rows) {
    const std::size_t w = data.cell(r.row, pair.weak), s = data.cell(r.row, pair.strong);
    pair.score.push_back(r.score);
    pair.row.push_back(r.row);
    pair.weak_score.push_back(data.score[w]);
    pair.strong_score.push_back(data.score[s]);
    pair.weak_cost.push_back(data.cost[w]);
    pair.strong_cost.push_back(data.cost[s]);
  }
  return pair;
}

Settings settings_of(const Set& set) {
  const outcomes::Estimated data = set.data();
  const auto& sweep = set.comparison.gain.sweep;
  Settings out;
  out.cost.resize(sweep.size());
  out.score.resize(sweep.size());
  parallel_for(sweep.size(), [&](std::size_t i) {
    const auto picked = outcomes::picks(data, sweep[i].lambda);
    for (std::size_t row = 0; row < data.rows; ++row) {
      const bool any = picked[row] < data.arms;
      out.cost[i].push_back(any ? data.cost[data.cell(row, picked[row])] : outcomes::kMissing);
      out.score[i].push_back(any ? data.score[data.cell(row, picked[row])] : outcomes::kMissing);
    }
  });
  return out;
}

}  // namespace

outcomes::Estimated Set::data() const {
  return {table.rows(), table.arm_count(), table.score, table.cost, quality, cost};
}

Result<Set> make_set(std::string name, const outcomes::Table& table, const Options& options) {
  const auto split =
      outcomes::split_rows(outcomes::group_by_text(table), options.fraction, options.seed);
  if (split.train.empty() || split.test.empty()) {
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{} rows leave {} to train on and {} to measure on; expected some of "
                             "both",
                             table.rows(), split.train.size(), split.test.size())};
  }
  auto model = predict::train(outcomes::select_rows(table, split.train), {.seed = options.seed});
  if (!model) return model.error();
  Set set;
  set.name = std::move(name);
  set.table = outcomes::select_rows(table, split.test);
  set.train_rows = split.train.size();
  set.is_static = model->is_static;
  estimate(*model, set);
  auto comparison = outcomes::compare(set.table, set.data(),
                                      {.bootstrap = options.bootstrap, .seed = options.seed});
  if (!comparison) return comparison.error();
  set.comparison = std::move(*comparison);
  set.pair = pair_of(set);
  set.settings = settings_of(set);
  return set;
}

Result<Bench> make_bench(const fs::path& folder, const Options& options) {
  std::error_code failed;
  fs::directory_iterator files(folder, failed);
  if (failed) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{}: {}; expected a folder with outcomes-*.jsonl and samples-*.jsonl, "
                             "plain or packed",
                             folder.string(), failed.message())};
  }
  std::vector<fs::path> paths;
  for (const auto& entry : files) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  Bench bench;
  bench.options = options;
  const auto left_out = [&](const fs::path& path, const Error& error) {
    bench.notes.push_back(
        fmt::format("{} was left out: {}", path.filename().string(), error.message));
  };
  for (const fs::path& path : paths) {
    if (interrupted()) return Error{ErrorCode::kCancelled, "reproducing was interrupted"};
    const std::string file = path.filename().string();
    const std::vector<std::string> one{path.string()};
    if (std::string name = name_of(file, "outcomes-"); !name.empty()) {
      auto table = outcomes::read_table(one);
      if (!table) {
        if (table.error().code == ErrorCode::kCancelled) return table.error();
        left_out(path, table.error());
        continue;
      }
      auto set = make_set(std::move(name), *table, options);
      if (!set) {
        if (set.error().code == ErrorCode::kCancelled) return set.error();
        left_out(path, set.error());
        continue;
      }
      bench.sets.push_back(std::move(*set));
    } else if (name = name_of(file, "samples-"); !name.empty()) {
      auto samples = outcomes::read_samples(one);
      if (!samples) {
        if (samples.error().code == ErrorCode::kCancelled) return samples.error();
        left_out(path, samples.error());
        continue;
      }
      bench.samples.push_back({std::move(name), std::move(*samples)});
    }
  }
  return bench;
}

}  // namespace rung::reproduce
