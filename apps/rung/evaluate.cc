// rung evaluate: what a trained router is worth on outcomes it has not seen.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <unordered_map>

#include "base/file.h"
#include "base/progress.h"
#include "commands.h"
#include "estimates.h"
#include "json/write.h"
#include "outcomes/reader.h"
#include "outcomes/report.h"
#include "outcomes/report_html.h"
#include "outcomes/writer.h"
#include "own_knob.h"
#include "paired.h"
#include "predict/router.h"
#include "recalibrate.h"
#include "robustness.h"

#ifndef RUNG_NO_PREDICT
namespace rung::cli {
namespace {

struct EvaluateOptions {
  std::string router;
  std::vector<std::string> outcomes, samples, compare;
  std::string per_query, html;
  bool json = false, ignore_unknown_arms = false, robustness = false, recalibrate = false;
  double margin = 0;  // points
  std::size_t bootstrap = 1000;
  std::uint64_t seed = 1;
};

Result<void> write_per_query(const std::string& path, const predict::Router& router,
                             const outcomes::Table& table, const Estimates& estimates) {
  for (const auto& arm : router.arms()) {
    if (arm.has_cost) continue;
    return Error{
        ErrorCode::kUnsupported,
        fmt::format(
            "{}: the router knows no cost for the arm \"{}\"; --per-query states a cost for every "
            "arm, so train with outcomes that carry costs",
            path, arm.name)};
  }
  auto file = outcomes::PackedFile::create(path);
  if (!file) return file.error();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    json::Writer w;
    w.begin_object().key("id").string(table.ids[row]).key("arms").begin_object();
    for (std::size_t arm = 0; arm < estimates.arms; ++arm) {
      const predict::Estimate& e = estimates.at(row, arm);
      w.key(router.arms()[arm].name).begin_object().key("quality").number(e.quality);
      w.key("quality_se").number(e.quality_se).key("cost").number(e.cost_usd).end_object();
    }
    w.end_object().end_object();
    if (auto done = file->write(w.take() + "\n"); !done) return done;
    if (row % 1024 == 0 && interrupted())
      return Error{ErrorCode::kCancelled, "evaluating was interrupted"};
  }
  return file->commit();
}

// The arms that both sides know, as columns of both.
struct Shared {
  std::vector<std::size_t> in_table, in_router;
};

Result<Shared> shared_arms(const predict::Router& router, const outcomes::Table& table,
                           const EvaluateOptions& options, std::vector<std::string>& notes) {
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < router.arms().size(); ++i) known.emplace(router.arms()[i].name, i);
  Shared shared;
  std::string unknown;
  for (std::size_t i = 0; i < table.arms.size(); ++i) {
    const auto at = known.find(table.arms[i]);
    if (at == known.end()) {
      unknown += (unknown.empty() ? "" : ", ") + table.arms[i];
      continue;
    }
    shared.in_table.push_back(i);
    shared.in_router.push_back(at->second);
    known.erase(at);
  }
  if (!unknown.empty() && !options.ignore_unknown_arms) {
    std::string names;
    for (const auto& arm : router.arms()) names += (names.empty() ? "" : ", ") + arm.name;
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{}: found arms that {} does not know: {}; expected some of: {} "
                             "(--ignore-unknown-arms leaves the others out)",
                             fmt::join(options.outcomes, ", "), options.router, unknown, names)};
  }
  if (!unknown.empty())
    notes.push_back("left out, since the router does not know them: " + unknown);
  std::string absent;
  for (const auto& arm : router.arms()) {
    if (known.contains(arm.name)) absent += (absent.empty() ? "" : ", ") + arm.name;
  }
  if (!absent.empty()) notes.push_back("left out, since the outcomes do not have them: " + absent);
  if (shared.in_table.empty()) {
    return Error{ErrorCode::kInvalidData,
                 "no arm of the outcomes is known to the router; expected at least one in common"};
  }
  if (shared.in_table.size() == 1)
    notes.push_back("only one arm is left: there is nothing to route between");
  return shared;
}

Result<outcomes::Comparison> judge(const predict::Router& router, const outcomes::Table& table,
                                   const Estimates& estimates, const Shared& shared,
                                   const EvaluateOptions& options, const outcomes::Samples* samples,
                                   std::vector<std::string>& notes,
                                   std::optional<Robustness>& robustness) {
  const std::size_t n = table.rows(), m = shared.in_table.size();
  const bool own = router.quality_scale() == predict::QualityScale::kWinChance ||
                   router.metadata("knob") == "alpha";  // no cost of the router decides
  outcomes::Table kept;
  kept.ids = table.ids;
  kept.categories = table.categories;
  kept.category = table.category;
  std::vector<float> quality, cost;
  for (const std::size_t arm : shared.in_table) kept.arms.push_back(table.arms[arm]);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t i = 0; i < m; ++i) {
      const predict::Estimate& e = estimates.at(row, shared.in_router[i]);
      const bool priced = own || router.arms()[shared.in_router[i]].has_cost;
      kept.score.push_back(priced ? table.score[table.cell(row, shared.in_table[i])]
                                  : outcomes::kMissing);
      kept.cost.push_back(table.cost[table.cell(row, shared.in_table[i])]);
      quality.push_back(e.quality);
      cost.push_back(e.cost_usd);
    }
  }
  const outcomes::HullGainOptions how{.bootstrap = options.bootstrap, .seed = options.seed};
  const outcomes::Estimated data{n, m, kept.score, kept.cost, quality, cost};
  const auto curve = own_knob(router, table, estimates, shared.in_router, data);
  auto result = outcomes::compare(kept, data, how, curve ? &*curve : nullptr);
  if (!result) return result;
  if (router.quality_scale() != predict::QualityScale::kExpectedScore)
    notes.push_back(
        "the router gives chances, not expected scores: errors of calibration do not apply to it");
  if (curve) {
    notes.push_back("where its gain comes from is told of routers that are swept by price alone");
  } else {
    auto worth = outcomes::worth(kept, data, result->gain, result->operating, samples, how);
    if (!worth) return worth.error();
    result->worth = std::move(*worth);
    if (samples != nullptr && !result->worth->sampled) {
      notes.push_back(
          "the samples say nothing of what is out of reach: expected questions where two models "
          "have "
          "samples that are known to be right or wrong");
    }
  }
  if (options.robustness) {
    auto measured = measure_robustness(router, table, shared.in_router, data, *result,
                                       options.margin, options.seed);
    if (!measured) return measured.error();
    robustness = *std::move(measured);
  }
  for (const std::size_t i : shared.in_router) {
    if (!own && !router.arms()[i].has_cost) {
      notes.push_back(fmt::format("the router knows no cost for {}: it is never picked here",
                                  router.arms()[i].name));
    }
  }
  if (result->gain.rows_used < n) {
    notes.push_back(
        fmt::format("{} of {} rows have no arm with both a score and a cost; they count nowhere",
                    n - result->gain.rows_used, n));
  }
  if (result->gain.missing_cells > 0) {
    notes.push_back(fmt::format(
        "{} cells lack a score or a cost; an arm is not picked where it is missing, and "
        "its mean is over the rows that have it",
        result->gain.missing_cells));
  }
  return result;
}

/// Each other router on the same rows, among the arms that it knows too.
Result<std::vector<PairedReport>> compare_with(const predict::Router& router,
                                               const outcomes::Table& table, const Shared& shared,
                                               const EvaluateOptions& options) {
  std::vector<PairedReport> reports;
  for (const std::string& file : options.compare) {
    auto other = predict::Router::load(file);
    if (!other) return other.error();
    std::vector<std::size_t> arms;
    std::string unknown;
    for (const std::size_t arm : shared.in_table) {
      const auto known = (*other)->arms();
      if (std::any_of(known.begin(), known.end(),
                      [&](const auto& info) { return info.name == table.arms[arm]; }))
        arms.push_back(arm);
      else
        unknown += (unknown.empty() ? "" : ", ") + table.arms[arm];
    }
    if (arms.empty() || (!unknown.empty() && !options.ignore_unknown_arms))
      return Error{ErrorCode::kInvalidData,
                   fmt::format("{} does not know: {}; expected a router of the same arms "
                               "(--ignore-unknown-arms compares among those that both know)",
                               file, unknown)};
    auto report = compare_paired(router, **other, table, arms, options.bootstrap, options.seed);
    if (!report) return report.error().with(file);
    report->other = file;
    reports.push_back(*std::move(report));
  }
  return reports;
}

Result<void> evaluate(const EvaluateOptions& options) {
  catch_interrupts();
  if (options.margin > 0 && !options.robustness)
    return Error{ErrorCode::kInvalidArgument,
                 "--margin is measured with --robustness; expected both"};
  auto router = predict::Router::load(options.router);
  if (!router) return router.error();
  auto table = outcomes::read_table(options.outcomes);
  if (!table) return table.error();
  std::optional<outcomes::Samples> samples;
  if (!options.samples.empty()) {
    auto read = outcomes::read_samples(options.samples);
    if (!read) return read.error();
    samples = std::move(*read);
  }
  outcomes::ReportContext context{options.router, options.outcomes, {}};
  auto shared = shared_arms(**router, *table, options, context.notes);
  if (!shared) return shared.error();
  auto estimates = estimate_all(**router, *table);
  if (!estimates) return estimates.error();
  std::optional<Robustness> robustness;
  auto result = judge(**router, *table, *estimates, *shared, options, samples ? &*samples : nullptr,
                      context.notes, robustness);
  if (!result) return result.error();
  if ((*router)->is_static())
    context.notes.push_back("the router is the best static mixture of its training rows");
  std::vector<Recalibrated> recalibrated;
  if (options.recalibrate) {
    auto measured =
        measure_recalibration(**router, *table, shared->in_table, options.bootstrap, options.seed);
    if (!measured) return measured.error();
    recalibrated = *std::move(measured);
  }
  auto paired = compare_with(**router, *table, *shared, options);
  if (!paired) return paired.error();
  if (!options.per_query.empty()) {
    auto done = write_per_query(options.per_query, **router, *table, *estimates);
    if (!done) return done;
  }
  if (!options.html.empty()) {
    if (auto done = write_file(options.html, outcomes::report_html(*result, context)); !done)
      return done;
  }
  std::string report = options.json ? outcomes::report_json(*result, context)
                                    : outcomes::report_text(*result, context);
  if (robustness && options.json) {
    report.erase(report.rfind('}'));
    report += fmt::format(",\"robustness\":{}}}\n", robustness_json(*robustness));
  } else if (robustness) {
    report += robustness_text(*robustness);
  }
  if (options.json && !recalibrated.empty()) {
    report.erase(report.rfind('}'));
    report += fmt::format(",\"recalibrated\":{}}}\n", recalibration_report_json(recalibrated));
  } else if (!recalibrated.empty()) {
    report += recalibration_text(recalibrated);
  }
  if (options.json && !paired->empty()) {
    report.erase(report.rfind('}'));
    report += ",\"compared\":[";
    for (std::size_t i = 0; i < paired->size(); ++i)
      report += (i == 0 ? "" : ",") + paired_json((*paired)[i]);
    report += "]}\n";
  } else {
    for (const PairedReport& one : *paired) report += paired_text(one);
  }
  std::fwrite(report.data(), 1, report.size(), stdout);
  return {};
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command =
      app.add_subcommand("evaluate", "Measure a trained router on outcomes it has not seen");
  command->add_option("--router", options->router, "Artefact of rung train")->required();
  command->add_option("--outcomes", options->outcomes, "Outcome files; - is standard input")
      ->required();
  command->add_option("--samples", options->samples,
                      "Files with several answers of each model to a question: what sampling alone "
                      "cannot reach");
  command->add_flag("--recalibrate", options->recalibrate,
                    "Also say what isotonic regression and Platt scaling of the estimates bring");
  command->add_option("--compare", options->compare,
                      "Other routers: do they differ from this one by more than luck?");
  command->add_option("--per-query", options->per_query, "Write the estimates of every query here");
  command->add_option("--html", options->html, "Write one self-contained page here");
  command->add_flag("--json", options->json, "Print one JSON object instead of a table");
  command->add_flag("--ignore-unknown-arms", options->ignore_unknown_arms,
                    "Leave out arms of the outcomes that the router does not know");
  command->add_flag("--robustness", options->robustness,
                    "Also perturb the prompts in six ways and count the picks that stay");
  command
      ->add_option("--margin", options->margin,
                   "Points of the tradeoff policy's margin, for --robustness")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--bootstrap", options->bootstrap, "Resamples behind the standard error")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the resamples")->capture_default_str();
  command->callback([options, &action] {
    action = [options] {
      auto done = evaluate(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung evaluate: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
#else
namespace rung::cli {
void add_evaluate(CLI::App&, Action&) {}
}  // namespace rung::cli
#endif
