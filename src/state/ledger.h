#pragma once
// The ledger: every decision, call, token and cent, and the scores that come back later.
//
//   worker ──append──► its queue ─┐
//   worker ──append──► its queue ─┼──► writer thread ──one transaction per batch──► SQLite (WAL)
//   worker ──append──► its queue ─┘        keeps what cannot be written, tries again
//
// Appending never waits for the disk. When the disk is full, read-only or locked the process stays
// up: records wait in memory up to a limit, later ones are counted as lost, and `stats` carries the
// sentence that says so. What `flush` reported as done survives `kill -9` (WAL with
// synchronous=NORMAL: the bytes are with the operating system); a power cut may cost the last
// moments before it, never the file. Reading: ledger_reader.h.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "state/record.h"

namespace rung::state {

struct LedgerOptions {
  /// The database file; ":memory:" keeps all in memory until the process ends; empty: no ledger,
  /// append forgets.
  std::string path;
  bool keep_prompts = false;  // false: RequestRecord::prompt is dropped, its hash stays
  std::size_t workers = 1;    // queues; append takes a number below it
  std::size_t max_waiting_bytes =
      64u << 20;  // memory for records that wait; beyond it new ones are lost
  std::chrono::milliseconds flush_interval{50};  // the longest that a record waits for its batch
  std::size_t flush_rows = 512;                  // a batch goes early when so many wait
  std::chrono::milliseconds first_retry{100};    // after a failed write; doubles up to last_retry
  std::chrono::milliseconds last_retry{5000};
  std::uint64_t max_file_bytes = 0;  // the database stops growing there; 0: no limit
};

struct LedgerStats {
  std::uint64_t written = 0;  // decisions in the database, since open
  std::uint64_t feedback_written = 0;
  std::uint64_t waiting = 0;        // decisions and scores in memory
  std::uint64_t waiting_bytes = 0;  // about
  std::uint64_t lost =
      0;  // decisions and scores that found no room in memory, or had an id that exists
  std::uint64_t failed_writes = 0;  // batches that had to be tried again
  bool healthy = true;              // false: the last attempt to write failed
  std::string last_error;  // a sentence; stays after recovery (see `healthy`); empty: never failed
};

class Ledger {
 public:
  /// Opens or creates the database and starts the writer thread. A disk that is full, read-only,
  /// locked or not there gives an unhealthy ledger that keeps trying, not an error. Errors, for
  /// what waiting cannot mend: kCorruptFile (not a ledger, or one written by a newer Rung),
  /// kInvalidArgument (options).
  static Result<std::unique_ptr<Ledger>> open(LedgerOptions options);
  virtual ~Ledger() = default;  // writes what waits, once, then closes

  /// From any thread; threads with different `worker` numbers do not meet. Never blocks on the
  /// disk; about a microsecond. `record.id` must be set and new.
  virtual void append(RequestRecord&& record, std::size_t worker = 0) = 0;

  /// As append, and the batch goes at once; those that come while one is written share the next.
  /// `settled` is called once, from any thread, soon after the row is in the database (true), or
  /// when it never will be (false: no room, no ledger, the end of the process). While the disk
  /// fails it waits for that as the record does.
  virtual void append(RequestRecord&& record, std::size_t worker,
                      std::function<void(bool)> settled) = 0;

  /// From any thread. Looks in the queues and in the database (one indexed read). Errors: kNotFound
  /// (no such decision), kInvalidArgument (score outside 0..1), kUnavailable (no ledger, or it
  /// cannot be read, or no room).
  virtual Result<void> feedback(FeedbackRecord record) = 0;

  /// Blocks until all that was appended before this call is in the database. Errors: kIo with the
  /// last failure's sentence (the records still wait), kTimeout.
  virtual Result<void> flush(std::chrono::milliseconds timeout = std::chrono::seconds(10)) = 0;

  /// From any thread; takes a short lock.
  virtual LedgerStats stats() const = 0;

  /// What LedgerReader::open needs to read this database; empty: no ledger.
  virtual std::string reader_path() const = 0;

  virtual bool is_enabled() const = 0;
};

}  // namespace rung::state
