// rung train: a router from outcomes, with every choice made by cross-validation, and a summary
// that says what came of it.

#include "predict/train.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/progress.h"
#include "commands.h"
#include "json/write.h"
#include "outcomes/pairs.h"
#include "outcomes/reader.h"
#include "predict/artefact.h"
#include "predict/published_artefact.h"
#include "published_summary.h"

namespace rung::cli {
namespace {

struct TrainCommand {
  std::vector<std::string> outcomes, pairs;
  std::string out, strong, weak;
  std::vector<std::string> descriptions;  // "ARM=plain words"
  predict::TrainOptions options;
  std::string encoder;  // its file; empty: none
  bool json = false;
};

/// SHA-256 of what training sees (names, prompts, scores, costs, tokens), so that the same rows
/// give the same hash whether they came packed or plain, in one file or two.
std::string table_sha256(const outcomes::Table& table) {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  const auto bytes = [&](const void* data, std::size_t size) {
    const std::uint64_t length = size;
    EVP_DigestUpdate(hash.get(), &length, sizeof length);
    EVP_DigestUpdate(hash.get(), data, size);
  };
  const auto column = [&](const auto& values) {
    bytes(values.data(), values.size() * sizeof values[0]);
  };
  for (const auto& names : {table.arms, table.categories})
    for (const std::string& name : names) bytes(name.data(), name.size());
  for (std::size_t i = 0; i < table.rows(); ++i)
    for (const std::string_view text : {table.ids[i], table.prompts[i]})
      bytes(text.data(), text.size());
  column(table.category);
  column(table.score);
  column(table.cost);
  column(table.prompt_tokens);
  column(table.completion_tokens);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(hash.get(), digest, &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Result<void> describe(std::vector<predict::ArmInfo>& arms,
                      const std::vector<std::string>& descriptions) {
  for (const std::string& text : descriptions) {
    const auto split = text.find('=');
    const std::string name = text.substr(0, split);
    const auto arm =
        std::find_if(arms.begin(), arms.end(), [&](const auto& a) { return a.name == name; });
    if (split == std::string::npos || arm == arms.end())
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("--describe {}: expected ARM=WORDS with an arm of the outcomes", text)};
    arm->description = text.substr(split + 1);
  }
  return {};
}

std::string verdict(const predict::Model& model) {
  if (!model.is_static)
    return fmt::format(
        "{}out of fold {:.2f} +- {:.2f} points above the best static mixture, at equal cost",
        model.members.back().name == "costs"
            ? "no difference of quality showed by more than chance; what an answer costs did: "
            : "",
        model.hull_gain, model.hull_gain_se);
  if (model.arms.size() < 2 || model.method == "static")
    return "static: every estimate is the arm's mean";
  return fmt::format(
      "nothing here beats the best static mixture by more than chance (out of fold {:.2f} +- "
      "{:.2f} "
      "points), so that mixture is served: every estimate is the arm's mean",
      model.hull_gain, model.hull_gain_se);
}

std::string summary_text(const predict::Model& model, const TrainCommand& command,
                         std::size_t bytes) {
  std::size_t kept = 0, width = 4;
  for (const auto& arm : model.arms) {
    kept += arm.kept;
    width = std::max(width, arm.name.size());
  }
  std::string out = fmt::format("trained on {} rows, {} arms ({} kept), method {}\n\n", model.rows,
                                model.arms.size(), kept, model.method);
  out +=
      fmt::format("  {:<{}}  {:>7}  {:>12}  {:>8}\n", "arm", width, "score", "USD / 1000", "rows");
  for (const auto& arm : model.arms)
    out += fmt::format("  {:<{}}  {:>7.3f}  {:>12}  {:>8}{}\n", arm.name, width, arm.mean_quality,
                       arm.has_cost ? fmt::format("{:.4f}", 1000 * arm.mean_cost_usd) : "unknown",
                       arm.rows, arm.kept ? "" : "  pruned: off the frontier");
  if (!model.members.empty()) out += "\n  member        weight\n";
  for (const auto& member : model.members)
    out += fmt::format("  {:<12}  {:>6.2f}  {}\n", member.name, member.weight, member.detail);
  out += fmt::format("\n{}\nwrote {} ({:.1f} MiB)\n", verdict(model), command.out,
                     static_cast<double>(bytes) / (1 << 20));
  return out;
}

std::string summary_json(const predict::Model& model, const TrainCommand& command,
                         const std::string& sha256, std::size_t bytes) {
  json::Writer w;
  w.begin_object()
      .key("router")
      .string(command.out)
      .key("bytes")
      .number(bytes)
      .key("rows")
      .number(model.rows);
  w.key("method")
      .string(model.method)
      .key("seed")
      .number(model.seed)
      .key("static")
      .boolean(model.is_static);
  w.key("hull_gain").number(model.hull_gain).key("hull_gain_se").number(model.hull_gain_se);
  w.key("training_data_sha256").string(sha256).key("verdict").string(verdict(model));
  w.key("members").begin_array();
  for (const auto& member : model.members)
    w.begin_object()
        .key("name")
        .string(member.name)
        .key("weight")
        .number(member.weight)
        .key("detail")
        .string(member.detail)
        .end_object();
  w.end_array().key("arms").begin_array();
  for (const auto& arm : model.arms) {
    w.begin_object().key("name").string(arm.name).key("kept").boolean(arm.kept).key("rows").number(
        arm.rows);
    w.key("score").number(static_cast<double>(arm.mean_quality)).key("cost");
    arm.has_cost ? w.number(static_cast<double>(arm.mean_cost_usd)) : w.null();
    w.end_object();
  }
  w.end_array().end_object();
  return w.take() + "\n";
}

/// What can be said of the options before a file is read.
Result<void> check(const TrainCommand& command) {
  const std::string& method = command.options.method;
  const auto bad = [](std::string sentence) {
    return Error{ErrorCode::kInvalidArgument, std::move(sentence)};
  };
  if (command.outcomes.empty() == command.pairs.empty())
    return bad("expected --outcomes or --pairs, and not both");
  const bool published = predict::find_published(method) != nullptr;
  if (!command.pairs.empty() && !method.starts_with("routellm-"))
    return bad(
        fmt::format("--pairs trains routellm-mf and routellm-sw alone; --method {} learns "
                    "from --outcomes (rung import pairs makes them)",
                    method));
  if (!published && (!command.strong.empty() || !command.weak.empty()))
    return bad(fmt::format("--strong and --weak are for methods of one pair of arms; {} learns all",
                           method));
  if (published && !command.encoder.empty())
    return bad(fmt::format("--encoder is for the default's members; {} takes none", method));
  return {};
}

Result<void> train(const TrainCommand& command) {
  catch_interrupts();
  if (auto good = check(command); !good) return good;
  auto table = command.pairs.empty() ? outcomes::read_table(command.outcomes)
                                     : outcomes::read_pairs(command.pairs);
  if (!table) return table.error();
  const std::string sha256 = table_sha256(*table);
  std::string bytes, summary;
  if (predict::find_published(command.options.method) != nullptr) {
    auto model = predict::train_published(
        *table, {command.options.method, command.strong, command.weak, command.options.seed});
    if (!model) return model.error();
    if (auto done = describe(model->arms, command.descriptions); !done) return done;
    bytes = predict::write_published(*model, {{"training_data_sha256", sha256}});
    summary = command.json ? published_json(*model, command.out, sha256, bytes.size())
                           : published_text(*model, command.out, bytes.size());
  } else {
    predict::TrainOptions options = command.options;
    std::shared_ptr<const predict::Encoder> encoder;
    if (!command.encoder.empty()) {
      auto loaded = predict::Encoder::load(command.encoder);
      if (!loaded) return loaded.error();
      encoder = std::move(*loaded);
      options.encoder = encoder.get();
    }
    auto model = predict::train(*table, options);
    if (!model) return model.error();
    if (auto done = describe(model->arms, command.descriptions); !done) return done;
    bytes = predict::write_artefact(*model, {{"training_data_sha256", sha256}});
    summary = command.json ? summary_json(*model, command, sha256, bytes.size())
                           : summary_text(*model, command, bytes.size());
  }
  if (auto done = write_file(command.out, bytes); !done) return done;
  std::fwrite(summary.data(), 1, summary.size(), stdout);
  return {};
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto command = std::make_shared<TrainCommand>();
  CLI::App* sub = app.add_subcommand("train", "Make a router from outcomes");
  sub->add_option("--outcomes", command->outcomes, "Outcome files; - is standard input");
  sub->add_option("--pairs", command->pairs,
                  "Instead, for routellm-*: JSON lines of prompt, model_a, model_b, winner");
  sub->add_option("--strong", command->strong,
                  "Pair methods and best-route: the stronger arm; default the best single one");
  sub->add_option("--weak", command->weak, "Pair methods: the weaker arm; default the cheapest");
  sub->add_option("--out", command->out, "Write the router here")->required();
  sub->add_option(
         "--method", command->options.method,
         "ensemble, or one member alone: linear, knn, tasks, cluster, lowrank; static; or a "
         "published one: routellm-mf, routellm-sw, hybrid-det, hybrid-prob, hybrid-trans, "
         "best-route, avengers-pro, avengers-pro-rank, avengers")
      ->capture_default_str();
  sub->add_option("--folds", command->options.folds,
                  "Folds of cross-validation; default 10 below 3,000 rows, else 5")
      ->check(CLI::Range(2, 20));
  sub->add_option("--seed", command->options.seed, "Seed of every random choice")
      ->capture_default_str();
  sub->add_option("--encoder", command->encoder,
                  "File of rung encoder fetch: its vectors take part in learning (slow decisions)");
  sub->add_option("--encoder-tokens", command->options.encoder_tokens,
                  "Tokens that the encoder reads of a prompt")
      ->check(CLI::Range(2, 512))
      ->capture_default_str();
  sub->add_option("--describe", command->descriptions, "ARM=WORDS: plain words for rung models")
      ->take_all();
  sub->add_flag("--json", command->json, "Print one JSON object instead of the summary");
  sub->callback([command, &action] {
    action = [command] {
      auto done = train(*command);
      if (done) return kDone;
      fmt::print(stderr, "rung train: {}\n", done.error().message);
      return kBadInput;
    };
  });
}

}  // namespace rung::cli
