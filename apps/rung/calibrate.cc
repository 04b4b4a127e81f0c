// rung calibrate: the threshold to serve with between a strong and a weak arm (anchors.h: placing
// a new arm).

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <optional>

#include "anchors.h"
#include "base/progress.h"
#include "commands.h"
#include "estimates.h"
#include "json/write.h"
#include "outcomes/reader.h"
#include "outcomes/risk.h"
#include "outcomes/thresholds.h"
#ifndef RUNG_NO_PREDICT
#include "calibrate_pair.h"
#include "classifier_scores.h"
#include "decide/policy.h"
#include "predict/router.h"
#include "recalibrate.h"

namespace rung::cli {
namespace {

struct CalibrateOptions {
  std::string router;
  std::vector<std::string> outcomes;
  std::optional<double> share, budget, max_drop, risk;  // exactly one
  double confidence = 0.95;
  bool conformal = false, json = false;
  std::string strong, weak;
  std::string config, route;  // of a classifier, instead of a router
  std::size_t concurrency = 8;
};

struct Answer {
  Pair pair;
  std::size_t rows = 0;
  outcomes::OperatingPoint point, all_strong, all_weak;
  std::optional<outcomes::RiskThreshold> risk;
  std::vector<std::string> notes;
};

Result<outcomes::OperatingPoint> point_of(const Rows& rows, const CalibrateOptions& options,
                                          Answer& answer) {
  const outcomes::PairRows view = rows.view();
  if (options.share) return outcomes::calibrate_share(view, *options.share);
  if (options.budget) return outcomes::calibrate_budget(view, *options.budget);
  if (options.max_drop) return outcomes::calibrate_quality(view, *options.max_drop);
  const std::vector<double> none(rows.score.size(), 0.0);  // strong cannot be regretted
  const std::vector<double> loss =
      options.conformal ? outcomes::regret_amounts(rows.weak_quality, rows.strong_quality)
                        : outcomes::regret_events(rows.weak_quality, rows.strong_quality);
  const outcomes::RiskRows risky{rows.score, loss, none};
  auto risk = options.conformal
                  ? outcomes::conformal_threshold(risky, *options.risk)
                  : outcomes::clopper_pearson_threshold(risky, *options.risk, options.confidence);
  if (!risk) return risk.error();
  answer.risk = *risk;
  return outcomes::at_threshold(view, risk->tau);
}

void add_notes(const outcomes::Table& table, const Rows& rows, Answer& answer) {
  if (rows.score.size() < table.rows()) {
    answer.notes.push_back(
        fmt::format("{} of {} rows lack a score or a cost of one of the two "
                    "arms; they count nowhere",
                    table.rows() - rows.score.size(), table.rows()));
  }
  if (answer.all_strong.quality < answer.all_weak.quality) {
    answer.notes.push_back(fmt::format("{} scores less than {} on these rows",
                                       answer.pair.strong.name, answer.pair.weak.name));
  }
}

std::string in_quotes(std::string_view text) {
  std::string out;
  json::append_quoted(text, out);  // JSON strings are YAML too
  return out;
}

std::string as_text(const Answer& a, const CalibrateOptions& options) {
  const auto line = [](std::string_view name, const outcomes::OperatingPoint& p,
                       std::string_view remark) {
    return fmt::format("  {:<36} {:>9.2f} {:>12.4f}{}\n", name, 100 * p.quality, 1000 * p.cost,
                       remark);
  };
  std::string out = fmt::format(
      "threshold {} sends {:.1f} % (standard error {:.1f}) of {} queries to {}\n\n"
      "  {:<36} {:>9} {:>12}\n",
      a.point.tau, 100 * a.point.strong_share, 100 * a.point.strong_share_se, a.rows,
      a.pair.strong.name, "", "score", "USD / 1000");
  out += line(fmt::format("all {}", a.pair.weak.name), a.all_weak, "");
  out += line("at the threshold", a.point,
              a.point.drop_percent ? fmt::format("  {:.2f} % below all {}", *a.point.drop_percent,
                                                 a.pair.strong.name)
                                   : "");
  out += line(fmt::format("all {}", a.pair.strong.name), a.all_strong, "");
  if (a.risk && options.conformal) {
    out += fmt::format(
        "\n  promised: {} falls short of {} by at most {:g} a query on average (observed {:.4f})\n",
        a.pair.weak.name, a.pair.strong.name, *options.risk, a.risk->observed);
  } else if (a.risk) {
    out += fmt::format(
        "\n  promised with confidence {:g}: at most {:g} of all queries go to {} where {} would "
        "have\n  scored more (observed {:.4f}, upper bound {:.4f})\n",
        options.confidence, *options.risk, a.pair.weak.name, a.pair.strong.name, a.risk->observed,
        a.risk->upper);
  }
  for (const std::string& note : a.notes) out += fmt::format("  note: {}\n", note);
  out += fmt::format(
      "\npolicy: {{kind: threshold, threshold: {}, strong: {}, weak: {}, share: {:.4g}, share_se: "
      "{:.2g}}}\n",
      a.point.tau, in_quotes(a.pair.strong.name), in_quotes(a.pair.weak.name), a.point.strong_share,
      a.point.strong_share_se);
  return out;
}

std::string as_json(const Answer& a, const CalibrateOptions& options) {
  json::Writer w;
  w.begin_object().key("policy").begin_object().key("kind").string("threshold");
  w.key("threshold").number(a.point.tau).key("strong").string(a.pair.strong.name);
  w.key("weak").string(a.pair.weak.name).key("share").number(a.point.strong_share);
  w.key("share_se").number(a.point.strong_share_se).end_object();
  w.key("rows").number(a.rows).key("strong_share").number(a.point.strong_share);
  w.key("strong_share_se").number(a.point.strong_share_se);
  const auto point = [&w](std::string_view key, const outcomes::OperatingPoint& p) {
    w.key(key).begin_object().key("score").number(p.quality).key("cost").number(p.cost);
    w.end_object();
  };
  point("at_threshold", a.point);
  w.key("drop_percent").number_or_null(a.point.drop_percent);
  point("all_strong", a.all_strong);
  point("all_weak", a.all_weak);
  w.key("risk");
  if (a.risk) {
    w.begin_object().key("method").string(options.conformal ? "conformal" : "clopper-pearson");
    w.key("bound").number(*options.risk).key("confidence");
    options.conformal ? w.null() : w.number(options.confidence);
    w.key("observed").number(a.risk->observed).key("upper").number(a.risk->upper).end_object();
  } else {
    w.null();
  }
  w.key("notes").begin_array();
  for (const std::string& note : a.notes) w.string(note);
  w.end_array().end_object();
  return w.take() + "\n";
}

/// Finds the threshold on the rows and prints it.
Result<void> answer(const outcomes::Table& table, const Pair& pair, const Rows& rows,
                    const CalibrateOptions& options, std::vector<std::string> notes) {
  Answer found{pair, rows.score.size(), {}, {}, {}, {}, std::move(notes)};
  auto point = point_of(rows, options, found);
  if (!point) return point.error();
  found.point = *point;
  found.all_strong = *outcomes::at_threshold(rows.view(), 0);
  found.all_weak = *outcomes::at_threshold(rows.view(), 2);  // above every score
  add_notes(table, rows, found);
  const std::string out = options.json ? as_json(found, options) : as_text(found, options);
  std::fwrite(out.data(), 1, out.size(), stdout);
  return {};
}

Result<void> calibrate_router(const CalibrateOptions& options) {
  if (options.router.empty() || options.outcomes.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "--router and --outcomes are required for a threshold; expected both"};
  auto router = predict::Router::load(options.router);
  if (!router) return router.error();
  if ((*router)->quality_scale() == predict::QualityScale::kMatchChance)
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} ({}) chooses among options of one reference arm by target_quality; "
                    "calibrate finds thresholds between two arms",
                    options.router, (*router)->metadata("method"))};
  auto table = outcomes::read_table(options.outcomes);
  if (!table) return table.error();
  auto arms = known_arms(**router, *table);
  if (!arms) return arms.error();
  auto pair = choose_pair(*arms, options.strong, options.weak);
  if (!pair) return pair.error();
  auto estimates = estimate_all(**router, *table);
  if (!estimates) return estimates.error();
  auto rows = whole_rows(*table, *pair);
  if (!rows) return rows.error();
  std::vector<double> score;
  for (const std::size_t row : *rows)
    score.push_back(
        decide::win_chance(static_cast<double>(estimates->at(row, pair->strong.in_router).quality),
                           static_cast<double>(estimates->at(row, pair->weak.in_router).quality)));
  std::vector<std::string> notes;
  if ((*router)->is_static())
    notes.emplace_back(
        "the router is the best static mixture of its training rows: every query has the same "
        "score, so a threshold sends all or none to the strong arm");
  return answer(*table, *pair, pair_rows(*table, *pair, *rows, std::move(score)), options,
                std::move(notes));
}

/// The same with the scores of a route's classifier, which is asked about every row.
Result<void> calibrate_classifier(const CalibrateOptions& options) {
  if (!options.router.empty() || options.outcomes.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "--config asks the classifier of a route about --outcomes; expected these two, "
                 "and no --router"};
  auto route = classifier_route(options.config, options.route);
  if (!route) return route.error();
  auto table = outcomes::read_table(options.outcomes);
  if (!table) return table.error();
  const decide::PolicySpec& policy = route->get().policy;
  std::vector<Arm> arms;
  for (std::size_t i = 0; i < table->arm_count(); ++i)
    if (const auto arm = arm_of(*table, i, 0)) arms.push_back(*arm);
  auto pair = choose_pair(arms, options.strong.empty() ? policy.strong : options.strong,
                          options.weak.empty() ? policy.weak : options.weak);
  if (!pair) return pair.error();
  auto rows = whole_rows(*table, *pair);
  if (!rows) return rows.error();
  auto scores = ask_scores(*route, *table, *rows, options.concurrency);
  if (!scores) return scores.error();
  std::vector<std::string> notes;
  if (scores->failed > 0)
    notes.push_back(
        fmt::format("the classifier failed on {} of {} rows, which count as strong, as "
                    "they would be served; {}",
                    scores->failed, rows->size(), scores->first_failure));
  return answer(*table, *pair, pair_rows(*table, *pair, *rows, std::move(scores->score)), options,
                std::move(notes));
}

Result<void> calibrate(const CalibrateOptions& options) {
  catch_interrupts();
  const int asked = options.share.has_value() + options.budget.has_value() +
                    options.max_drop.has_value() + options.risk.has_value();
  if (asked != 1) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} of --share, --budget, --max-drop and --risk are given; expected "
                             "exactly one",
                             asked)};
  }
  for (const auto& value : {options.share, options.budget, options.max_drop, options.risk}) {
    if (value && !std::isfinite(*value))
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("what is asked for is {}; expected a finite number", *value)};
  }
  return options.config.empty() ? calibrate_router(options) : calibrate_classifier(options);
}

}  // namespace

void add_calibrate(CLI::App& app, Action& action) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App* command = app.add_subcommand(
      "calibrate",
      "Find the threshold between a strong and a weak arm for what you ask of it, or place a new "
      "model from its scores on anchors");
  command->add_option("--router", options->router, "Artefact of rung train");
  command->add_option("--outcomes", options->outcomes,
                      "Outcome files that trained nothing; - is standard input");
  command->add_option("--share", options->share, "Share of queries for the strong arm, 0 to 1");
  command->add_option("--budget", options->budget, "Most that a query may cost on average, in USD");
  command->add_option("--max-drop", options->max_drop,
                      "Most that the score may drop against all strong, in percent of it");
  command->add_option("--risk", options->risk,
                      "Most that may go weak where strong would have scored more, as a share of "
                      "all queries");
  command->add_option("--confidence", options->confidence, "Of the bound of --risk")
      ->capture_default_str();
  command->add_flag("--conformal", options->conformal,
                    "--risk bounds the expected shortfall of the score instead, on average");
  command->add_option(
      "--config", options->config,
      "Instead of --router: the configuration whose classifier is asked about every "
      "row of --outcomes");
  command->add_option("--route", options->route, "With --config, where several have a classifier");
  command->add_option("--strong", options->strong, "Arm; default: the best on these outcomes");
  command->add_option("--weak", options->weak, "Arm; default: the cheapest on these outcomes");
  command->add_flag("--json", options->json, "Print one JSON object instead of a text");
  auto maps = std::make_shared<RecalibrateOptions>();
  command
      ->add_option("--recalibrate", maps->kind,
                   "Write the router to --out with its estimates mapped to what came of them")
      ->check(CLI::IsMember({"isotonic", "platt"}));
  auto anchors = std::make_shared<AnchorCommand>();
  add_anchor_options(*command, *anchors);
  command->callback([options, anchors, maps, &action] {
    action = [options, anchors, maps] {
      anchors->router = options->router;
      anchors->outcomes = options->outcomes;
      anchors->json = options->json;
      maps->router = options->router;
      maps->outcomes = options->outcomes;
      maps->out = anchors->out;
      maps->json = options->json;
      options->concurrency = anchors->ask.concurrency;
      auto done = !maps->kind.empty() ? recalibrate(*maps)
                  : anchors->asked()  ? run_anchors(*anchors)
                                      : calibrate(*options);
      if (done) return kDone;
      fmt::print(stderr, "rung calibrate: {}\n", done.error().message);
      return done.error().code == ErrorCode::kInfeasible ? kNo : kBadInput;
    };
  });
}

}  // namespace rung::cli
#else
namespace rung::cli {
void add_calibrate(CLI::App&, Action&) {}
}  // namespace rung::cli
#endif
