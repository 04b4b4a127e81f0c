#include "replay/data.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "json/value.h"
#include "outcomes/line_reader.h"
#include "outcomes/reader.h"

namespace rung::replay {

struct Data::Table {
  outcomes::Outcomes outcomes;
};

struct Data::Samples {
  struct Sample {
    std::optional<std::string> output;
    std::optional<double> score, cost;
    std::optional<std::int64_t> prompt_tokens, completion_tokens;
  };
  struct Row {
    std::string id, prompt;
    std::optional<std::string> reference;
    std::vector<std::pair<std::string, std::vector<Sample>>> models;
  };
  std::vector<Row> rows;
};

namespace {

std::optional<double> number_of(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_number() ? value->number() : std::nullopt;
}
std::optional<std::int64_t> integer_of(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_number() ? value->integer() : std::nullopt;
}
std::optional<std::string> text_of(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_string() ? std::optional(value->text()) : std::nullopt;
}

Error bad(std::string_view where, std::string_view what) {
  return {ErrorCode::kInvalidData, std::string(where).append(": ").append(what)};
}

}  // namespace

std::string normalise(std::string_view text) {
  std::string out;
  bool space = false;
  for (const char c : text) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

Data::Data() : table_(std::make_unique<Table>()), samples_(std::make_unique<Samples>()) {}
Data::~Data() = default;
Data::Data(Data&&) noexcept = default;

void Data::add_model(std::string_view model) {
  if (!has_model(model)) models_.emplace_back(model);
}

bool Data::has_model(std::string_view model) const {
  return std::find(models_.begin(), models_.end(), model) != models_.end();
}

void Data::index(std::string_view prompt, Place place) {
  exact_.emplace(hash64(prompt), place);
  normalised_.emplace(hash64(normalise(prompt)), place);
}

Result<void> Data::add_outcomes(std::span<const std::string> files) {
  auto read = outcomes::read_outcomes(files, {.keep_outputs = true});
  if (!read) return read.error();
  table_->outcomes = std::move(*read);
  const outcomes::Table& table = table_->outcomes.table;
  for (const std::string& arm : table.arms) add_model(arm);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    index(table.prompts[row], {.source = 0, .row = static_cast<std::uint32_t>(row)});
  }
  return {};
}

Result<void> Data::add_samples(std::span<const std::string> files) {
  for (const std::string& file : files) {
    auto source = outcomes::ByteSource::open(file);
    if (!source) return source.error();
    outcomes::LineReader reader(std::move(*source));
    std::string_view line;
    for (;;) {
      auto more = reader.next(line);
      if (!more) return more.error();
      if (!*more) break;
      const std::string where = file + ":" + std::to_string(reader.line_number());
      const auto root = json::parse(line);
      if (!root) return root.error().with(where);
      if (!root->is_object()) return bad(where, "found no object; expected a row of samples");
      Samples::Row row;
      const auto id = text_of(*root, "id"), prompt = text_of(*root, "prompt");
      if (!id || !prompt) return bad(where, "id or prompt is missing or no string; expected both");
      row.id = *id;
      row.prompt = *prompt;
      row.reference = text_of(*root, "reference");
      const auto models = json::find(*root, "models");
      if (!models || !models->is_object())
        return bad(where, "models is missing; expected an object");
      for (const json::Member& member : json::members(*models)) {
        const std::string model = member.key.text();
        if (!member.value.is_array()) {
          return bad(where,
                     "models[\"" + model +
                         "\"] is no array; expected the samples (outcomes go to --outcomes)");
        }
        std::vector<Samples::Sample> all;
        for (const json::Value value : json::elements(member.value)) {
          if (!value.is_object())
            return bad(where, "models[\"" + model + "\"] holds something that is no object");
          Samples::Sample sample;
          sample.output = text_of(value, "output");
          sample.score = number_of(value, "score");
          const auto correct = json::find(value, "correct");
          if (!sample.score && correct && correct->is_bool())
            sample.score = correct->is_true() ? 1 : 0;
          sample.cost = number_of(value, "cost");
          sample.prompt_tokens = integer_of(value, "prompt_tokens");
          sample.completion_tokens = integer_of(value, "completion_tokens");
          all.push_back(std::move(sample));
        }
        if (all.empty()) continue;
        add_model(model);
        row.models.emplace_back(model, std::move(all));
      }
      samples_->rows.push_back(std::move(row));
      index(samples_->rows.back().prompt,
            {.source = 1, .row = static_cast<std::uint32_t>(samples_->rows.size() - 1)});
    }
  }
  return {};
}

std::size_t Data::rows() const { return table_->outcomes.table.rows() + samples_->rows.size(); }

std::string_view Data::prompt_of(Place place) const {
  return place.source == 0 ? table_->outcomes.table.prompts[place.row]
                           : std::string_view(samples_->rows[place.row].prompt);
}

std::optional<Found> Data::read(Place place, std::string_view model) const {
  Found found;
  if (place.source == 1) {
    const Samples::Row& row = samples_->rows[place.row];
    found.id = row.id;
    if (row.reference) found.reference = *row.reference;
    for (const auto& [name, samples] : row.models) {
      if (name != model) continue;
      for (const Samples::Sample& s : samples) {
        Answer answer{.output = {},
                      .score = s.score,
                      .cost = s.cost,
                      .prompt_tokens = s.prompt_tokens,
                      .completion_tokens = s.completion_tokens};
        if (s.output) answer.output = *s.output;
        found.answers.push_back(answer);
      }
      return found;
    }
    return std::nullopt;
  }
  const auto& [table, texts] = table_->outcomes;
  const auto arm = std::find(table.arms.begin(), table.arms.end(), model);
  if (arm == table.arms.end()) return std::nullopt;
  const std::size_t cell =
      table.cell(place.row, static_cast<std::size_t>(arm - table.arms.begin()));
  Answer answer;
  if (!std::isnan(table.score[cell])) answer.score = static_cast<double>(table.score[cell]);
  if (!std::isnan(table.cost[cell])) answer.cost = static_cast<double>(table.cost[cell]);
  if (table.prompt_tokens[cell] >= 0) answer.prompt_tokens = table.prompt_tokens[cell];
  if (table.completion_tokens[cell] >= 0) answer.completion_tokens = table.completion_tokens[cell];
  if (texts.has_output[cell] != 0) answer.output = texts.outputs[cell];
  if (!answer.score && !answer.cost && !answer.output && !answer.completion_tokens)
    return std::nullopt;
  found.id = table.ids[place.row];
  if (texts.has_reference[place.row] != 0) found.reference = texts.references[place.row];
  found.answers.push_back(answer);
  return found;
}

std::optional<Found> Data::find(std::string_view prompt, std::string_view model) const {
  const auto exact = exact_.equal_range(hash64(prompt));
  for (auto at = exact.first; at != exact.second; ++at) {
    if (prompt_of(at->second) != prompt) continue;
    if (auto found = read(at->second, model)) return found;
  }
  const std::string plain = normalise(prompt);
  const auto near = normalised_.equal_range(hash64(plain));
  for (auto at = near.first; at != near.second; ++at) {
    if (normalise(prompt_of(at->second)) != plain) continue;
    if (auto found = read(at->second, model)) {
      found->exact = false;
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace rung::replay
