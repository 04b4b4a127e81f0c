#include "state/ledger_reader.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <mutex>

#include "json/value.h"
#include "state/schema.h"
#include "state/sqlite.h"
#include "state/totals.h"

namespace rung::state {
namespace {

constexpr int kBusyMs = 1000;

constexpr std::string_view kRequestColumns =
    "SELECT "
    "n,id,time_us,key_name,route,requested_model,arm,served_model,upstream,strategy,policy,policy_"
    "parameter,"
    "predictor,reason,runner_up,propensity,seed,prompt_hash,prompt,arms,reference_arm,reference_"
    "estimate_nano,"
    "reference_nano,outcome,http_status,error,streaming,gateway_us,first_byte_us,total_us,tokens_"
    "unknown,spent_nano,"
    "cost_unknown,charged_nano FROM requests ";
constexpr std::string_view kCalls =
    "SELECT "
    "upstream,model,step,attempt,outcome,status,error,start_us,first_byte_us,end_us,prompt_tokens,"
    "cached_tokens,completion_tokens,reasoning_tokens,usage_source,usage,cost_nano,"
    "cache_write_tokens FROM calls "
    "WHERE request=? ORDER "
    "BY seq";
constexpr std::string_view kFeedback =
    "SELECT score,source,comment,time_us FROM feedback WHERE decision=? ORDER BY n";
// Ids sort by time and are indexed: a window of time is a range of ids. Scores are averaged per
// decision first.
constexpr std::string_view kRows =
    "SELECT "
    "r.time_us,r.arm,r.route,r.served_model,r.outcome,r.prompt_tokens,r.cached_tokens,r.completion_"
    "tokens,"
    "r.reasoning_tokens,r.tokens_unknown,r.tokens_estimated,r.spent_nano,r.cost_unknown,r.call_"
    "count,"
    "r.reference_nano,r.gateway_us,r.total_us,r.first_byte_us,"
    "(SELECT avg(score) FROM feedback f WHERE f.decision=r.id),r.key_name "
    "FROM requests r WHERE r.id>=? AND r.id<? AND r.time_us>=? AND r.time_us<? ORDER BY r.id";

std::optional<NanoUsd> money(const std::optional<std::int64_t>& count) {
  if (!count) return std::nullopt;
  return NanoUsd{*count};
}

std::optional<float> real(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  if (!value || !value->number()) return std::nullopt;
  return static_cast<float>(*value->number());
}

std::string text(json::Value object, std::string_view key) {
  const auto value = json::find(object, key);
  return value && value->is_string() ? value->text() : std::string();
}

/// The column `arms`. What is not of our making is skipped: a damaged cell must not hide the rest
/// of the row.
std::vector<ArmEstimate> parse_arms(std::string_view cell) {
  std::vector<ArmEstimate> arms;
  if (cell.empty()) return arms;
  const auto parsed = json::parse(cell);
  if (!parsed || !parsed->is_array()) return arms;
  for (const json::Value item : json::elements(*parsed)) {
    if (!item.is_object()) continue;
    ArmEstimate arm;
    arm.arm = text(item, "arm");
    arm.why_not = text(item, "why_not");
    arm.quality = real(item, "quality");
    arm.quality_se = real(item, "quality_se");
    if (const auto cost = json::find(item, "cost_nano"); cost) arm.cost = money(cost->integer());
    arm.completion_tokens = real(item, "completion_tokens");
    arms.push_back(std::move(arm));
  }
  return arms;
}

StoredDecision read_request(const Statement& s) {
  StoredDecision stored;
  RequestRecord& r = stored.record;
  int at = 0;
  r.id = parse_decision_id(s.text(++at)).value_or(DecisionId{});
  r.time_us = s.integer(++at);
  for (std::string* field : {&r.key_name, &r.route, &r.requested_model, &r.arm, &r.served_model,
                             &r.upstream, &r.strategy, &r.policy}) {
    *field = s.text(++at);
  }
  r.policy_parameter = s.real_or_null(++at);
  for (std::string* field : {&r.predictor, &r.reason, &r.runner_up}) *field = s.text(++at);
  r.propensity = s.real_or_null(++at);
  r.seed = std::bit_cast<std::uint64_t>(s.integer(++at));
  r.prompt_hash = std::bit_cast<std::uint64_t>(s.integer(++at));
  r.prompt = s.text(++at);
  r.arms = parse_arms(s.text(++at));
  r.reference_arm = s.text(++at);
  r.reference_estimate = money(s.integer_or_null(++at));
  r.reference_cost = money(s.integer_or_null(++at));
  r.outcome = parse_outcome(s.text(++at)).value_or(Outcome::kInternal);
  r.http_status = static_cast<std::int32_t>(s.integer(++at));
  r.error = s.text(++at);
  r.streaming = s.integer(++at) != 0;
  r.gateway_us = s.integer(++at);
  r.first_byte_us = s.integer_or_null(++at);
  r.total_us = s.integer(++at);
  stored.tokens_unknown = s.integer(++at);
  stored.spent = NanoUsd{s.integer(++at)};
  stored.cost_unknown = s.integer(++at);
  r.charged = money(s.integer_or_null(++at));
  return stored;
}

CallRecord read_call(const Statement& s) {
  CallRecord c;
  int at = -1;
  for (std::string* field : {&c.upstream, &c.model, &c.step}) *field = s.text(++at);
  c.attempt = static_cast<std::uint32_t>(s.integer(++at));
  c.outcome = parse_outcome(s.text(++at)).value_or(Outcome::kInternal);
  if (const auto status = s.integer_or_null(++at)) c.status = static_cast<std::int32_t>(*status);
  c.error = s.text(++at);
  c.start_us = s.integer(++at);
  c.first_byte_us = s.integer_or_null(++at);
  c.end_us = s.integer(++at);
  for (auto* field :
       {&c.prompt_tokens, &c.cached_tokens, &c.completion_tokens, &c.reasoning_tokens}) {
    *field = s.integer_or_null(++at);
  }
  const std::string_view source = s.text(++at);
  c.usage_source = source == "provider"   ? UsageSource::kProvider
                   : source == "estimate" ? UsageSource::kEstimate
                                          : UsageSource::kNone;
  c.usage = s.text(++at);
  c.cost = money(s.integer_or_null(++at));
  c.cache_write_tokens = s.integer_or_null(++at);
  return c;
}

RequestRow read_row(const Statement& s) {
  RequestRow row;
  int at = -1;
  row.time_us = s.integer(++at);
  row.arm = s.text(++at);
  row.route = s.text(++at);
  row.model = s.text(++at);
  row.outcome = parse_outcome(s.text(++at)).value_or(Outcome::kInternal);
  for (auto* field :
       {&row.prompt_tokens, &row.cached_tokens, &row.completion_tokens, &row.reasoning_tokens}) {
    *field = s.integer_or_null(++at);
  }
  row.tokens_unknown = s.integer(++at);
  row.tokens_estimated = s.integer(++at);
  row.spent = NanoUsd{s.integer(++at)};
  row.cost_unknown = s.integer(++at);
  row.call_count = s.integer(++at);
  row.reference = money(s.integer_or_null(++at));
  row.gateway_us = s.integer(++at);
  row.total_us = s.integer(++at);
  row.first_byte_us = s.integer_or_null(++at);
  row.score = s.real_or_null(++at);
  row.key = s.text(++at);
  return row;
}

std::string day_of(std::int64_t time_us) {
  using namespace std::chrono;
  const year_month_day day{floor<days>(sys_time<microseconds>(microseconds(time_us)))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

/// First id at or after a time, and first id after the millisecond that holds it.
DecisionId floor_id(std::int64_t us) { return first_id_of(us / 1000); }
DecisionId ceiling_id(std::int64_t us) { return first_id_of(us / 1000 + 1); }

class SqliteReader final : public LedgerReader {
 public:
  explicit SqliteReader(std::string path) : path_(std::move(path)) {}

  Result<std::vector<StoredDecision>> recent(const DecisionFilter& filter) const override {
    const std::lock_guard lock(mutex_);
    std::vector<StoredDecision> page;
    auto done = select(filter, "DESC", [&](StoredDecision&& stored, std::int64_t) -> Result<void> {
      page.push_back(std::move(stored));
      return {};
    });
    if (!done) return done.error();
    return page;
  }

  Result<void> scan(const DecisionFilter& filter,
                    const std::function<Result<void>(const StoredDecision&)>& each) const override {
    const std::lock_guard lock(mutex_);
    return select(filter, "ASC", [&](StoredDecision&& stored, std::int64_t n) -> Result<void> {
      if (auto whole = complete(stored, n); !whole) return whole;
      return each(stored);
    });
  }

  Result<StoredDecision> decision(const DecisionId& id) const override {
    const std::lock_guard lock(mutex_);
    if (auto ready = ensure_open(); !ready) return ready.error();
    auto s = db_->prepare(std::string(kRequestColumns) + "WHERE id=?");
    if (!s) return failed(s.error());
    s->bind(1, id.view());
    const int code = s->step();
    if (code == SQLITE_DONE) {
      return Error{ErrorCode::kNotFound, fmt::format("the ledger has no decision '{}'", id.view())};
    }
    if (code != SQLITE_ROW) return failed(db_->error());
    StoredDecision stored = read_request(*s);
    if (auto whole = complete(stored, s->integer(0)); !whole) return whole.error();
    return stored;
  }

  Result<std::vector<Totals>> totals(Window window, GroupBy by) const override {
    const std::lock_guard lock(mutex_);
    Groups groups;
    auto done = rows(window, [&](const RequestRow& row) {
      switch (by) {
        case GroupBy::kArm:
          return groups.of(row.arm).add(row);
        case GroupBy::kRoute:
          return groups.of(row.route).add(row);
        case GroupBy::kModel:
          return groups.of(row.model).add(row);
        case GroupBy::kDay:
          return groups.of(day_of(row.time_us)).add(row);
        case GroupBy::kKey:
          return groups.of(row.key).add(row);
      }
    });
    if (!done) return done.error();
    return std::move(groups).finish();
  }

  Result<Summary> summary(Window window, std::size_t buckets) const override {
    if (buckets < 1 || buckets > 1000 || window.until_us <= window.since_us) {
      return Error{ErrorCode::kInvalidArgument,
                   "a summary needs 1 to 1000 buckets and a window that ends after it starts"};
    }
    const std::lock_guard lock(mutex_);
    Summary summary;
    summary.window = window;
    const auto count = static_cast<std::int64_t>(buckets);
    summary.bucket_us = (window.until_us - window.since_us + count - 1) / count;
    for (std::int64_t i = 0; i < count; ++i) {
      summary.buckets.push_back({window.since_us + i * summary.bucket_us, {}, {}, {}, {}});
    }
    Accumulator all{std::string()};
    Groups arms, routes, models;
    auto done = rows(window, [&](const RequestRow& row) {
      all.add(row);
      arms.of(row.arm).add(row);
      routes.of(row.route).add(row);
      models.of(row.model).add(row);
      add_to(summary.buckets[static_cast<std::size_t>((row.time_us - window.since_us) /
                                                      summary.bucket_us)],
             row);
    });
    if (!done) return done.error();
    auto oldest = db_->number("SELECT time_us FROM requests ORDER BY id LIMIT 1");
    if (!oldest) return failed(oldest.error());
    summary.oldest_us = *oldest;
    summary.all = std::move(all).finish();
    summary.by_arm = std::move(arms).finish();
    summary.by_route = std::move(routes).finish();
    summary.by_model = std::move(models).finish();
    for (Bucket& bucket : summary.buckets) {
      std::sort(bucket.arms.begin(), bucket.arms.end(), [](const ArmCount& a, const ArmCount& b) {
        return a.requests != b.requests ? a.requests > b.requests : a.arm < b.arm;
      });
    }
    return summary;
  }

 private:
  static void add_to(Bucket& bucket, const RequestRow& row) {
    auto found = std::find_if(bucket.arms.begin(), bucket.arms.end(),
                              [&](const ArmCount& known) { return known.arm == row.arm; });
    if (found == bucket.arms.end()) {
      bucket.arms.push_back({std::string(row.arm), 0});
      found = bucket.arms.end() - 1;
    }
    ++found->requests;
    bucket.spent += row.spent;
    if (row.is_compared()) {
      bucket.compared_spent += row.spent;
      bucket.compared_reference += *row.reference;
    }
  }

  Result<void> ensure_open() const {
    if (db_) return {};
    auto opened = Database::open(path_, Database::Mode::kRead, kBusyMs);
    if (!opened) return failed(opened.error());
    auto version = schema_version(*opened, path_);
    if (!version) return failed(version.error());
    if (*version != static_cast<int>(schema_steps().size())) {
      return Error{
          ErrorCode::kUnavailable,
          fmt::format(
              "ledger {}: tables of version {}, expected {}; `rung serve` brings an older file up "
              "to date",
              path_, *version, schema_steps().size())};
    }
    db_ = std::move(*opened);
    return {};
  }

  /// A failure to read is not the end: the next question opens the file anew. Statements must be
  /// gone by then, which they are: SQLite keeps a closed connection alive for those still in scope.
  Error failed(const Error& error) const {
    db_.reset();
    if (error.code == ErrorCode::kCorruptFile) return error;
    return {ErrorCode::kUnavailable, error.message};
  }

  template <class Use>
  Result<void> select(const DecisionFilter& filter, std::string_view order, const Use& use) const {
    if (auto ready = ensure_open(); !ready) return ready;
    std::string sql =
        std::string(kRequestColumns) + "WHERE id>=?1 AND id<?2 AND time_us>=?3 AND time_us<?4";
    if (!filter.route.empty()) sql += " AND route=?5";
    if (!filter.model.empty()) sql += " AND served_model=?6";
    if (filter.outcome) sql += " AND outcome=?7";
    if (!filter.arm.empty()) sql += " AND arm=?8";
    if (!filter.key_name.empty()) sql += " AND key_name=?9";
    sql += fmt::format(" ORDER BY id {} LIMIT {}", order, filter.limit);
    auto s = db_->prepare(sql);
    if (!s) return failed(s.error());
    const DecisionId low = floor_id(filter.window.since_us);
    DecisionId high = ceiling_id(filter.window.until_us);
    if (filter.before) high = std::min(high, *filter.before);
    s->bind(1, low.view());
    s->bind(2, high.view());
    s->bind(3, filter.window.since_us);
    s->bind(4, filter.window.until_us);
    if (!filter.route.empty()) s->bind(5, filter.route);
    if (!filter.model.empty()) s->bind(6, filter.model);
    if (filter.outcome) s->bind(7, name(*filter.outcome));
    if (!filter.arm.empty()) s->bind(8, filter.arm);
    if (!filter.key_name.empty()) s->bind(9, filter.key_name);
    int code = 0;
    while ((code = s->step()) == SQLITE_ROW) {
      if (auto done = use(read_request(*s), s->integer(0)); !done) return done;
    }
    if (code != SQLITE_DONE) return failed(db_->error());
    return {};
  }

  Result<void> complete(StoredDecision& stored, std::int64_t n) const {
    auto calls = db_->prepare(kCalls);
    if (!calls) return failed(calls.error());
    calls->bind(1, n);
    int code = 0;
    while ((code = calls->step()) == SQLITE_ROW) stored.record.calls.push_back(read_call(*calls));
    if (code != SQLITE_DONE) return failed(db_->error());
    auto scores = db_->prepare(kFeedback);
    if (!scores) return failed(scores.error());
    scores->bind(1, stored.record.id.view());
    while ((code = scores->step()) == SQLITE_ROW) {
      stored.feedback.push_back({stored.record.id, scores->real(0), std::string(scores->text(1)),
                                 std::string(scores->text(2)), scores->integer(3)});
    }
    if (code != SQLITE_DONE) return failed(db_->error());
    return {};
  }

  template <class Use>
  Result<void> rows(Window window, const Use& use) const {
    if (auto ready = ensure_open(); !ready) return ready;
    auto s = db_->prepare(kRows);
    if (!s) return failed(s.error());
    const DecisionId low = floor_id(window.since_us), high = ceiling_id(window.until_us);
    s->bind(1, low.view());
    s->bind(2, high.view());
    s->bind(3, window.since_us);
    s->bind(4, window.until_us);
    int code = 0;
    while ((code = s->step()) == SQLITE_ROW) use(read_row(*s));
    if (code != SQLITE_DONE) return failed(db_->error());
    return {};
  }

  const std::string path_;
  mutable std::mutex mutex_;
  mutable std::optional<Database> db_;
};

class NoReader final : public LedgerReader {
 public:
  Result<std::vector<StoredDecision>> recent(const DecisionFilter&) const override { return off(); }
  Result<StoredDecision> decision(const DecisionId&) const override { return off(); }
  Result<void> scan(const DecisionFilter&,
                    const std::function<Result<void>(const StoredDecision&)>&) const override {
    return off();
  }
  Result<std::vector<Totals>> totals(Window, GroupBy) const override { return off(); }
  Result<Summary> summary(Window, std::size_t) const override { return off(); }

 private:
  static Error off() {
    return {ErrorCode::kUnavailable, "the ledger is off; set `ledger.path` in the configuration"};
  }
};

}  // namespace

std::unique_ptr<LedgerReader> LedgerReader::open(std::string path) {
  if (path.empty()) return std::make_unique<NoReader>();
  return std::make_unique<SqliteReader>(std::move(path));
}

}  // namespace rung::state
