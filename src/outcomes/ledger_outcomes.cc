#include "outcomes/ledger_outcomes.h"

#include <cmath>
#include <optional>
#include <unordered_map>
#include <vector>

#include "json/write.h"
#include "outcomes/writer.h"

namespace rung::outcomes {
namespace {

/// A mean of what is known.
struct Mean {
  double sum = 0;
  std::size_t count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  std::optional<double> value() const {
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
  }
};

struct ArmSums {
  std::string name;
  Mean score, cost, prompt_tokens, completion_tokens;
};

struct Row {
  std::string id;
  const std::string* prompt = nullptr;
  std::vector<ArmSums> arms;

  ArmSums& arm(const std::string& name) {
    for (ArmSums& known : arms)
      if (known.name == name) return known;
    return arms.emplace_back(ArmSums{name, {}, {}, {}, {}});
  }
};

std::optional<double> score_of(const state::StoredDecision& stored, const std::string& source) {
  Mean mean;
  for (const state::FeedbackRecord& feedback : stored.feedback)
    if (source.empty() || feedback.source == source) mean.add(feedback.score);
  return mean.value();
}

/// The call whose answer the client got: retries before it are the upstream's fault, not the arm's
/// price.
const state::CallRecord* answer_of(const state::RequestRecord& record) {
  for (auto call = record.calls.rbegin(); call != record.calls.rend(); ++call)
    if (call->outcome == state::Outcome::kOk) return &*call;
  return nullptr;
}

class Collector {
 public:
  explicit Collector(const std::string& source) : source_(source) {}

  void add(const state::StoredDecision& stored) {
    const state::RequestRecord& record = stored.record;
    const auto score = score_of(stored, source_);
    const state::CallRecord* answer = answer_of(record);
    if (!score) {
      ++report.unscored;
    } else if (record.arm.empty()) {
      ++report.no_arm;
    } else if (record.outcome != state::Outcome::kOk || answer == nullptr) {
      ++report.failed;
    } else if (record.prompt.empty()) {
      ++report.no_prompt;
    } else {
      ++report.used;
      take(record, *answer, *score);
    }
  }

  Result<void> write(PackedFile& file) const {
    for (const Row& row : rows_)
      if (auto done = file.write(line_of(row)); !done) return done;
    return {};
  }

  LedgerOutcomesReport report;

 private:
  void take(const state::RequestRecord& record, const state::CallRecord& answer, double score) {
    const auto [place, is_new] = by_prompt_.try_emplace(record.prompt, rows_.size());
    if (is_new) rows_.push_back({record.id.str(), &place->first, {}});
    report.rows = rows_.size();
    ArmSums& arm = rows_[place->second].arm(record.arm);
    arm.score.add(score);
    if (answer.cost)
      arm.cost.add(answer.cost->usd().value);
    else
      ++report.cost_unknown;
    if (answer.prompt_tokens) arm.prompt_tokens.add(static_cast<double>(*answer.prompt_tokens));
    if (answer.completion_tokens)
      arm.completion_tokens.add(static_cast<double>(*answer.completion_tokens));
  }

  static std::string line_of(const Row& row) {
    json::Writer w;
    w.begin_object().key("id").string(row.id).key("prompt").string(*row.prompt);
    w.key("models").begin_object();
    for (const ArmSums& arm : row.arms) {
      w.key(arm.name).begin_object().key("score").number_or_null(arm.score.value());
      w.key("cost").number_or_null(arm.cost.value());
      const auto tokens = [&](std::string_view key, const Mean& mean) {
        if (const auto value = mean.value()) w.key(key).number(std::llround(*value));
      };
      tokens("prompt_tokens", arm.prompt_tokens);
      tokens("completion_tokens", arm.completion_tokens);
      w.end_object();
    }
    w.end_object().end_object();
    return w.take() + "\n";
  }

  const std::string& source_;
  // The keys hold the prompts; a node's address stays when the map grows.
  std::unordered_map<std::string, std::size_t> by_prompt_;
  std::vector<Row> rows_;
};

}  // namespace

Result<LedgerOutcomesReport> write_ledger_outcomes(const state::LedgerReader& ledger,
                                                   const LedgerOutcomesOptions& options,
                                                   const std::filesystem::path& out) {
  Collector collector(options.source);
  auto read = ledger.scan(options.filter, [&](const state::StoredDecision& stored) -> Result<void> {
    collector.add(stored);
    return {};
  });
  if (!read) return read.error();
  if (collector.report.rows == 0) return collector.report;
  auto file = PackedFile::create(out);
  if (!file) return file.error();
  if (auto done = collector.write(*file); !done) return done.error();
  if (auto done = file->commit(); !done) return done.error();
  return collector.report;
}

}  // namespace rung::outcomes
