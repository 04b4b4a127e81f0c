// rung compare: the default router and published ones, trained on the same rows and judged on the
// same others.

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/file.h"
#include "base/progress.h"
#include "commands.h"
#include "compare_report.h"
#include "estimates.h"
#include "outcomes/metrics.h"
#include "outcomes/reader.h"
#include "outcomes/significance.h"
#include "outcomes/split.h"
#include "own_knob.h"

#ifndef RUNG_NO_PREDICT
#include "judging.h"
#include "leave_out.h"
#include "predict/published.h"

namespace rung::cli {
namespace {

constexpr std::string_view kDefault = "ensemble";
using Clock = std::chrono::steady_clock;

struct CompareOptions {
  std::vector<std::string> outcomes, test, methods;
  double fraction = 0.3;
  std::uint64_t seed = 0;
  std::size_t splits = 1, bootstrap = 1000;
  std::string strong, weak, html, leave_out;
  bool json = false;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Mean time of one decision on one thread, in microseconds: the best of three passes.
double decide_us(const predict::Router& router, const outcomes::Table& test) {
  constexpr std::size_t kPrompts = 300;
  const std::size_t count = std::min(test.rows(), kPrompts);
  predict::Scratch scratch;
  std::vector<predict::Estimate> estimates(router.arms().size());
  std::vector<float> utilities(router.arms().size());
  double best = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < 3; ++pass) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < count; ++i) {
      const auto prompt = test.prompts[i * test.rows() / count];
      if (!router.utilities(prompt, 0.5f, {}, utilities, scratch))
        router.estimate(prompt, estimates, scratch);
    }
    best = std::min(best, 1e6 * seconds_since(start) / static_cast<double>(count));
  }
  return best;
}

/// One method on one split.
struct Judged {
  std::string why_not;
  outcomes::HullGain gain;
  double train_seconds = 0, decide_us = 0;
};

class Compare {
 public:
  explicit Compare(const CompareOptions& options) : options_(options) {}

  Result<ComparedTable> run() {
    auto all = outcomes::read_table(options_.outcomes);
    if (!all) return all.error();
    methods_ = {std::string(kDefault)};
    if (options_.methods.empty()) {
      for (const auto& method : predict::published_methods()) methods_.emplace_back(method.name);
    }
    for (const std::string& name : options_.methods)
      if (std::find(methods_.begin(), methods_.end(), name) == methods_.end())
        methods_.push_back(name);
    judged_.resize(methods_.size());
    out_.files = options_.outcomes;
    out_.splits = options_.test.empty() ? options_.splits : 1;
    if (!options_.test.empty()) {
      auto test = outcomes::read_table(options_.test);
      if (!test) return test.error();
      if (auto done = judge_split(*all, *test); !done) return done.error();
    } else {
      const auto groups = outcomes::group_by_text(*all);
      for (std::size_t k = 0; k < options_.splits; ++k) {
        const auto sides = outcomes::split_rows(groups, options_.fraction, options_.seed + k);
        if (sides.train.empty() || sides.test.empty())
          return Error{ErrorCode::kInvalidArgument,
                       fmt::format("no row falls to one side with --fraction {} of {} rows in {} "
                                   "groups; expected at least one on each",
                                   options_.fraction, all->rows(), groups.count())};
        if (auto done = judge_split(outcomes::select_rows(*all, sides.train),
                                    outcomes::select_rows(*all, sides.test));
            !done)
          return done.error();
      }
    }
    report();
    return std::move(out_);
  }

 private:
  Result<void> judge_split(const outcomes::Table& train, const outcomes::Table& test) {
    if (out_.train_rows == 0) {
      out_.train_rows = train.rows();
      out_.test_rows = test.rows();
      out_.arms = test.arm_count();
    }
    for (std::size_t i = 0; i < methods_.size(); ++i) {
      auto judged = judge(train, test, methods_[i]);
      // Names of methods and arms, and what nothing can be learnt from, are the user's to mend.
      if (!judged && (i == 0 || judged.error().code == ErrorCode::kCancelled ||
                      judged.error().code == ErrorCode::kInvalidArgument))
        return judged.error();
      judged_[i].push_back(judged ? *std::move(judged) : Judged{judged.error().message, {}, 0, 0});
    }
    return {};
  }

  Result<Judged> judge(const outcomes::Table& train, const outcomes::Table& test,
                       const std::string& method) {
    Judged out;
    const auto start = Clock::now();
    auto router = train_method(train, {method, options_.strong, options_.weak});
    if (!router) return router.error();
    out.train_seconds = seconds_since(start);
    auto estimates = estimate_all(**router, test);
    if (!estimates) return estimates.error();
    const Predicted p = predicted(**router, test, *estimates);
    const outcomes::Estimated data{test.rows(), test.arm_count(), test.score,
                                   test.cost,   p.quality,        p.cost};
    const outcomes::HullGainOptions how{.bootstrap = options_.bootstrap, .seed = 1};
    const auto curve = own_knob(**router, test, *estimates, p.in_router, data);
    auto gain = curve ? outcomes::hull_gain(data, *curve, how) : outcomes::hull_gain(data, how);
    if (!gain) return gain.error();
    out.gain = *std::move(gain);
    out.decide_us = decide_us(**router, test);
    if (method == kDefault) {
      outcomes::HullGainOptions brief = how;
      auto compared = outcomes::compare(test, data, brief);
      if (!compared) return compared.error();
      references_.push_back(*std::move(compared));
      outcomes::HullGainOptions plain = how;
      plain.bootstrap = 0;
      auto oracle = outcomes::hull_gain(
          {test.rows(), test.arm_count(), test.score, test.cost, test.score, test.cost}, plain);
      if (!oracle) return oracle.error();
      oracle_.push_back(oracle->gain);
    }
    return out;
  }

  static void add(Interval& sum, double value, double low, double high, double n) {
    sum.value += value / n;
    sum.low += low / n;
    sum.high += high / n;
  }

  /// Where a router matches the best single arm at the least cost, else where it is best.
  static void add_match(const outcomes::HullGain& gain, double n, ComparedRow& row) {
    const double wanted = gain.static_hull.best().score;
    const auto cost = gain.router.cost_of(wanted);
    const outcomes::Point at = cost ? outcomes::Point{*cost, wanted} : gain.router.best();
    row.score += at.score / n;
    row.cost += at.cost / n;
    row.matches = row.matches && cost.has_value();
  }

  void report() {
    const auto n = static_cast<double>(judged_[0].size());
    for (std::size_t i = 0; i < methods_.size(); ++i) {
      ComparedRow row;
      row.name = methods_[i];
      Interval gain, ahead;
      double train = 0, decide = 0;
      for (std::size_t k = 0; k < judged_[i].size(); ++k) {
        const Judged& judged = judged_[i][k];
        if (!judged.why_not.empty()) {
          row.why_not = judged.why_not;
          break;
        }
        add(gain, judged.gain.gain, judged.gain.low, judged.gain.high, n);
        if (const auto d = outcomes::paired_difference(judged.gain, judged_[0][k].gain))
          add(ahead, d->value, d->low, d->high, n);
        add_match(judged.gain, n, row);
        train += judged.train_seconds / n;
        decide += judged.decide_us / n;
      }
      row.gain = gain;
      if (i > 0 && options_.bootstrap > 0) row.ahead = ahead;
      row.train_seconds = train;
      row.decide_us = decide;
      out_.rows.push_back(std::move(row));
    }
    // What to hold them against.
    ComparedRow best;
    best.is_method = false;
    ComparedRow fixed = best, random = best, label = best, oracle = best;
    best.name = "best single arm (" + references_[0].arms[references_[0].best].name + ")";
    fixed.name = "static hull";
    random.name = "random arm";
    label.name = "task label";
    oracle.name = "oracle";
    Interval label_gain;
    double oracle_gain = 0;
    bool labelled = true;
    for (std::size_t k = 0; k < references_.size(); ++k) {
      const outcomes::Comparison& c = references_[k];
      for (const auto& [row, point] : {std::pair{&best, c.gain.static_hull.best()},
                                       {&fixed, c.gain.static_hull.best()},
                                       {&random, c.random},
                                       {&oracle, c.oracle}}) {
        row->score += point.score / n;
        row->cost += point.cost / n;
      }
      oracle_gain += oracle_[k] / n;
      labelled = labelled && c.task_label.has_value();
      if (!labelled) continue;
      add(label_gain, c.task_label->gain, c.task_label->low, c.task_label->high, n);
      add_match(*c.task_label, n, label);
    }
    fixed.gain = Interval{};
    oracle.gain = Interval{oracle_gain, oracle_gain, oracle_gain};
    label.gain = label_gain;
    for (const ComparedRow* row : {&best, &fixed, &random}) out_.rows.push_back(*row);
    if (labelled) out_.rows.push_back(label);
    out_.rows.push_back(oracle);
  }

  const CompareOptions& options_;
  std::vector<std::string> methods_;
  std::vector<std::vector<Judged>> judged_;  // [methods][splits]
  std::vector<outcomes::Comparison> references_;
  std::vector<double> oracle_;
  ComparedTable out_;
};

Result<void> compare_left_out(const CompareOptions& options) {
  if (!options.test.empty() || !options.html.empty() || options.splits != 1)
    return Error{ErrorCode::kInvalidArgument,
                 "--leave-out makes its own split, once, and prints a table or --json; expected no "
                 "--test, --splits or --html"};
  auto methods = options.methods;
  if (methods.empty()) methods.emplace_back(kDefault);
  auto table = leave_out({options.outcomes, options.leave_out, std::move(methods), options.fraction,
                          options.seed, options.bootstrap, options.strong, options.weak});
  if (!table) return table.error();
  const std::string text = options.json ? left_out_json(*table) : left_out_text(*table);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

Result<void> compare(const CompareOptions& options) {
  catch_interrupts();
  if (!options.leave_out.empty()) return compare_left_out(options);
  auto table = Compare(options).run();
  if (!table) return table.error();
  if (!options.html.empty())
    if (auto done = write_file(options.html, compared_html(*table)); !done) return done;
  const std::string text = options.json ? compared_json(*table) : compared_text(*table);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand(
      "compare", "Train the default router and published ones and judge all on the same rows");
  command->add_option("--outcomes", options->outcomes, "Outcome files; - is standard input")
      ->required();
  command->add_option("--test", options->test,
                      "Judge on these instead of on a part of the outcomes");
  command
      ->add_option("--methods", options->methods,
                   "Methods of rung train, separated by commas; default every published one")
      ->delimiter(',');
  command->add_option("--fraction", options->fraction, "Share of the groups that go to the test")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the (first) split")->capture_default_str();
  command->add_option("--splits", options->splits, "Splits; the table has their means")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--bootstrap", options->bootstrap, "Resamples behind the intervals")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  command
      ->add_option(
          "--leave-out", options->leave_out,
          "Judge on each file, or each category, in turn by a router that has seen nothing "
          "of it, next to one that has")
      ->check(CLI::IsMember({"file", "category"}));
  command->add_option("--strong", options->strong, "Stronger arm of the pair methods");
  command->add_option("--weak", options->weak, "Weaker arm of the pair methods");
  command->add_flag("--json", options->json, "Print one JSON object instead of a table");
  command->add_option("--html", options->html, "Write one self-contained page here");
  command->callback([options, &action] {
    action = [options] {
      auto done = compare(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung compare: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
#else
namespace rung::cli {
void add_compare(CLI::App&, Action&) {}
}  // namespace rung::cli
#endif
