// rung calibrate --anchors-report: what a placement is worth. Each model in turn is taken out of
// the training rows, placed from its scores on anchors, and compared on test rows with what a
// router says that was trained on all its scores.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "anchors.h"
#include "base/progress.h"
#include "json/write.h"
#include "outcomes/hull_gain.h"
#include "outcomes/reader.h"
#include "outcomes/report.h"
#include "outcomes/split.h"
#include "predict/anchors.h"
#include "predict/train.h"

namespace rung::cli {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr float kNever = 1e9f;  // USD: an arm that nobody picks

/// Averages over models of what placing each from so many anchors gave.
struct Row {
  std::size_t anchors = 0, models = 0;
  double error = 0;       // mean absolute difference from the estimates with full data
  double error_mean = 0;  // the same if the mean score on the anchors is all that is said
  double rank = 0;        // Spearman's correlation with them over the test rows, where defined
  std::size_t ranked = 0;
  double mean_quality = 0;  // absolute difference of mean estimate and mean test score
  double quality_se = 0;    // what the placement says an estimate is off by
  double off = 0;           // root mean squared difference from the estimates with full data
  double full_gain = 0, placed_gain = 0, without_gain = 0;  // hull gain
};

outcomes::Table drop_arm(const outcomes::Table& table, std::size_t arm) {
  outcomes::Table out = table;
  out.arms.erase(out.arms.begin() + static_cast<std::ptrdiff_t>(arm));
  const auto drop = [&](auto& column) {
    std::size_t at = 0, m = table.arm_count();
    for (std::size_t i = 0; i < column.size(); ++i)
      if (i % m != arm) column[at++] = column[i];
    column.resize(at);
  };
  drop(out.score), drop(out.cost), drop(out.prompt_tokens), drop(out.completion_tokens);
  return out;
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) rank[order[k]] = 0.5 * static_cast<double>(i + end - 1);
    i = end;
  }
  return rank;
}

/// Spearman's; not a number where one side is constant.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = 0.5 * static_cast<double>(x.size() - 1);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : kNothing;
}

class Report {
 public:
  Report(const outcomes::Table& all, const AnchorCommand& options) : options_(options) {
    const auto sides =
        outcomes::split_rows(outcomes::group_by_text(all), options.holdout, options.seed);
    train_ = outcomes::select_rows(all, sides.train);
    test_ = outcomes::select_rows(all, sides.test);
    for (const std::size_t size : options.sizes) rows_.push_back({.anchors = size});
  }

  Result<void> run() {
    const std::size_t m = train_.arm_count();
    if (m < 3)
      return Error{
          ErrorCode::kInvalidData,
          fmt::format("the outcomes have {} models; leaving each out needs at least 3", m)};
    Progress progress("placing", m + 1);
    auto full = predict::train(train_, {.seed = options_.seed});
    if (!full) return full.error();
    full_ = estimates(*full);
    const auto full_gain = gain(full_, identity(m));
    if (!full_gain) return full_gain.error();
    progress.advance();
    for (std::size_t arm = 0; arm < m; ++arm) {
      if (interrupted()) return Error{ErrorCode::kCancelled, "interrupted; nothing was reported"};
      if (auto done = leave_out(arm, *full_gain); !done) return done;
      progress.advance();
    }
    for (Row& row : rows_) {
      const auto n = static_cast<double>(row.models);
      if (row.models == 0)
        return Error{ErrorCode::kInvalidData,
                     fmt::format("no model has a score on enough of {} anchors; expected fewer "
                                 "anchors or more rows",
                                 row.anchors)};
      for (double* sum : {&row.error, &row.error_mean, &row.mean_quality, &row.quality_se, &row.off,
                          &row.full_gain, &row.placed_gain, &row.without_gain})
        *sum /= n;
      row.rank = row.ranked > 0 ? row.rank / static_cast<double>(row.ranked) : kNothing;
    }
    return {};
  }

  void print() const {
    const std::string text = options_.json ? as_json() : as_text();
    std::fwrite(text.data(), 1, text.size(), stdout);
  }

 private:
  static std::vector<std::size_t> identity(std::size_t m) {
    std::vector<std::size_t> out(m);
    std::iota(out.begin(), out.end(), std::size_t{0});
    return out;
  }

  std::vector<predict::Estimate> estimates(const predict::Model& model) const {
    return predict::estimate_rows(
        model.view(), predict::embed_all(model.embedding.view(), test_.rows(),
                                         [&](std::size_t i) { return test_.prompts[i]; }));
  }

  /// Hull gain on the test rows; `column[j]` is where `said` has the arm j of the table, or the
  /// number of arms of `said` if it has not: then the arm is never picked, but the static hull has
  /// it.
  Result<double> gain(const std::vector<predict::Estimate>& said,
                      const std::vector<std::size_t>& column) const {
    const std::size_t m = said.size() / test_.rows();
    std::vector<float> score, quality, cost;
    for (std::size_t i = 0; i < test_.rows(); ++i)
      for (std::size_t j = 0; j < column.size(); ++j) {
        const bool known = column[j] < m && said[i * m + column[j]].has_cost;
        score.push_back(test_.score[test_.cell(i, j)]);
        quality.push_back(known ? said[i * m + column[j]].quality : -1);
        cost.push_back(known ? said[i * m + column[j]].cost_usd : kNever);
      }
    auto result = outcomes::hull_gain(
        {test_.rows(), column.size(), score, test_.cost, quality, cost}, {.bootstrap = 0});
    if (!result) return result.error();
    return 100 * result->gain;
  }

  Result<void> leave_out(std::size_t arm, double full_gain) {
    const std::size_t m = train_.arm_count();
    const outcomes::Table others = drop_arm(train_, arm);
    auto model = predict::train(others, {.seed = options_.seed});
    if (!model) return model.error().with(fmt::format("without {}", train_.arms[arm]));
    std::vector<std::size_t> column(m);
    for (std::size_t j = 0; j < m; ++j) column[j] = j == arm ? m : j - (j > arm);
    auto without = gain(estimates(*model), column);
    std::vector<std::size_t> known;
    for (std::size_t j = 0; j < m; ++j)
      if (j != arm) known.push_back(j);
    column[arm] = m - 1;
    const std::size_t most = *std::max_element(options_.sizes.begin(), options_.sizes.end());
    auto chosen = predict::choose_anchors(
        others, {.count = most, .seed = options_.seed, .at_random = options_.at_random});
    if (!chosen) return chosen.error();
    for (Row& row : rows_) {
      std::vector<std::size_t> anchors;
      for (std::size_t k = 0; k < row.anchors; ++k)
        if (!std::isnan(train_.score[train_.cell((*chosen)[k], arm)]))
          anchors.push_back((*chosen)[k]);
      if (anchors.size() < predict::kFewestAnchors) continue;
      predict::Model placed = *model;
      const auto rows = anchor_rows(placed, train_, known, arm, anchors);
      auto how = predict::place_arm(placed, train_.arms[arm], rows);
      if (!how) return how.error();
      const auto said = estimates(placed);
      auto with = gain(said, column);
      if (!with) return with.error();
      compare(row, arm, said, *how, rows.score.mean());
      row.full_gain += full_gain;
      row.placed_gain += *with;
      row.without_gain += without ? *without : 0;
    }
    return {};
  }

  void compare(Row& row, std::size_t arm, const std::vector<predict::Estimate>& said,
               const predict::Placement& how, float anchor_mean) const {
    const std::size_t m = train_.arm_count(), n = test_.rows();
    std::vector<double> placed, full;
    double off = 0, off_mean = 0, squares = 0, score = 0, mean = 0, scored = 0;
    for (std::size_t i = 0; i < n; ++i) {
      placed.push_back(said[i * m + m - 1].quality);
      full.push_back(full_[i * m + arm].quality);
      off += std::abs(placed.back() - full.back());
      squares += std::pow(placed.back() - full.back(), 2);
      off_mean += std::abs(static_cast<double>(anchor_mean) - full.back());
      if (const float s = test_.score[test_.cell(i, arm)]; !std::isnan(s))
        score += s, mean += placed.back(), scored += 1;
    }
    row.models += 1;
    row.error += off / static_cast<double>(n);
    row.error_mean += off_mean / static_cast<double>(n);
    row.off += std::sqrt(squares / static_cast<double>(n));
    row.quality_se += how.quality_se;
    if (const double rank = rank_correlation(placed, full); std::isfinite(rank))
      row.rank += rank, row.ranked += 1;
    if (scored > 0) row.mean_quality += std::abs(mean - score) / scored;
  }

  std::string as_text() const {
    std::string out = fmt::format(
        "{} models left out in turn; {} training and {} test rows\n\n"
        "  {:>7} {:>6} {:>9} {:>6} {:>10} {:>9} {:>10} {:>9} {:>9}\n",
        train_.arm_count(), train_.rows(), test_.rows(), "anchors", "error", "mean only", "rank",
        "mean score", "stated se", "full gain", "placed", "without");
    for (const Row& r : rows_)
      out += fmt::format(
          "  {:>7} {:>6.3f} {:>9.3f} {:>6} {:>10.3f} {:>9.3f} {:>10.2f} {:>9.2f} {:>9.2f}\n",
          r.anchors, r.error, r.error_mean, outcomes::number_or_dash("{:.2f}", r.rank),
          r.mean_quality, r.quality_se, r.full_gain, r.placed_gain, r.without_gain);
    return out +
           "\n  error: mean absolute difference of its estimates from those with all its scores; "
           "mean only: of\n  the mean of its anchor scores from them; rank: Spearman's correlation "
           "with them; mean score: error\n  of its mean estimate; gains in points: trained on all, "
           "placed, and without the model\n";
  }

  std::string as_json() const {
    json::Writer w;
    w.begin_object().key("models").number(train_.arm_count());
    w.key("train_rows").number(train_.rows()).key("test_rows").number(test_.rows());
    w.key("sizes").begin_array();
    for (const Row& r : rows_) {
      w.begin_object().key("anchors").number(r.anchors).key("models").number(r.models);
      w.key("error").number(r.error).key("error_of_mean").number(r.error_mean);
      w.key("rank_correlation").number(r.rank).key("mean_score_error").number(r.mean_quality);
      w.key("stated_se").number(r.quality_se).key("root_mean_squared_error").number(r.off);
      w.key("hull_gain_full").number(r.full_gain / 100);
      w.key("hull_gain_placed").number(r.placed_gain / 100);
      w.key("hull_gain_without").number(r.without_gain / 100).end_object();
    }
    w.end_array().end_object();
    return w.take() + "\n";
  }

  const AnchorCommand& options_;
  outcomes::Table train_, test_;
  std::vector<Row> rows_;
  std::vector<predict::Estimate> full_;
};

}  // namespace

Result<void> report_anchors(const AnchorCommand& options) {
  if (options.outcomes.empty())
    return Error{ErrorCode::kInvalidArgument, "--anchors-report needs --outcomes FILE..."};
  auto table = outcomes::read_table(options.outcomes);
  if (!table) return table.error();
  Report report(*table, options);
  if (auto done = report.run(); !done) return done;
  report.print();
  return {};
}

}  // namespace rung::cli
