#include "outcomes/pairs.h"

#include <fmt/format.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "outcomes/import_records.h"

namespace rung::outcomes {

Result<PreferencePair> parse_pair(const Record& record) {
  auto prompt = record.text("prompt", "the text that was asked, as a string");
  if (!prompt) return prompt.error();
  auto a = record.text("model_a", "the name of a model");
  if (!a) return a.error();
  auto b = record.text("model_b", "the name of a model");
  if (!b) return b.error();
  if (*a == *b)
    return invalid(record.where(), "model_b", in_quotes(*b) + ", the same as model_a",
                   "two different models");
  auto winner = record.text("winner", "model_a, model_b, a, b or tie");
  if (!winner) return winner.error();
  double score = 0.5;
  if (*winner == "model_a" || *winner == "a") {
    score = 1;
  } else if (*winner == "model_b" || *winner == "b") {
    score = 0;
  } else if (*winner != "tie") {
    return invalid(record.where(), "winner", in_quotes(*winner), "model_a, model_b, a, b or tie");
  }
  return PreferencePair{*prompt, *a, *b, score};
}

Result<Table> read_pairs(std::span<const std::string> files) {
  struct Cells {
    std::size_t a, b;
    float score_a;
  };
  Table table;
  std::vector<Cells> rows;
  std::unordered_map<std::string, std::size_t> known;
  const auto arm = [&](std::string_view name) {
    const auto [at, added] = known.try_emplace(std::string(name), table.arms.size());
    if (added) table.arms.emplace_back(name);
    return at->second;
  };
  for (const std::string& file : files) {
    auto done = json_lines(file, [&](const Record& record, const std::string&) -> Result<void> {
      auto pair = parse_pair(record);
      if (!pair) return pair.error();
      if (interrupted()) return Error{ErrorCode::kCancelled, "reading was interrupted"};
      table.ids.push(std::to_string(rows.size()));
      table.prompts.push(pair->prompt);
      const std::size_t a = arm(pair->a), b = arm(pair->b);
      rows.push_back({a, b, static_cast<float>(pair->score_a)});
      return {};
    });
    if (!done) return done.error();
  }
  if (rows.empty())
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{}: holds no pair; expected at least one", fmt::join(files, ", "))};
  const std::size_t cells = rows.size() * table.arm_count();
  table.category.assign(rows.size(), kNoCategory);
  table.score.assign(cells, kMissing);
  table.cost.assign(cells, kMissing);
  table.prompt_tokens.assign(cells, kNoTokens);
  table.completion_tokens.assign(cells, kNoTokens);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.score[table.cell(i, rows[i].a)] = rows[i].score_a;
    table.score[table.cell(i, rows[i].b)] = 1 - rows[i].score_a;
  }
  return table;
}

}  // namespace rung::outcomes
