#include "outcomes/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/progress.h"
#include "json/value.h"
#include "outcomes/line_reader.h"

namespace rung::outcomes {
namespace {

// The number of a name in `names`, which grows.
std::size_t number_of(const std::string& name, std::vector<std::string>& names,
                      std::unordered_map<std::string, std::size_t>& known) {
  const auto [at, added] = known.emplace(name, names.size());
  if (added) names.push_back(name);
  return at->second;
}

Sample sample_of(json::Value value) {
  Sample out;
  if (!value.is_object()) return out;
  for (const json::Member& m : json::members(value)) {
    if (m.key.equals("correct") && m.value.is_bool()) {
      out.correct = m.value.is_true() ? Correct::kRight : Correct::kWrong;
    } else if (m.key.equals("answer") && !m.value.is_null()) {
      out.answer = m.value.is_string() ? m.value.text() : std::string(m.value.raw);
      out.has_answer = true;
    } else if (m.key.equals("completion_tokens") && m.value.is_number()) {
      out.completion_tokens = static_cast<std::int32_t>(m.value.number().value_or(-1));
    }
  }
  return out;
}

Result<SampledItem> item_of(std::string_view line, Samples& out,
                            std::unordered_map<std::string, std::size_t>& known) {
  auto root = json::parse(line);
  if (!root) return root.error();
  if (!root->is_object()) {
    return Error{ErrorCode::kInvalidData, fmt::format("found {}; expected an object with the "
                                                      "samples of one question",
                                                      json::name(root->kind()))};
  }
  SampledItem item;
  const auto id = json::find(*root, "id");
  if (!id || !id->is_string())
    return Error{ErrorCode::kInvalidData, "no text \"id\"; expected one in each row"};
  item.id = id->text();
  if (const auto prompt = json::find(*root, "prompt"); prompt && prompt->is_string())
    item.prompt_bytes = static_cast<std::uint32_t>(prompt->text().size());
  const auto models = json::find(*root, "models");
  if (!models || !models->is_object())
    return Error{ErrorCode::kInvalidData, "no object \"models\"; expected {MODEL: [sample, ...]}"};
  for (const json::Member& m : json::members(*models)) {
    if (!m.value.is_array()) {
      return Error{ErrorCode::kInvalidData,
                   fmt::format("models.{} is {}; expected an array of samples (one answer a row "
                               "is an outcomes file)",
                               m.key.text(), json::name(m.value.kind()))};
    }
    const std::size_t at = number_of(m.key.text(), out.models, known);
    if (item.of_model.size() <= at) item.of_model.resize(at + 1);
    for (const json::Value value : json::elements(m.value))
      item.of_model[at].push_back(sample_of(value));
  }
  return item;
}

}  // namespace

Result<Samples> read_samples(std::span<const std::string> files) {
  Samples out;
  std::unordered_map<std::string, std::size_t> known;
  for (const std::string& file : files) {
    auto source = ByteSource::open(file);
    if (!source) return source.error();
    LineReader reader(std::move(*source));
    std::string_view line;
    for (;;) {
      auto more = reader.next(line);
      if (!more) return more.error();
      if (!*more) break;
      if (interrupted()) return Error{ErrorCode::kCancelled, "reading samples was interrupted"};
      auto item = item_of(line, out, known);
      if (!item) return item.error().with(fmt::format("{}:{}", file, reader.line_number()));
      out.items.push_back(std::move(*item));
    }
  }
  for (SampledItem& item : out.items) item.of_model.resize(out.models.size());
  return out;
}

std::string_view model_of(std::string_view arm) {
  const std::size_t at = arm.find_first_of(":@");
  if (at == std::string_view::npos || at == 0 || at + 1 == arm.size()) return arm;
  const std::string_view suffix = arm.substr(at + 1);
  const bool is_name = (suffix.front() >= '0' && suffix.front() <= '9') || suffix == "latest";
  return is_name ? arm : arm.substr(0, at);
}

double none_right(std::size_t n, std::size_t c, std::size_t k) {
  RUNG_CHECK(k <= n && c <= n, "no more samples are drawn, and no more are right, than there are");
  if (n - c < k) return 0;
  double product = 1;
  for (std::size_t i = n - c + 1; i <= n; ++i)
    product *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return product;
}

}  // namespace rung::outcomes
