#include "state/ledger.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "state/rows.h"
#include "state/schema.h"
#include "state/sqlite.h"

namespace rung::state {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kRowsPerTransaction = 4096;  // bounds what one failed write has to repeat
constexpr int kWriterBusyMs = 500;                 // then the batch waits for its next try
constexpr int kLookupBusyMs = 200;
constexpr auto kLossReportEvery = std::chrono::seconds(10);

struct alignas(64) Queue {
  std::mutex mutex;  // held to push one record, or to swap the vector out
  std::vector<RequestRecord> rows;
};

Result<void> check_options(const LedgerOptions& options) {
  if (options.workers == 0 || options.flush_rows == 0 || options.flush_interval.count() <= 0 ||
      options.first_retry.count() <= 0 || options.last_retry < options.first_retry) {
    return Error{ErrorCode::kInvalidArgument,
                 "ledger: workers, flush rows, flush interval and retry times must be above 0, and "
                 "the last retry no shorter than the first"};
  }
  return {};
}

class NoLedger final : public Ledger {
 public:
  void append(RequestRecord&&, std::size_t) override {}
  void append(RequestRecord&&, std::size_t, std::function<void(bool)> settled) override {
    settled(false);
  }
  Result<void> feedback(FeedbackRecord) override {
    return Error{
        ErrorCode::kUnavailable,
        "feedback cannot be kept: the ledger is off; set `ledger.path` in the configuration"};
  }
  Result<void> flush(std::chrono::milliseconds) override { return {}; }
  LedgerStats stats() const override { return {}; }
  std::string reader_path() const override { return {}; }
  bool is_enabled() const override { return false; }
};

class SqliteLedger final : public Ledger {
 public:
  SqliteLedger(LedgerOptions options, std::string path)
      : options_(std::move(options)), path_(std::move(path)), queues_(options_.workers) {}

  ~SqliteLedger() override {
    {
      const std::lock_guard lock(wake_mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (writer_.joinable()) writer_.join();
  }

  Result<void> start() {
    // What waiting cannot mend is said now; anything else is tried again by the writer.
    if (auto opened = open_database(); !opened) {
      if (opened.error().code == ErrorCode::kCorruptFile) return opened;
      note_failure(opened.error());
    }
    writer_ = std::thread([this] { write_forever(); });
    return {};
  }

  void append(RequestRecord&& record, std::size_t worker) override {
    push(std::move(record), worker);
  }

  void append(RequestRecord&& record, std::size_t worker,
              std::function<void(bool)> settled) override {
    if (!push(std::move(record), worker)) return settled(false);
    {
      const std::lock_guard lock(wake_mutex_);
      waiters_.push_back(std::move(settled));
    }
    wake_.notify_all();
  }

  bool push(RequestRecord&& record, std::size_t worker) {
    RUNG_CHECK(record.id.is_set(), "a record without a decision id");
    RUNG_CHECK(worker < queues_.size(), "worker number at or above LedgerOptions::workers");
    if (!options_.keep_prompts && !record.prompt.empty()) std::string().swap(record.prompt);
    if (!reserve(footprint(record))) return false;
    const std::size_t before = waiting_.fetch_add(1);
    {
      Queue& queue = queues_[worker];
      const std::lock_guard lock(queue.mutex);
      queue.rows.push_back(std::move(record));
    }
    announce(before);
    return true;
  }

  Result<void> feedback(FeedbackRecord record) override {
    if (!(record.score >= 0 && record.score <= 1)) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("feedback score is {}; expected a number from 0 to 1", record.score)};
    }
    auto known = is_known(record.decision);
    if (!known) return known.error();
    if (!*known) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format("no decision with the id '{}'; expected an id from the x-rung-decision-id "
                      "header of an answer that has ended",
                      record.decision.view())};
    }
    if (!reserve(footprint(record))) {
      return Error{ErrorCode::kUnavailable,
                   "feedback cannot be kept now: the ledger cannot write and its memory is full"};
    }
    const std::size_t before = waiting_.fetch_add(1);
    {
      const std::lock_guard lock(feedback_mutex_);
      feedback_.push_back(std::move(record));
    }
    announce(before);
    return {};
  }

  Result<void> flush(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(wake_mutex_);
    const std::uint64_t mine = ++flush_asked_;
    wake_.notify_all();
    if (!flushed_.wait_for(lock, timeout, [&] { return flush_done_ >= mine; })) {
      return Error{ErrorCode::kTimeout,
                   fmt::format("ledger {}: not flushed within {} ms", path_, timeout.count())};
    }
    if (flush_empty_) return {};
    lock.unlock();
    return Error{ErrorCode::kIo, stats().last_error};
  }

  LedgerStats stats() const override {
    LedgerStats stats;
    stats.written = written_.load(std::memory_order_relaxed);
    stats.feedback_written = feedback_written_.load(std::memory_order_relaxed);
    stats.waiting = waiting_.load(std::memory_order_relaxed);
    stats.waiting_bytes = waiting_bytes_.load(std::memory_order_relaxed);
    stats.lost = lost_.load(std::memory_order_relaxed);
    stats.failed_writes = failed_writes_.load(std::memory_order_relaxed);
    const std::lock_guard lock(error_mutex_);
    stats.healthy = healthy_;
    stats.last_error = last_error_;
    return stats;
  }

  std::string reader_path() const override { return path_; }
  bool is_enabled() const override { return true; }

 private:
  // --- any thread ---

  bool reserve(std::size_t bytes) {
    const std::size_t before = waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= options_.max_waiting_bytes) return true;
    waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    lost_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  /// Wakes the writer for the first record that waits and for a full batch; in between it wakes by
  /// itself. `before` records waited when this one was counted, which is before it was queued: the
  /// writer may store it at any time after that, and would count below nothing.
  void announce(std::size_t before) {
    if (before != 0 && before + 1 != options_.flush_rows) return;
    {
      const std::lock_guard lock(wake_mutex_);
    }
    wake_.notify_all();
  }

  Result<bool> is_known(const DecisionId& id) {
    {
      const std::lock_guard lock(pending_mutex_);
      if (pending_.contains(id)) return true;
      for (Queue& queue : queues_) {
        const std::lock_guard queue_lock(queue.mutex);
        for (const RequestRecord& record : queue.rows) {
          if (record.id == id) return true;
        }
      }
    }
    const std::lock_guard lock(lookup_mutex_);
    if (!lookup_) {
      auto opened = Database::open(path_, Database::Mode::kRead, kLookupBusyMs);
      if (!opened) return Error{ErrorCode::kUnavailable, opened.error().message};
      auto statement = opened->prepare("SELECT 1 FROM requests WHERE id=?");
      if (!statement) return Error{ErrorCode::kUnavailable, statement.error().message};
      lookup_.emplace(Lookup{std::move(*opened), std::move(*statement)});
    }
    lookup_->statement.bind(1, id.view());
    const int code = lookup_->statement.step();
    const Error error = lookup_->db.error();
    lookup_->statement.reset();
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    lookup_.reset();
    return Error{ErrorCode::kUnavailable, error.message};
  }

  // --- the writer thread (and `start`, before it runs) ---

  Result<void> open_database() {
    auto opened = Database::open(path_, Database::Mode::kWrite, kWriterBusyMs);
    if (!opened) return opened.error();
    // Before anything is changed: a file that is not ours stays as it is.
    if (auto version = schema_version(*opened, path_); !version) return version.error();
    // NORMAL in WAL mode: a commit is a write to the log, so a killed process loses nothing that
    // was committed; fsync happens at checkpoints, so a power cut may lose the newest commits.
    for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL",
                               "PRAGMA wal_autocheckpoint=4000", "PRAGMA temp_store=MEMORY"}) {
      if (auto done = opened->run(pragma); !done) return done;
    }
    if (options_.max_file_bytes > 0) {
      auto page = opened->number("PRAGMA page_size");
      if (!page) return page.error();
      const auto pages = options_.max_file_bytes / static_cast<std::uint64_t>(page->value_or(4096));
      const std::string limit =
          fmt::format("PRAGMA max_page_count={}", std::max<std::uint64_t>(pages, 1));
      if (auto done = opened->run(limit.c_str()); !done) return done;
    }
    if (auto ready = prepare_schema(*opened, path_); !ready) return ready;
    auto rows = RowWriter::prepare(*opened);
    if (!rows) return rows.error();
    rows_.reset();
    db_ = std::move(*opened);
    rows_ = std::move(*rows);
    return {};
  }

  void write_forever() {
    auto backoff = options_.first_retry;
    std::vector<std::function<void(bool)>> served;
    while (true) {
      std::uint64_t asked = 0;
      bool last_round = false;
      {
        std::unique_lock lock(wake_mutex_);
        const auto called = [&] { return stopping_ || flush_asked_ != flush_done_; };
        wake_.wait(lock, [&] { return called() || waiting_.load() > 0 || !is_healthy(); });
        const bool good = is_healthy();
        wake_.wait_for(lock, good ? options_.flush_interval : backoff, [&] {
          return called() ||
                 (good && (waiting_.load() >= options_.flush_rows || !waiters_.empty()));
        });
        // Their rows were queued before they were: the drain below finds them.
        for (auto& settled : waiters_) served.push_back(std::move(settled));
        waiters_.clear();
        asked = flush_asked_;
        last_round = stopping_;
      }
      drain();
      const bool all_written = write_backlog();
      backoff = all_written ? options_.first_retry : std::min(backoff * 2, options_.last_retry);
      report_losses();
      {
        const std::lock_guard lock(wake_mutex_);
        flush_done_ = asked;
        flush_empty_ = all_written;
      }
      flushed_.notify_all();
      if (all_written || last_round) {
        for (const auto& settled : served) settled(all_written);
        served.clear();
      }
      if (last_round) break;
    }
    if (const std::size_t left = waiting_.load(); left > 0) {
      spdlog::error("{}; {} records were not written before the end", stats().last_error, left);
    }
  }

  /// Moves what waits in the queues to the backlog. Feedback first: its decision then comes no
  /// later.
  void drain() {
    {
      const std::lock_guard lock(feedback_mutex_);
      for (FeedbackRecord& record : feedback_) feedback_backlog_.push_back(std::move(record));
      feedback_.clear();
    }
    const std::lock_guard lock(pending_mutex_);
    for (Queue& queue : queues_) {
      spare_.clear();
      {
        const std::lock_guard queue_lock(queue.mutex);
        queue.rows.swap(spare_);  // the queue gets an empty vector with room
      }
      for (RequestRecord& record : spare_) {
        pending_.insert(record.id);
        backlog_.push_back(std::move(record));
      }
    }
  }

  /// True if nothing is left.
  bool write_backlog() {
    while (!backlog_.empty() || !feedback_backlog_.empty() || !rows_) {
      if (auto written = write_batch(); !written) {
        note_failure(written.error());
        // A fresh connection next time: the file may have been moved, or its disk mounted again.
        // What is in memory only would be gone with it.
        if (options_.path != ":memory:") {
          rows_.reset();
          db_.reset();
        }
        return false;
      }
    }
    note_success();
    return true;
  }

  Result<void> write_batch() {
    if (!rows_) {
      if (auto opened = open_database(); !opened) return opened;
    }
    if (auto begun = db_->run("BEGIN IMMEDIATE"); !begun) return begun;
    rows_->begin_batch();
    const std::size_t requests = std::min(backlog_.size(), kRowsPerTransaction);
    const std::size_t scores = requests == backlog_.size() ? feedback_backlog_.size() : 0;
    std::size_t refused = 0;
    std::string refusal;
    const auto settle = [&](int code) -> Result<void> {
      if (code == SQLITE_DONE) return {};
      Error error = db_->error();
      if (!concerns_one_row(code)) return error;
      ++refused;
      refusal = std::move(error.message);
      return {};
    };
    for (std::size_t i = 0; i < requests; ++i) {
      if (auto done = settle(rows_->insert(backlog_[i], options_.keep_prompts)); !done) {
        return abandon(done.error());
      }
    }
    const std::size_t refused_requests = refused;
    for (std::size_t i = 0; i < scores; ++i) {
      if (auto done = settle(rows_->insert(feedback_backlog_[i])); !done) {
        return abandon(done.error());
      }
    }
    if (rows_->finish_batch() != SQLITE_DONE) return abandon(db_->error());
    if (auto done = db_->run("COMMIT"); !done) return abandon(done.error());
    forget(requests, scores);
    written_.fetch_add(requests - refused_requests, std::memory_order_relaxed);
    feedback_written_.fetch_add(scores - (refused - refused_requests), std::memory_order_relaxed);
    if (refused > 0) {
      lost_.fetch_add(refused, std::memory_order_relaxed);
      spdlog::error("{}; {} records of this kind were dropped", refusal, refused);
      const std::lock_guard lock(error_mutex_);
      last_error_ = std::move(refusal);
    }
    return {};
  }

  Result<void> abandon(Error error) {
    // After some failures (disk full) SQLite has rolled back by itself; a second rollback is then
    // an error to ignore.
    if (auto undone = db_->run("ROLLBACK"); !undone) return error;
    return error;
  }

  /// Drops what is in the database now from memory.
  void forget(std::size_t requests, std::size_t scores) {
    std::size_t bytes = 0;
    {
      const std::lock_guard lock(pending_mutex_);
      for (std::size_t i = 0; i < requests; ++i) {
        bytes += footprint(backlog_.front());
        pending_.erase(backlog_.front().id);
        backlog_.pop_front();
      }
    }
    for (std::size_t i = 0; i < scores; ++i) {
      bytes += footprint(feedback_backlog_.front());
      feedback_backlog_.pop_front();
    }
    waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    waiting_.fetch_sub(requests + scores);
  }

  bool is_healthy() const {
    const std::lock_guard lock(error_mutex_);
    return healthy_;
  }

  void note_failure(const Error& error) {
    failed_writes_.fetch_add(1, std::memory_order_relaxed);
    bool was_healthy = false;
    {
      const std::lock_guard lock(error_mutex_);
      was_healthy = std::exchange(healthy_, false);
      last_error_ = error.message;
    }
    if (was_healthy) {
      spdlog::error("{}; requests go on, their records wait in memory (up to {} MiB)",
                    error.message, options_.max_waiting_bytes >> 20);
    }
  }

  void note_success() {
    bool was_healthy = true;
    {
      const std::lock_guard lock(error_mutex_);
      was_healthy = std::exchange(healthy_, true);
    }
    if (!was_healthy) spdlog::info("ledger {}: writing again, what waited is stored", path_);
  }

  void report_losses() {
    const std::uint64_t lost = lost_.load(std::memory_order_relaxed);
    const auto now = SteadyClock::now();
    if (lost == reported_lost_ || (reported_lost_ != 0 && now < reported_at_ + kLossReportEvery))
      return;
    spdlog::error("ledger {}: {} records lost so far (no memory to keep them, or refused)", path_,
                  lost);
    reported_lost_ = lost;
    reported_at_ = now;
  }

  struct Lookup {
    Database db;
    Statement statement;  // after the database: it goes first
  };

  const LedgerOptions options_;
  const std::string path_;

  std::vector<Queue> queues_;
  std::mutex feedback_mutex_;
  std::vector<FeedbackRecord> feedback_;
  std::atomic<std::size_t> waiting_{0}, waiting_bytes_{0};
  std::atomic<std::uint64_t> written_{0}, feedback_written_{0}, lost_{0}, failed_writes_{0};

  std::mutex wake_mutex_;  // guards the next five
  std::vector<std::function<void(bool)>> waiters_;
  bool stopping_ = false;
  std::uint64_t flush_asked_ = 0, flush_done_ = 0;
  bool flush_empty_ = true;  // of the last round: everything was written
  std::condition_variable wake_, flushed_;

  std::mutex pending_mutex_;                // taken before any queue's mutex
  std::unordered_set<DecisionId> pending_;  // ids in backlog_

  std::mutex lookup_mutex_;
  std::optional<Lookup> lookup_;

  mutable std::mutex error_mutex_;
  bool healthy_ = true;
  std::string last_error_;

  // Of the writer alone.
  std::deque<RequestRecord> backlog_;
  std::deque<FeedbackRecord> feedback_backlog_;
  std::vector<RequestRecord> spare_;
  std::optional<Database> db_;
  std::optional<RowWriter> rows_;
  std::uint64_t reported_lost_ = 0;
  SteadyClock::time_point reported_at_{};

  std::thread writer_;
};

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options) {
  if (auto sound = check_options(options); !sound) return sound.error();
  if (options.path.empty()) return std::unique_ptr<Ledger>(std::make_unique<NoLedger>());
  std::string path = options.path == ":memory:" ? new_memory_database() : options.path;
  if (const auto parent = std::filesystem::path(path).parent_path();
      options.path != ":memory:" && !parent.empty()) {
    std::error_code ignored;  // if it cannot be made, opening the file says why
    std::filesystem::create_directories(parent, ignored);
  }
  auto ledger = std::make_unique<SqliteLedger>(std::move(options), std::move(path));
  if (auto started = ledger->start(); !started) return started.error();
  return std::unique_ptr<Ledger>(std::move(ledger));
}

}  // namespace rung::state
