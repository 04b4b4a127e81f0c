#include "outcomes/import.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "base/progress.h"
#include "json/write.h"
#include "outcomes/csv.h"
#include "outcomes/import_records.h"
#include "outcomes/pairs.h"
#include "outcomes/writer.h"

namespace rung::outcomes {
namespace {

std::optional<double> decimal(std::string_view text) {
  double value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

// The file being written, and the ids that it holds.
class Rows {
 public:
  explicit Rows(PackedFile file) : file_(std::move(file)) {}
  Result<void> add(std::string_view id, std::string_view where, json::Writer& row) {
    const auto [seen, added] = seen_.try_emplace(std::string(id), std::string(where));
    if (!added) {
      return invalid(where, "id",
                     fmt::format("{}, which is already the id of {}", in_quotes(id), seen->second),
                     "each id once");
    }
    if (interrupted()) return Error{ErrorCode::kCancelled, "importing was interrupted"};
    return file_.write(row.take() + "\n");
  }
  std::size_t count() const { return seen_.size(); }
  Result<void> commit() { return file_.commit(); }

 private:
  PackedFile file_;
  std::unordered_map<std::string, std::string> seen_;
};

void begin_row(json::Writer& w, std::string_view id, std::string_view prompt) {
  w.begin_object().key("id").string(id).key("prompt").string(prompt);
}

Result<void> import_pair(const Record& record, std::string id, Rows& rows) {
  auto pair = parse_pair(record);
  if (!pair) return pair.error();
  const auto& [prompt, a, b, score] = *pair;
  json::Writer w;
  begin_row(w, id, prompt);
  w.key("models").begin_object().key(a).begin_object().key("score").number(score).end_object();
  w.key(b).begin_object().key("score").number(1 - score).end_object().end_object().end_object();
  return rows.add(id, record.where(), w);
}

// The text of the last message of the user; parts that are not text are left out.
Result<std::string> last_user_text(const Record& record) {
  const auto messages = record.find("request/messages");
  dom::array list;
  if (!messages || messages->get(list) != simdjson::SUCCESS) {
    return record.bad("request/messages", messages, "a list of chat messages");
  }
  std::optional<std::string> last;
  for (const dom::element message : list) {
    std::string_view role, text;
    dom::element content;
    if (message["role"].get(role) != simdjson::SUCCESS || role != "user") continue;
    if (message["content"].get(content) != simdjson::SUCCESS) continue;
    dom::array parts;
    if (content.get(text) == simdjson::SUCCESS) {
      last = std::string(text);
    } else if (content.get(parts) == simdjson::SUCCESS) {
      last.emplace();
      for (const dom::element part : parts) {
        if (part["text"].get(text) == simdjson::SUCCESS) last->append(text);
      }
    }
  }
  if (!last)
    return invalid(record.where(), "request/messages", "no message of the user",
                   "at least one message whose role is user");
  return std::move(*last);
}

Result<std::optional<double>> logged_score(const Record& record) {
  for (const std::string_view field : {"score", "feedback", "feedback/score"}) {
    const auto value = record.find(field);
    if (!value || value->is_object()) continue;
    bool good = false;
    if (value->get(good) == simdjson::SUCCESS) return std::optional<double>(good ? 1.0 : 0.0);
    double score = 0;
    if (!value->is_number() || value->get(score) != simdjson::SUCCESS || score < 0 || score > 1) {
      return record.bad(field, value, "a number between 0 and 1, true, false or null");
    }
    return std::optional<double>(score);
  }
  return std::optional<double>();
}

Result<std::optional<std::int64_t>> logged_tokens(const Record& record, std::string_view field) {
  const auto value = record.find(field);
  if (!value) return std::optional<std::int64_t>();
  std::int64_t count = 0;
  if (value->get(count) != simdjson::SUCCESS || count < 0)
    return record.bad(field, value, "a token count of 0 or more");
  return std::optional<std::int64_t>(count);
}

Result<void> import_log(const Record& record, std::string id, const ImportOptions& options,
                        Rows& rows) {
  // Batch files wrap the response once more.
  const std::string response = record.find("response/body") ? "response/body/" : "response/";
  auto prompt = last_user_text(record);
  if (!prompt) return prompt.error();
  auto model = record.text(response + "model", "the name of the model that answered");
  if (!model) return model.error();
  auto input = logged_tokens(record, response + "usage/prompt_tokens");
  if (!input) return input.error();
  auto output = logged_tokens(record, response + "usage/completion_tokens");
  if (!output) return output.error();
  auto score = logged_score(record);
  if (!score) return score.error();
  std::optional<double> cost;
  const auto price = options.prices.find(*model);
  if (price != options.prices.end() && *input && *output) {
    cost = (Tokens{**input} * price->second.input + Tokens{**output} * price->second.output).value;
  }
  if (const auto own = record.find(response + "id"); own && own->is_string())
    id = std::string(own->get_string().value_unsafe());
  json::Writer w;
  begin_row(w, id, *prompt);
  w.key("models").begin_object().key(*model).begin_object();
  w.key("score").number_or_null(*score).key("cost").number_or_null(cost);
  w.key("prompt_tokens").number_or_null(*input).key("completion_tokens").number_or_null(*output);
  if (const auto text = record.find(response + "choices/0/message/content");
      text && text->is_string()) {
    w.key("output").string(text->get_string().value_unsafe());
  }
  w.end_object().end_object().end_object();
  return rows.add(id, record.where(), w);
}

struct WideModel {
  std::string name;
  std::size_t score, cost;
  std::optional<std::size_t> output;
};

struct WideHeader {
  std::size_t id = 0, prompt = 0;
  std::optional<std::size_t> category;
  std::vector<WideModel> models;
};

Result<WideHeader> wide_header(const std::vector<std::string>& names, const std::string& where) {
  std::unordered_map<std::string_view, std::size_t> at;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!at.emplace(names[i], i).second)
      return invalid(where, fmt::format("column {}", i + 1), in_quotes(names[i]) + " a second time",
                     "each column once");
  }
  WideHeader header;
  for (const auto& [name, place] :
       {std::pair{"sample_id", &header.id}, {"prompt", &header.prompt}}) {
    if (!at.contains(name))
      return invalid(where, "header", fmt::format("no column \"{}\"", name),
                     "sample_id, prompt, eval_name and for each model MODEL, MODEL|total_cost");
    *place = at[name];
  }
  if (at.contains("eval_name")) header.category = at["eval_name"];
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto cost = at.find(names[i] + "|total_cost");
    if (cost == at.end()) continue;
    const auto output = at.find(names[i] + "|model_response");
    header.models.push_back({names[i], i, cost->second,
                             output == at.end() ? std::nullopt : std::optional(output->second)});
  }
  if (header.models.empty())
    return invalid(where, "header", "no pair of columns MODEL and MODEL|total_cost",
                   "one for each model");
  return header;
}

Result<void> import_wide(const std::string& file, Rows& rows) {
  auto source = ByteSource::open(file);
  if (!source) return source.error();
  CsvReader csv(std::move(*source));
  std::vector<std::string> fields;
  auto more = csv.next(fields);
  if (!more) return more.error();
  if (!*more)
    return Error{ErrorCode::kInvalidData,
                 fmt::format("{}: is empty; expected a header and one line per query", csv.name())};
  const std::size_t width = fields.size();
  auto header = wide_header(fields, fmt::format("{}:{}", csv.name(), csv.line()));
  if (!header) return header.error();
  for (;;) {
    more = csv.next(fields);
    if (!more) return more.error();
    if (!*more) return {};
    const std::string where = fmt::format("{}:{}", csv.name(), csv.line());
    if (fields.size() != width) {
      return invalid(where, "line", fmt::format("{} columns", fields.size()),
                     fmt::format("{}, as the header has", width));
    }
    if (fields[header->id].empty())
      return invalid(where, "sample_id", "nothing", "an id that no other line has");
    json::Writer w;
    begin_row(w, fields[header->id], fields[header->prompt]);
    if (header->category && !fields[*header->category].empty())
      w.key("category").string(fields[*header->category]);
    w.key("models").begin_object();
    for (const WideModel& model : header->models) {
      const auto cell = [&](std::size_t column, double most,
                            std::string_view expected) -> Result<std::optional<double>> {
        const std::string& text = fields[column];
        if (text.empty()) return std::optional<double>();
        const auto value = decimal(text);
        if (value && *value >= 0 && *value <= most) return value;
        return invalid(fmt::format("{}, column {}", where, column + 1), model.name, in_quotes(text),
                       expected);
      };
      auto score =
          cell(model.score, 1, "a score between 0 and 1, or an empty field when it is missing");
      if (!score) return score.error();
      auto cost = cell(model.cost, 1e9,
                       "a cost in US dollars, 0 or more, or an empty field when it is missing");
      if (!cost) return cost.error();
      w.key(model.name)
          .begin_object()
          .key("score")
          .number_or_null(*score)
          .key("cost")
          .number_or_null(*cost);
      if (model.output && !fields[*model.output].empty())
        w.key("output").string(fields[*model.output]);
      w.end_object();
    }
    w.end_object().end_object();
    if (auto done = rows.add(fields[header->id], where, w); !done) return done;
  }
}

Result<void> import_file(std::string_view kind, const std::string& file,
                         const ImportOptions& options, Rows& rows) {
  if (kind == "pairs") {
    return json_lines(file, [&](const Record& record, std::string id) {
      if (const auto own = record.find("id"); own && own->is_string())
        id = std::string(own->get_string().value_unsafe());
      return import_pair(record, std::move(id), rows);
    });
  }
  if (kind == "openai-log") {
    return json_lines(file, [&](const Record& record, std::string id) {
      return import_log(record, std::move(id), options, rows);
    });
  }
  return import_wide(file, rows);
}

}  // namespace

Result<std::pair<std::string, Price>> parse_price(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  const std::size_t equals = slash == std::string_view::npos ? slash : text.rfind('=', slash);
  if (equals != std::string_view::npos && equals > 0) {
    const auto in = decimal(text.substr(equals + 1, slash - equals - 1)),
               out = decimal(text.substr(slash + 1));
    if (in && out && *in >= 0 && *out >= 0)
      return std::pair{std::string(text.substr(0, equals)), Price{{*in}, {*out}}};
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("--price: found {}; expected MODEL=IN/OUT in USD per million tokens, "
                           "such as small=0.05/0.20",
                           in_quotes(text))};
}

Result<std::size_t> import_outcomes(std::string_view kind, std::span<const std::string> files,
                                    const std::filesystem::path& out,
                                    const ImportOptions& options) {
  if (kind != "pairs" && kind != "routerbench" && kind != "openai-log") {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("cannot import {}; expected pairs, routerbench or openai-log",
                             in_quotes(kind))};
  }
  auto file = PackedFile::create(out);
  if (!file) return file.error();
  Rows rows(std::move(*file));
  for (const std::string& name : files) {
    const std::size_t before = rows.count();
    if (auto done = import_file(kind, name, options, rows); !done) return done.error();
    if (rows.count() == before)
      return Error{ErrorCode::kInvalidData,
                   fmt::format("{}: holds no record; expected at least one", name)};
  }
  if (auto done = rows.commit(); !done) return done.error();
  return rows.count();
}

}  // namespace rung::outcomes
