#include "state/rows.h"

#include <sqlite3.h>

#include <bit>
#include <charconv>
#include <cmath>

#include "json/write.h"
#include "state/limits.h"

namespace rung::state {
namespace {

constexpr std::string_view kInsertRequest =
    "INSERT INTO "
    "requests(id,time_us,key_name,route,requested_model,arm,served_model,upstream,strategy,policy,"
    "policy_parameter,predictor,reason,runner_up,propensity,seed,prompt_hash,prompt,arms,reference_"
    "arm,"
    "reference_estimate_nano,reference_nano,outcome,http_status,error,streaming,gateway_us,first_"
    "byte_us,total_us,"
    "call_count,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,tokens_unknown,"
    "tokens_estimated,"
    "spent_nano,cost_unknown,charged_nano) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr std::string_view kInsertCall =
    "INSERT INTO calls VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr std::string_view kAddSpend =
    "INSERT INTO spend VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT(scope,name,day) DO UPDATE SET "
    "requests=requests+excluded.requests,prompt_tokens=prompt_tokens+excluded.prompt_tokens,"
    "completion_tokens=completion_tokens+excluded.completion_tokens,"
    "spent_nano=spent_nano+excluded.spent_nano,charged_nano=charged_nano+excluded.charged_nano,"
    "cost_unknown=cost_unknown+excluded.cost_unknown";
constexpr std::string_view kInsertFeedback =
    "INSERT INTO feedback(decision,score,source,comment,time_us) VALUES(?,?,?,?,?)";

// Seeds and hashes use all 64 bits; SQLite's integers are signed, so the bits are kept and the sign
// is not meant.
std::int64_t bits(std::uint64_t value) { return std::bit_cast<std::int64_t>(value); }

template <class T>
void append_number(std::string_view key, T value, std::string& out) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(key).append(digits, static_cast<std::size_t>(end - digits));
}

void append_number(std::string_view key, const std::optional<float>& value, std::string& out) {
  if (value && std::isfinite(*value)) append_number(key, *value, out);
}

/// Sums over the calls of a request; what no call knew stays unknown.
struct CallSums {
  std::optional<std::int64_t> prompt, cached, completion, reasoning;
  std::int64_t tokens_unknown = 0, tokens_estimated = 0, cost_unknown = 0;
  NanoUsd spent;
};

void add(const std::optional<std::int64_t>& value, std::optional<std::int64_t>& sum) {
  if (value) sum = sum.value_or(0) + *value;
}

CallSums sums_of(const std::vector<CallRecord>& calls) {
  CallSums sums;
  for (const CallRecord& call : calls) {
    add(call.prompt_tokens, sums.prompt);
    add(call.cached_tokens, sums.cached);
    add(call.completion_tokens, sums.completion);
    add(call.reasoning_tokens, sums.reasoning);
    sums.tokens_unknown += call.usage_source == UsageSource::kNone && call.outcome == Outcome::kOk;
    sums.tokens_estimated += call.usage_source == UsageSource::kEstimate;
    sums.cost_unknown += !call.cost;
    if (call.cost) sums.spent += *call.cost;
  }
  return sums;
}

std::optional<std::int64_t> count_of(const std::optional<NanoUsd>& money) {
  if (!money) return std::nullopt;
  return money->count;
}

}  // namespace

std::size_t footprint(const RequestRecord& r) {
  std::size_t bytes = sizeof r + r.key_name.size() + r.route.size() + r.requested_model.size() +
                      r.arm.size() + r.served_model.size() + r.upstream.size() + r.policy.size() +
                      r.predictor.size() + r.reason.size() + r.prompt.size() + r.error.size();
  for (const ArmEstimate& arm : r.arms) bytes += sizeof arm + arm.arm.size() + arm.why_not.size();
  for (const CallRecord& call : r.calls) {
    bytes += sizeof call + call.model.size() + call.error.size() + call.usage.size();
  }
  return bytes;
}

std::size_t footprint(const FeedbackRecord& r) {
  return sizeof r + r.source.size() + r.comment.size();
}

void append_arms_json(const std::vector<ArmEstimate>& arms, std::string& out) {
  if (arms.empty()) return;
  char separator = '[';
  for (const ArmEstimate& arm : arms) {
    out.push_back(separator);
    separator = ',';
    out.append("{\"arm\":");
    json::append_quoted(arm.arm, out);
    if (!arm.why_not.empty()) {
      out.append(",\"why_not\":");
      json::append_quoted(arm.why_not, out);
    }
    append_number(",\"quality\":", arm.quality, out);
    append_number(",\"quality_se\":", arm.quality_se, out);
    if (arm.cost) append_number(",\"cost_nano\":", arm.cost->count, out);
    append_number(",\"completion_tokens\":", arm.completion_tokens, out);
    out.push_back('}');
  }
  out.push_back(']');
}

Result<RowWriter> RowWriter::prepare(const Database& db) {
  RowWriter writer;
  writer.db_ = db.handle();
  struct Want {
    std::string_view sql;
    Statement& into;
  };
  for (const Want& want :
       {Want{kInsertRequest, writer.request_}, Want{kInsertCall, writer.call_},
        Want{kInsertFeedback, writer.feedback_}, Want{kAddSpend, writer.spend_}}) {
    auto statement = db.prepare(want.sql);
    if (!statement) return statement.error();
    want.into = std::move(*statement);
  }
  return writer;
}

int RowWriter::insert(const RequestRecord& r, bool keep_prompt) {
  const CallSums sums = sums_of(r.calls);
  arms_.clear();
  append_arms_json(r.arms, arms_);
  int at = 0;
  Statement& s = request_;
  s.bind(++at, r.id.view());
  s.bind(++at, r.time_us);
  s.bind_or_null(++at, r.key_name);
  s.bind_or_null(++at, r.route);
  s.bind_or_null(++at, r.requested_model);
  s.bind_or_null(++at, r.arm);
  s.bind_or_null(++at, r.served_model);
  s.bind_or_null(++at, r.upstream);
  s.bind_or_null(++at, r.strategy);
  s.bind_or_null(++at, r.policy);
  s.bind_or_null(++at, r.policy_parameter);
  s.bind_or_null(++at, r.predictor);
  s.bind_or_null(++at, r.reason);
  s.bind_or_null(++at, r.runner_up);
  s.bind_or_null(++at, r.propensity);
  s.bind(++at, bits(r.seed));
  s.bind(++at, bits(r.prompt_hash));
  s.bind_or_null(++at, keep_prompt ? std::string_view(r.prompt) : std::string_view());
  s.bind_or_null(++at, arms_);
  s.bind_or_null(++at, r.reference_arm);
  s.bind_or_null(++at, count_of(r.reference_estimate));
  s.bind_or_null(++at, count_of(r.reference_cost));
  s.bind(++at, name(r.outcome));
  s.bind(++at, std::int64_t{r.http_status});
  s.bind_or_null(++at, r.error);
  s.bind(++at, std::int64_t{r.streaming});
  s.bind(++at, r.gateway_us);
  s.bind_or_null(++at, r.first_byte_us);
  s.bind(++at, r.total_us);
  s.bind(++at, static_cast<std::int64_t>(r.calls.size()));
  s.bind_or_null(++at, sums.prompt);
  s.bind_or_null(++at, sums.cached);
  s.bind_or_null(++at, sums.completion);
  s.bind_or_null(++at, sums.reasoning);
  s.bind(++at, sums.tokens_unknown);
  s.bind(++at, sums.tokens_estimated);
  s.bind(++at, sums.spent.count);
  s.bind(++at, sums.cost_unknown);
  s.bind_or_null(++at, count_of(r.charged));
  int code = s.step();
  s.reset();
  if (code != SQLITE_DONE) return code;
  const std::int64_t request = sqlite3_last_insert_rowid(db_);
  std::int64_t seq = 0;
  for (const CallRecord& call : r.calls) {
    code = insert_call(request, ++seq, call);
    if (code != SQLITE_DONE) return code;
  }
  const auto add_spend = [&](std::string_view scope, const std::string& name) {
    if (name.empty()) return;
    Spend& spend = batch_spend_[{scope, name, day_of(r.time_us)}];
    ++spend.requests;
    spend.prompt_tokens += sums.prompt.value_or(0);
    spend.completion_tokens += sums.completion.value_or(0);
    spend.spent += sums.spent;
    spend.charged += r.charged.value_or(sums.spent);
    spend.cost_unknown += sums.cost_unknown;
  };
  add_spend("key", r.key_name);
  add_spend("route", r.route);
  return SQLITE_DONE;
}

int RowWriter::finish_batch() {
  for (const auto& [key, spend] : batch_spend_) {
    int at = 0;
    spend_.bind(++at, std::get<0>(key));
    spend_.bind(++at, std::string_view(std::get<1>(key)));
    spend_.bind(++at, std::get<2>(key));
    for (const std::int64_t value : {spend.requests, spend.prompt_tokens, spend.completion_tokens,
                                     spend.spent.count, spend.charged.count, spend.cost_unknown})
      spend_.bind(++at, value);
    const int code = spend_.step();
    spend_.reset();
    if (code != SQLITE_DONE) return code;
  }
  batch_spend_.clear();
  return SQLITE_DONE;
}

int RowWriter::insert_call(std::int64_t request, std::int64_t seq, const CallRecord& c) {
  int at = 0;
  Statement& s = call_;
  s.bind(++at, request);
  s.bind(++at, seq);
  s.bind_or_null(++at, c.upstream);
  s.bind_or_null(++at, c.model);
  s.bind_or_null(++at, c.step);
  s.bind(++at, std::int64_t{c.attempt});
  s.bind(++at, name(c.outcome));
  if (c.status) {
    s.bind(++at, std::int64_t{*c.status});
  } else {
    s.bind_null(++at);
  }
  s.bind_or_null(++at, c.error);
  s.bind(++at, c.start_us);
  s.bind_or_null(++at, c.first_byte_us);
  s.bind(++at, c.end_us);
  s.bind_or_null(++at, c.prompt_tokens);
  s.bind_or_null(++at, c.cached_tokens);
  s.bind_or_null(++at, c.completion_tokens);
  s.bind_or_null(++at, c.reasoning_tokens);
  s.bind(++at, name(c.usage_source));
  s.bind_or_null(++at, c.usage);
  s.bind_or_null(++at, count_of(c.cost));
  s.bind_or_null(++at, c.cache_write_tokens);
  const int code = s.step();
  s.reset();
  return code;
}

int RowWriter::insert(const FeedbackRecord& r) {
  feedback_.bind(1, r.decision.view());
  feedback_.bind(2, r.score);
  feedback_.bind_or_null(3, r.source);
  feedback_.bind_or_null(4, r.comment);
  feedback_.bind(5, r.time_us);
  const int code = feedback_.step();
  feedback_.reset();
  return code;
}

}  // namespace rung::state
