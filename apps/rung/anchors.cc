// rung calibrate --anchors N: the prompts to ask a new model; --anchors-from: places it in a
// router.

#include "anchors.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <unordered_map>

#include "base/file.h"
#include "base/progress.h"
#include "outcomes/reader.h"
#include "outcomes/writer.h"
#include "predict/anchors.h"
#include "predict/artefact.h"

namespace rung::cli {
namespace {

Error wrong(std::string sentence) { return {ErrorCode::kInvalidArgument, std::move(sentence)}; }
Error bad_data(std::string sentence) { return {ErrorCode::kInvalidData, std::move(sentence)}; }

struct Price {
  double input = 0, output = 0;
};

Result<Price> parse_price(std::string_view text) {
  const std::size_t comma = text.find(',');
  Price price;
  const auto read = [](std::string_view part, double& value) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && end == part.data() + part.size() && value >= 0 && value <= 1e6;
  };
  if (comma == std::string_view::npos || !read(text.substr(0, comma), price.input) ||
      !read(text.substr(comma + 1), price.output))
    return wrong(fmt::format(
        "--price is \"{}\"; expected INPUT,OUTPUT in USD per million tokens, such as 0.05,0.2",
        text));
  return price;
}

/// Puts the anchors in `from` to the new model. Gives what came of it; with --json nothing is
/// printed.
Result<AskSummary> ask_model(const AnchorCommand& options, const std::string& from) {
  if (options.scores.empty() || options.ask.model.empty())
    return wrong(
        "--ask needs --model NAME as the upstream calls it, and --scores FILE for its answers");
  AskOptions how = options.ask;
  how.name = options.name;
  if (!options.price.empty()) {
    auto price = parse_price(options.price);
    if (!price) return price.error();
    how.input_price = price->input;
    how.output_price = price->output;
  }
  auto anchors = outcomes::read_outcomes(std::vector{from}, {.keep_outputs = true});
  if (!anchors) return anchors.error();
  auto summary = ask_anchors(*anchors, how, options.scores);
  if (!summary) return summary.error();
  fmt::print(stderr, "{} of {} anchors answered, {} scored by their references: {}\n",
             summary->answered, summary->asked, summary->scored, options.scores);
  if (summary->answered < summary->asked)
    fmt::print(stderr, "not answered: {}\n", summary->first_failure);
  if (summary->scored < summary->answered)
    fmt::print(stderr,
               "give the others a `score` from 0 to 1 there, then place the model with "
               "--anchors-from and --scores\n");
  return summary;
}

Result<void> choose(const AnchorCommand& options) {
  if (options.outcomes.empty() || options.out.empty())
    return wrong("--anchors needs --outcomes FILE... to choose from and --out FILE to write");
  auto all = outcomes::read_outcomes(options.outcomes, {.keep_outputs = true});
  if (!all) return all.error();
  auto rows = predict::choose_anchors(
      all->table, {.count = *options.choose, .seed = options.seed, .at_random = options.at_random});
  if (!rows) return rows.error();
  // Answers of the known models stay where they are: they are long, and nobody reads them again.
  std::fill(all->texts.has_output.begin(), all->texts.has_output.end(), std::uint8_t{0});
  if (auto done = outcomes::write_outcomes(options.out, *all, *rows); !done) return done;
  if (!options.ask.url.empty()) {
    fmt::print("{} anchors of {} rows to {}\n", rows->size(), all->table.rows(), options.out);
    auto asked = ask_model(options, options.out);
    if (!asked) return asked.error();
    return {};
  }
  fmt::print(
      "{} anchors of {} rows to {}: ask the new model each `prompt`, score its answers from 0 to "
      "1,\nwrite them as outcomes of one model, and place it with --anchors-from\n",
      rows->size(), all->table.rows(), options.out);
  return {};
}

/// The costs of the column `arm` at `price`. Four bytes a token where the prompt's are not stated.
Result<void> put_price(outcomes::Table& table, std::size_t arm, const Price& price) {
  bool any = false;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::size_t cell = table.cell(i, arm);
    const double answer = table.completion_tokens[cell], asked = table.prompt_tokens[cell];
    if (answer < 0) continue;
    const double prompt = asked >= 0 ? asked : static_cast<double>(table.prompts[i].size()) / 4 + 1;
    table.cost[cell] = static_cast<float>(1e-6 * (prompt * price.input + answer * price.output));
    any = true;
  }
  if (any) return {};
  return bad_data(
      fmt::format("--price needs the tokens of the answers, and no row of \"{}\" has "
                  "`completion_tokens`; expected them, or a `cost`",
                  table.arms[arm]));
}

/// The column of the new arm: the only one, or the one that --name names.
Result<std::size_t> new_arm(const outcomes::Table& scores, const AnchorCommand& options) {
  if (scores.arm_count() == 1) return std::size_t{0};
  for (std::size_t j = 0; j < scores.arm_count(); ++j)
    if (scores.arms[j] == options.name) return j;
  return bad_data(fmt::format("{} has {} models; expected one, or --name with one of: {}",
                              options.scores, scores.arm_count(), fmt::join(scores.arms, ", ")));
}

/// Anchors with the new arm as last column. Every row of `scores` must be an anchor.
Result<outcomes::Table> join(const outcomes::Table& anchors, const outcomes::Table& scores,
                             std::size_t arm, const AnchorCommand& options) {
  std::unordered_map<std::string_view, std::size_t> row_of;
  for (std::size_t i = 0; i < anchors.rows(); ++i) row_of.emplace(anchors.ids[i], i);
  std::vector<std::optional<std::size_t>> scored(anchors.rows());
  for (std::size_t i = 0; i < scores.rows(); ++i) {
    const auto at = row_of.find(scores.ids[i]);
    if (at == row_of.end())
      return bad_data(fmt::format("{}: id \"{}\" is not an anchor of {}; expected only ids of it",
                                  options.scores, scores.ids[i], options.from));
    if (scores.prompts[i] != anchors.prompts[at->second])
      return bad_data(fmt::format(
          "{}: id \"{}\" has another prompt than in {}; expected the anchor's, word for word",
          options.scores, scores.ids[i], options.from));
    scored[at->second] = i;
  }
  outcomes::Table out = anchors;
  out.arms.push_back(scores.arms[arm]);
  out.score.clear(), out.cost.clear(), out.prompt_tokens.clear(), out.completion_tokens.clear();
  const auto add = [&](auto& to, const auto& known, const auto& own, auto missing,
                       std::size_t row) {
    for (std::size_t j = 0; j < anchors.arm_count(); ++j) to.push_back(known[anchors.cell(row, j)]);
    to.push_back(scored[row] ? own[scores.cell(*scored[row], arm)] : missing);
  };
  for (std::size_t i = 0; i < anchors.rows(); ++i) {
    add(out.score, anchors.score, scores.score, outcomes::kMissing, i);
    add(out.cost, anchors.cost, scores.cost, outcomes::kMissing, i);
    add(out.prompt_tokens, anchors.prompt_tokens, scores.prompt_tokens, outcomes::kNoTokens, i);
    add(out.completion_tokens, anchors.completion_tokens, scores.completion_tokens,
        outcomes::kNoTokens, i);
  }
  return out;
}

void print_placement(const predict::Placement& p, const predict::Model& model,
                     const AnchorCommand& options, const std::string& json) {
  if (options.json) {
    fmt::print("{}\n", json);
    return;
  }
  fmt::print(
      "placed {} from {} anchors: mean score {:.3f} ± {:.3f}, an estimate is off by about "
      "{:.3f}\n",
      p.name, p.anchors, p.base, p.base_se, p.quality_se);
  std::vector<std::size_t> order(p.weights.size());
  for (std::size_t j = 0; j < order.size(); ++j) order[j] = j;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(p.weights[a]) > std::abs(p.weights[b]);
  });
  for (std::size_t k = 0; k < std::min<std::size_t>(5, order.size()); ++k)
    fmt::print("  {:+.2f} x {}\n", p.weights[order[k]], model.arms[order[k]].name);
  const predict::ArmInfo& arm = model.arms.back();
  if (!arm.has_cost)
    fmt::print("  no cost: its scores carry none, so say --price INPUT,OUTPUT\n");
  else if (p.cost_like.empty())
    fmt::print("  cost: {:.6g} USD, whatever the prompt\n", arm.mean_cost_usd);
  else
    fmt::print("  cost: {:.3g} times that of {}\n", p.cost_scale, p.cost_like);
  fmt::print("wrote {}\n", options.out);
}

Result<void> place(const AnchorCommand& options) {
  if (!options.ask.url.empty()) {
    auto asked = ask_model(options, options.from);
    if (!asked) return asked.error();
    if (options.router.empty()) return {};
    if (asked->scored < asked->answered)
      return Error{
          ErrorCode::kInfeasible,
          fmt::format("{} of {} answers have no score, so the model is not placed; expected "
                      "references that a rule can compare, or scores in {}",
                      asked->answered - asked->scored, asked->answered, options.scores)};
  }
  if (options.scores.empty() || options.router.empty() || options.out.empty())
    return wrong(
        "--anchors-from needs --scores FILE of the new model, --router ROUTER to place it in and "
        "--out FILE to write");
  auto bytes = read_file(options.router);
  if (!bytes) return bytes.error();
  auto artefact = predict::Artefact::read(*bytes);
  if (!artefact) return artefact.error().with(options.router);
  auto model = predict::to_model(*artefact);
  if (!model) return model.error().with(options.router);
  auto anchors = outcomes::read_table(std::vector{options.from});
  if (!anchors) return anchors.error();
  auto scores = outcomes::read_table(std::vector{options.scores});
  if (!scores) return scores.error();
  auto arm = new_arm(*scores, options);
  if (!arm) return arm.error();
  auto table = join(*anchors, *scores, *arm, options);
  if (!table) return table.error();
  const std::size_t column = table->arm_count() - 1;
  if (!options.price.empty()) {
    auto price = parse_price(options.price);
    if (!price) return price.error();
    if (auto done = put_price(*table, column, *price); !done) return done;
  }
  std::vector<std::size_t> known, rows;
  for (const predict::ArmInfo& info : model->arms) {
    std::size_t j = 0;
    while (j < column && table->arms[j] != info.name) ++j;
    known.push_back(j < column ? j : table->arm_count());
  }
  for (std::size_t i = 0; i < table->rows(); ++i)
    if (!std::isnan(table->score[table->cell(i, column)])) rows.push_back(i);
  const std::string name = options.name.empty() ? table->arms[column] : options.name;
  auto placed = predict::place_arm(*model, name, anchor_rows(*model, *table, known, column, rows));
  if (!placed) return placed.error();
  // What the file said of itself stays; what is ours is written anew.
  std::map<std::string, std::string> extra;
  for (const auto& [key, value] : artefact->file.all_metadata()) extra.emplace(key, value);
  const std::string how = predict::placement_json(*placed, model->arms);
  extra["placed." + name] = how;
  const std::string out = predict::write_artefact(*model, extra);
  if (auto done = write_file(options.out, out); !done) return done;
  print_placement(*placed, *model, options, how);
  return {};
}

}  // namespace

predict::AnchorRows anchor_rows(const predict::Model& model, const outcomes::Table& table,
                                const std::vector<std::size_t>& known, std::size_t arm,
                                const std::vector<std::size_t>& rows) {
  const auto n = static_cast<predict::Index>(rows.size());
  predict::AnchorRows out;
  out.x = predict::embed_all(model.embedding.view(), rows.size(),
                             [&](std::size_t i) { return table.prompts[rows[i]]; });
  out.known =
      predict::Matrix::Constant(n, static_cast<predict::Index>(known.size()), outcomes::kMissing);
  out.score.resize(n), out.cost.resize(n), out.completion_tokens.resize(n);
  for (predict::Index i = 0; i < n; ++i) {
    const std::size_t row = rows[static_cast<std::size_t>(i)], cell = table.cell(row, arm);
    for (std::size_t j = 0; j < known.size(); ++j)
      if (known[j] < table.arm_count())
        out.known(i, static_cast<predict::Index>(j)) = table.score[table.cell(row, known[j])];
    out.score(i) = table.score[cell];
    out.cost(i) = table.cost[cell];
    const std::int32_t tokens = table.completion_tokens[cell];
    out.completion_tokens(i) =
        tokens == outcomes::kNoTokens ? outcomes::kMissing : static_cast<float>(tokens);
  }
  return out;
}

void add_anchor_options(CLI::App& command, AnchorCommand& options) {
  command
      .add_option("--anchors", options.choose,
                  "Write so many prompts of --outcomes that tell models apart to --out")
      ->expected(0, 1)
      ->default_str("100");
  command.add_option("--anchors-from", options.from,
                     "Place the model of --scores in --router; what --anchors wrote");
  command.add_option("--scores", options.scores, "Outcomes of the new model on the anchors");
  command.add_option("--ask", options.ask.url,
                     "Ask the new model the anchors at this OpenAI-compatible base URL and write "
                     "its answers, scored by their references, to --scores");
  command.add_option("--model", options.ask.model, "What that upstream calls the new model");
  command.add_option("--key-env", options.ask.key_env,
                     "Environment variable that holds the upstream's key");
  command
      .add_option("--concurrency", options.ask.concurrency,
                  "Questions of --ask or --config at a time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--max-tokens", options.ask.max_tokens, "Of each answer; 0: no limit")
      ->capture_default_str();
  command.add_option("--name", options.name, "Of the new arm; default: as in --scores");
  command.add_option("--price", options.price,
                     "INPUT,OUTPUT of the new model in USD per million tokens");
  command.add_option("--out", options.out, "Write the anchors, or the changed router, here");
  command.add_flag("--anchors-report", options.report,
                   "Leave each model of --outcomes out in turn and place it");
  command.add_option("--sizes", options.sizes, "Numbers of anchors for --anchors-report")
      ->delimiter(',')
      ->check(CLI::Range(10, 100000))
      ->capture_default_str();
  command.add_option("--holdout", options.holdout, "Share of test rows for --anchors-report")
      ->check(CLI::Range(0.05, 0.95))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of anchors and of the split")->capture_default_str();
  command.add_flag("--random-anchors", options.at_random,
                   "Anchors at random instead, to compare with");
}

Result<void> run_anchors(const AnchorCommand& options) {
  catch_interrupts();
  if (options.choose.has_value() + !options.from.empty() + options.report != 1)
    return wrong(
        "more than one of --anchors, --anchors-from and --anchors-report is given; expected one");
  if (options.choose) return choose(options);
  return options.report ? report_anchors(options) : place(options);
}

}  // namespace rung::cli
