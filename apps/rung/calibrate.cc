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
};

// One arm as both sides know it, with its means over the rows where it has score and cost.
struct Arm {
  std::string name;
  std::size_t in_table = 0, in_router = 0;
  double score = 0, cost = 0;
};

Result<std::vector<Arm>> known_arms(const predict::Router& router, const outcomes::Table& table) {
  std::vector<Arm> arms;
  for (std::size_t i = 0; i < table.arm_count(); ++i) {
    for (std::size_t j = 0; j < router.arms().size(); ++j) {
      // The chance of a win needs no price; the costs here are those of the outcomes.
      const bool judged =
          router.arms()[j].has_cost || router.quality_scale() == predict::QualityScale::kWinChance;
      if (router.arms()[j].name != table.arms[i] || !judged) continue;
      Arm arm{table.arms[i], i, j, 0, 0};
      double rows = 0;
      for (std::size_t row = 0; row < table.rows(); ++row) {
        const auto score = static_cast<double>(table.score[table.cell(row, i)]);
        const auto cost = static_cast<double>(table.cost[table.cell(row, i)]);
        if (!std::isfinite(score) || !std::isfinite(cost)) continue;
        arm.score += score;
        arm.cost += cost;
        rows += 1;
      }
      if (rows == 0) continue;
      arm.score /= rows;
      arm.cost /= rows;
      arms.push_back(arm);
    }
  }
  if (arms.size() >= 2) return arms;
  return Error{ErrorCode::kInvalidData,
               fmt::format("the router and the outcomes have {} arms with a score and a cost in "
                           "common; expected at least two to choose between",
                           arms.size())};
}

struct Pair {
  Arm strong, weak;
};

Result<Pair> choose_pair(const std::vector<Arm>& arms, const CalibrateOptions& options) {
  const Arm *strong = nullptr, *weak = nullptr;
  std::string names;
  for (const Arm& arm : arms) {
    names += (names.empty() ? "" : ", ") + arm.name;
    if (arm.name == options.strong) strong = &arm;
    if (arm.name == options.weak) weak = &arm;
  }
  for (const auto& [option, name, found] :
       {std::tuple{"--strong", options.strong, strong}, {"--weak", options.weak, weak}}) {
    if (name.empty() || found != nullptr) continue;
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{} names \"{}\"; expected an arm that both the router and the "
                             "outcomes know, with costs: {}",
                             option, name, names)};
  }
  if (strong == nullptr) {  // the best; of equally good ones the cheapest
    for (const Arm& arm : arms) {
      if (&arm == weak) continue;
      if (strong == nullptr || arm.score > strong->score ||
          (arm.score == strong->score && arm.cost < strong->cost))
        strong = &arm;
    }
  }
  if (weak == nullptr) {  // the cheapest; of equally cheap ones the best
    for (const Arm& arm : arms) {
      if (&arm == strong) continue;
      if (weak == nullptr || arm.cost < weak->cost ||
          (arm.cost == weak->cost && arm.score > weak->score))
        weak = &arm;
    }
  }
  if (strong == weak) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("--strong and --weak both name \"{}\"; expected two different arms",
                             options.strong)};
  }
  if (options.strong.empty() && options.weak.empty() && strong->cost <= weak->cost) {
    return Error{
        ErrorCode::kInfeasible,
        fmt::format("{} is both the best and the cheapest arm on these outcomes: there is "
                    "nothing to choose; name --strong and --weak to calibrate another pair",
                    strong->name)};
  }
  return Pair{*strong, *weak};
}

struct Rows {
  std::vector<double> score, weak_quality, strong_quality, weak_cost, strong_cost;
  outcomes::PairRows view() const {
    return {score, weak_quality, strong_quality, weak_cost, strong_cost};
  }
};

Result<Rows> pair_rows(const outcomes::Table& table, const Estimates& estimates, const Pair& pair) {
  Rows rows;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t s = table.cell(row, pair.strong.in_table),
                      w = table.cell(row, pair.weak.in_table);
    if (!std::isfinite(table.score[s]) || !std::isfinite(table.cost[s]) ||
        !std::isfinite(table.score[w]) || !std::isfinite(table.cost[w]))
      continue;
    rows.score.push_back(
        decide::win_chance(static_cast<double>(estimates.at(row, pair.strong.in_router).quality),
                           static_cast<double>(estimates.at(row, pair.weak.in_router).quality)));
    rows.strong_quality.push_back(table.score[s]);
    rows.weak_quality.push_back(table.score[w]);
    rows.strong_cost.push_back(table.cost[s]);
    rows.weak_cost.push_back(table.cost[w]);
  }
  if (!rows.score.empty()) return rows;
  return Error{ErrorCode::kInvalidData,
               fmt::format("no row has a score and a cost of both {} and {}; expected at least one",
                           pair.strong.name, pair.weak.name)};
}

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

void add_notes(const predict::Router& router, const outcomes::Table& table, const Rows& rows,
               Answer& answer) {
  if (router.is_static()) {
    answer.notes.emplace_back(
        "the router is the best static mixture of its training rows: every query has the same "
        "score, so a threshold sends all or none to the strong arm");
  }
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
  auto pair = choose_pair(*arms, options);
  if (!pair) return pair.error();
  auto estimates = estimate_all(**router, *table);
  if (!estimates) return estimates.error();
  auto rows = pair_rows(*table, *estimates, *pair);
  if (!rows) return rows.error();

  Answer answer{*pair, rows->score.size(), {}, {}, {}, {}, {}};
  auto point = point_of(*rows, options, answer);
  if (!point) return point.error();
  answer.point = *point;
  answer.all_strong = *outcomes::at_threshold(rows->view(), 0);
  answer.all_weak = *outcomes::at_threshold(rows->view(), 2);  // above every score
  add_notes(**router, *table, *rows, answer);
  const std::string out = options.json ? as_json(answer, options) : as_text(answer, options);
  std::fwrite(out.data(), 1, out.size(), stdout);
  return {};
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
