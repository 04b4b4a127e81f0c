#include "state/ledger.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <future>
#include <limits>
#include <set>
#include <thread>

#include "state/schema.h"
#include "state/sqlite.h"
#include "state/testing.h"

namespace rung::state {
namespace {

using namespace std::chrono_literals;
using testing::answered;
using testing::Folder;
using testing::kNoon;

LedgerOptions quick(const std::string& path) {
  LedgerOptions options;
  options.path = path;
  options.flush_interval = 5ms;
  options.first_retry = 5ms;
  options.last_retry = 20ms;
  return options;
}

std::unique_ptr<Ledger> open(LedgerOptions options) {
  auto ledger = Ledger::open(std::move(options));
  EXPECT_TRUE(ledger) << (ledger ? "" : ledger.error().message);
  return ledger ? std::move(*ledger) : nullptr;
}

std::int64_t number(const std::string& path, const std::string& sql) {
  auto db = Database::open(path, Database::Mode::kRead, 1000);
  EXPECT_TRUE(db) << (db ? "" : db.error().message);
  auto value = db->number(sql);
  EXPECT_TRUE(value) << (value ? "" : value.error().message);
  return value->value_or(-1);  // NULL
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(DecisionId, SortsByTimeAndRisesWithinOneMillisecond) {
  DecisionIdSource ids(7);
  std::set<DecisionId> seen;
  DecisionId last;
  for (int i = 0; i < 10000; ++i) {
    const DecisionId id = ids.next(kNoon + i / 100);  // many in each millisecond
    EXPECT_LT(last, id);
    EXPECT_TRUE(seen.insert(id).second);
    last = id;
  }
  EXPECT_LT(last, ids.next(kNoon - 1'000'000))
      << "a clock that steps back must not break the order";
  EXPECT_LT(last, first_id_of(kNoon / 1000 + 1000));
}

TEST(DecisionId, CarriesItsTimeAndReadsBackInEitherCase) {
  const DecisionId id = DecisionIdSource(1).next(kNoon + 5000);
  EXPECT_EQ(id.time_ms(), kNoon / 1000 + 5);
  EXPECT_EQ(parse_decision_id(id.view()), id);
  std::string lower = id.str();
  for (char& c : lower) c = static_cast<char>(std::tolower(c));
  EXPECT_EQ(parse_decision_id(lower), id);
  EXPECT_FALSE(parse_decision_id("short"));
  EXPECT_FALSE(parse_decision_id("01ARZ3NDEKTSV4RRFFQ69G5FA'"));
  EXPECT_FALSE(parse_decision_id("81ARZ3NDEKTSV4RRFFQ69G5FAV")) << "more than 128 bits";
}

TEST(DecisionId, DiffersBetweenSources) {
  EXPECT_NE(DecisionIdSource().next(kNoon), DecisionIdSource().next(kNoon));
  EXPECT_EQ(DecisionIdSource(3).next(kNoon), DecisionIdSource(3).next(kNoon));
}

TEST(NanoUsd, RoundsToTheNearestBillionthAndKeepsNaNUnknown) {
  EXPECT_EQ(nano_usd(Usd{0.0000000126}), NanoUsd{13});
  EXPECT_EQ(nano_usd(Usd{1.25}), NanoUsd{1'250'000'000});
  EXPECT_FALSE(nano_usd(Usd{std::numeric_limits<double>::quiet_NaN()}));
  EXPECT_EQ(nano_usd(Usd{1e30})->count, std::numeric_limits<std::int64_t>::max());
}

TEST(Ledger, WritesWhatWasAppendedAndSumsItsCalls) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  RequestRecord record = answered(ids);
  CallRecord failed = record.calls[0];
  failed.attempt = 2;
  failed.cost.reset();
  failed.prompt_tokens.reset();
  failed.usage_source = UsageSource::kNone;
  record.calls.push_back(failed);
  ledger->append(std::move(record));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(number(folder.file(), "SELECT spent_nano FROM requests"), 1000);
  EXPECT_EQ(number(folder.file(), "SELECT cost_unknown FROM requests"), 1);
  EXPECT_EQ(number(folder.file(), "SELECT tokens_unknown FROM requests"), 1);
  EXPECT_EQ(number(folder.file(), "SELECT prompt_tokens FROM requests"), 100);
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM calls"), 2);
  EXPECT_EQ(number(folder.file(), "SELECT seed FROM requests"), -81985529216486896)
      << "all 64 bits";
  EXPECT_EQ(ledger->stats().written, 1u);
  EXPECT_EQ(ledger->stats().waiting, 0u);
  EXPECT_EQ(ledger->stats().waiting_bytes, 0u);
}

TEST(Ledger, StoresUnknownAsNullAndNeverAsZero) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  RequestRecord record = answered(ids);
  record.propensity = std::numeric_limits<double>::quiet_NaN();
  record.reference_cost.reset();
  record.calls[0].prompt_tokens.reset();
  record.calls[0].cached_tokens.reset();
  record.calls[0].cost.reset();
  ledger->append(std::move(record));
  ASSERT_TRUE(ledger->flush());
  for (const char* column :
       {"propensity", "reference_nano", "prompt_tokens", "cached_tokens", "key_name"}) {
    EXPECT_EQ(number(folder.file(), std::string("SELECT ") + column + " IS NULL FROM requests"), 1)
        << column;
  }
  EXPECT_EQ(number(folder.file(), "SELECT cost_nano IS NULL FROM calls"), 1);
  EXPECT_EQ(number(folder.file(), "SELECT completion_tokens FROM calls"), 50);
}

TEST(Ledger, KeepsPromptsOnlyWhenAsked) {
  Folder folder;
  for (const bool keep : {false, true}) {
    DecisionIdSource ids(1);
    LedgerOptions options = quick(folder.file(keep ? "with" : "without"));
    options.keep_prompts = keep;
    auto ledger = open(options);
    RequestRecord record = answered(ids);
    record.prompt = "a secret";
    ledger->append(std::move(record));
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(number(options.path, "SELECT prompt IS NULL FROM requests"), keep ? 0 : 1);
  }
}

TEST(Ledger, TakesRecordsFromManyThreadsAndLosesNone) {
  Folder folder;
  LedgerOptions options = quick(folder.file());
  options.workers = 4;
  auto ledger = open(options);
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, worker] {
      DecisionIdSource ids(worker);
      for (int i = 0; i < 500; ++i) ledger->append(answered(ids, kNoon + i), worker);
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests"), 2000);
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM calls"), 2000);
}

TEST(Ledger, WritesWithoutAFlushWithinItsInterval) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  ledger->append(answered(ids));
  for (int i = 0; i < 500 && ledger->stats().written == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(ledger->stats().written, 1u);
}

TEST(Ledger, ClosingWritesWhatWaits) {
  Folder folder;
  DecisionIdSource ids(1);
  LedgerOptions options = quick(folder.file());
  options.flush_interval = 1h;
  auto ledger = open(options);
  ledger->append(answered(ids));
  ledger.reset();
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests"), 1);
}

TEST(Ledger, ADecisionThatWasFlushedSurvivesKill9) {
  Folder folder;
  const pid_t child = fork();
  if (child == 0) {
    DecisionIdSource ids(1);
    auto ledger = Ledger::open(quick(folder.file()));
    for (int i = 0; i < 100; ++i) (*ledger)->append(answered(ids));
    if ((*ledger)->flush()) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child did not reach its flush";
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests"), 100);
}

TEST(Ledger, FeedbackFindsItsDecisionBeforeAndAfterItIsWritten) {
  Folder folder;
  DecisionIdSource ids(1);
  LedgerOptions options = quick(folder.file());
  options.flush_interval = 1h;
  auto ledger = open(options);
  RequestRecord record = answered(ids);
  const DecisionId id = record.id;
  ledger->append(std::move(record));
  EXPECT_TRUE(ledger->feedback({id, 0.5, "user", "fine", kNoon}));
  ASSERT_TRUE(ledger->flush());
  EXPECT_TRUE(ledger->feedback({id, 1.0, "judge", "", kNoon + 1}));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM feedback"), 2);
  EXPECT_EQ(ledger->stats().feedback_written, 2u);
}

TEST(Ledger, FeedbackOfAnUnknownDecisionOrScoreIsRefused) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  RequestRecord record = answered(ids);
  const DecisionId id = record.id;
  ledger->append(std::move(record));
  const auto unknown = ledger->feedback({ids.next(kNoon), 0.5, "", "", kNoon});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  for (const double score : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    const auto bad = ledger->feedback({id, score, "", "", kNoon});
    ASSERT_FALSE(bad) << score;
    EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(Ledger, AnIdThatExistsIsCountedAsLostAndTheRestIsWritten) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  const RequestRecord record = answered(ids);
  ledger->append(RequestRecord(record));
  ledger->append(RequestRecord(record));
  ledger->append(answered(ids));
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(ledger->stats().written, 2u);
  EXPECT_EQ(ledger->stats().lost, 1u);
  EXPECT_TRUE(ledger->stats().healthy);
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM calls"), 2);
}

TEST(Ledger, AFullFileMakesRecordsWaitThenCountsWhatDoesNotFitInMemory) {
  Folder folder;
  DecisionIdSource ids(1);
  LedgerOptions options = quick(folder.file());
  options.max_file_bytes = 80 * 1024;
  options.max_waiting_bytes = 64 * 1024;
  auto ledger = open(options);
  for (int i = 0; i < 400; ++i) {
    ledger->append(answered(ids));
    if (i % 20 == 0) (void)ledger->flush().has_value();
  }
  const auto flushed = ledger->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, ErrorCode::kIo);
  const LedgerStats stats = ledger->stats();
  EXPECT_FALSE(stats.healthy);
  EXPECT_TRUE(contains(stats.last_error, "disk is full")) << stats.last_error;
  EXPECT_GT(stats.written, 0u);
  EXPECT_GT(stats.waiting, 0u);
  EXPECT_GT(stats.lost, 0u);
  EXPECT_LE(stats.waiting_bytes, options.max_waiting_bytes);
  EXPECT_EQ(stats.written + stats.waiting + stats.lost, 400u) << "every record is accounted for";
}

TEST(Ledger, WritesWhatWaitedOnceTheDiskHasRoomAgain) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  ledger->append(answered(ids));
  ASSERT_TRUE(ledger->flush());
  // No file of this process may grow past 64 KiB: the kernel then refuses writes as a full disk
  // does.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{64 * 1024, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (int i = 0; i < 300; ++i) ledger->append(answered(ids));
  const bool failed = !ledger->flush();
  const LedgerStats during = ledger->stats();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(failed);
  EXPECT_FALSE(during.healthy);
  EXPECT_FALSE(during.last_error.empty());
  ASSERT_TRUE(ledger->flush());
  EXPECT_TRUE(ledger->stats().healthy);
  EXPECT_EQ(ledger->stats().lost, 0u);
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests"), 301);
}

TEST(Ledger, WaitsForAnotherProcessThatHoldsTheLock) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(quick(folder.file()));
  ledger->append(answered(ids));
  ASSERT_TRUE(ledger->flush());
  auto other = Database::open(folder.file(), Database::Mode::kWrite, 100);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));
  RequestRecord waiting = answered(ids);
  const DecisionId id = waiting.id;
  ledger->append(std::move(waiting));
  const auto locked = ledger->flush();
  ASSERT_FALSE(locked);
  EXPECT_TRUE(contains(locked.error().message, "locked")) << locked.error().message;
  EXPECT_TRUE(ledger->feedback({id, 1.0, "", "", kNoon})) << "known, though it waits";
  ASSERT_TRUE(other->run("COMMIT"));
  EXPECT_TRUE(ledger->flush());
  EXPECT_EQ(ledger->stats().written, 2u);
}

/// Without rights for as long as it lives: root passes every permission check, and the tests may
/// run as root.
class Powerless {
 public:
  Powerless() : was_root_(geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  ~Powerless() {
    if (was_root_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }

 private:
  bool was_root_;
};

TEST(Ledger, AReadOnlyFileLeavesTheProcessUpWithASentence) {
  Folder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  DecisionIdSource ids(1);
  open(quick(folder.file())).reset();
  ASSERT_EQ(chmod(folder.file().c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder.path().c_str(), 0555), 0);
  {
    const Powerless powerless;
    auto ledger = open(quick(folder.file()));
    ledger->append(answered(ids));
    const auto flushed = ledger->flush();
    ASSERT_FALSE(flushed);
    EXPECT_TRUE(contains(flushed.error().message, "read-only")) << flushed.error().message;
    EXPECT_EQ(ledger->stats().waiting, 1u);
  }
  chmod(folder.path().c_str(), 0755);
}

TEST(Ledger, AFolderThatCannotBeWrittenLeavesTheProcessUpAndIsTriedAgain) {
  Folder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0555), 0);
  DecisionIdSource ids(1);
  {
    const Powerless powerless;
    auto ledger = open(quick(folder.file()));
    ledger->append(answered(ids));
    const auto flushed = ledger->flush();
    ASSERT_FALSE(flushed);
    EXPECT_TRUE(contains(flushed.error().message, "cannot be opened or created"))
        << flushed.error().message;
    EXPECT_TRUE(contains(flushed.error().message, folder.file()));
  }
  chmod(folder.path().c_str(), 0755);
  auto ledger = open(quick("/proc/nowhere/ledger.db"));
  EXPECT_FALSE(ledger->stats().healthy);
}

TEST(Ledger, ADirectoryInItsPlaceThatIsMovedAwayHealsByItself) {
  Folder folder;
  DecisionIdSource ids(1);
  std::filesystem::create_directory(folder.file());
  auto ledger = open(quick(folder.file()));
  EXPECT_FALSE(ledger->stats().healthy);
  ledger->append(answered(ids));
  std::filesystem::remove(folder.file());
  for (int i = 0; i < 500 && !ledger->stats().healthy; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(ledger->stats().healthy) << ledger->stats().last_error;
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests"), 1);
}

TEST(Ledger, RefusesAFileThatIsNotALedgerAndLeavesItAsItIs) {
  Folder folder;
  const std::string text(5000, 'x');
  std::ofstream(folder.file("notes.txt")) << text;
  const auto plain = Ledger::open(quick(folder.file("notes.txt")));
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, ErrorCode::kCorruptFile);
  EXPECT_TRUE(contains(plain.error().message, "not an SQLite database")) << plain.error().message;
  EXPECT_EQ(std::filesystem::file_size(folder.file("notes.txt")), text.size());

  {
    auto other = Database::open(folder.file("other.db"), Database::Mode::kWrite, 100);
    ASSERT_TRUE(other->run("CREATE TABLE requests(a)"));
  }
  const auto foreign = Ledger::open(quick(folder.file("other.db")));
  ASSERT_FALSE(foreign);
  EXPECT_TRUE(contains(foreign.error().message, "not a Rung ledger")) << foreign.error().message;
}

TEST(Ledger, RefusesAFileOfANewerRungByName) {
  Folder folder;
  open(quick(folder.file())).reset();
  {
    auto db = Database::open(folder.file(), Database::Mode::kWrite, 100);
    ASSERT_TRUE(db->run("INSERT INTO rung_schema VALUES(99, 0)"));
  }
  const auto newer = Ledger::open(quick(folder.file()));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::kCorruptFile);
  EXPECT_TRUE(contains(newer.error().message, "newer Rung (tables of version 99"))
      << newer.error().message;
}

TEST(Schema, TakesAnOlderFileForwardStepByStepAndKeepsItsRows) {
  Folder folder;
  DecisionIdSource ids(1);
  {
    auto ledger = open(quick(folder.file()));
    ledger->append(answered(ids));
  }
  auto db = Database::open(folder.file(), Database::Mode::kWrite, 100);
  ASSERT_TRUE(db);
  std::vector<const char*> steps(schema_steps().begin(), schema_steps().end());
  const auto now = static_cast<int>(steps.size());
  steps.push_back("ALTER TABLE requests ADD COLUMN tomorrow TEXT");
  steps.push_back("UPDATE requests SET tomorrow='x'");
  ASSERT_TRUE(prepare_schema(*db, folder.file(), steps));
  EXPECT_EQ(*schema_version(*db, folder.file(), steps), now + 2);
  EXPECT_EQ(number(folder.file(), "SELECT count(*) FROM requests WHERE tomorrow='x'"), 1);
  EXPECT_FALSE(schema_version(*db, folder.file())) << "today's program must refuse it now";
}

TEST(Schema, AStepThatFailsChangesNothing) {
  Folder folder;
  open(quick(folder.file())).reset();
  auto db = Database::open(folder.file(), Database::Mode::kWrite, 100);
  std::vector<const char*> steps(schema_steps().begin(), schema_steps().end());
  const auto now = static_cast<int>(steps.size());
  steps.push_back("ALTER TABLE requests ADD COLUMN tomorrow TEXT");
  steps.push_back("this is not SQL");
  EXPECT_FALSE(prepare_schema(*db, folder.file(), steps));
  EXPECT_EQ(*schema_version(*db, folder.file(), steps), now);
  EXPECT_EQ(number(folder.file(),
                   "SELECT count(*) FROM pragma_table_info('requests') WHERE name='tomorrow'"),
            0);
}

TEST(Ledger, InMemoryIsReadThroughItsReaderPathAndApartFromOthers) {
  DecisionIdSource ids(1);
  auto one = open(quick(":memory:"));
  auto two = open(quick(":memory:"));
  one->append(answered(ids));
  ASSERT_TRUE(one->flush());
  EXPECT_EQ(number(one->reader_path(), "SELECT count(*) FROM requests"), 1);
  EXPECT_EQ(number(two->reader_path(), "SELECT count(*) FROM requests"), 0);
}

TEST(Ledger, SwitchedOffForgetsRecordsAndRefusesFeedback) {
  DecisionIdSource ids(1);
  auto ledger = open(LedgerOptions{});
  EXPECT_FALSE(ledger->is_enabled());
  RequestRecord record = answered(ids);
  const DecisionId id = record.id;
  ledger->append(std::move(record));
  EXPECT_TRUE(ledger->flush());
  const auto refused = ledger->feedback({id, 1.0, "", "", kNoon});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST(Ledger, SaysWhenARowIsThereAndDoesNotWaitForItsBatch) {
  Folder folder;
  DecisionIdSource ids(1);
  LedgerOptions options = quick(folder.file());
  options.flush_interval = 10s;  // a row that waited for its batch would come too late
  auto ledger = open(options);
  ASSERT_TRUE(ledger->flush());
  for (int i = 1; i <= 20; ++i) {
    std::promise<std::pair<bool, std::int64_t>> told;
    ledger->append(answered(ids), 0, [&](bool there) {
      told.set_value({there, number(folder.file(), "SELECT count(*) FROM requests")});
    });
    auto settled = told.get_future();
    ASSERT_EQ(settled.wait_for(5s), std::future_status::ready);
    EXPECT_EQ(settled.get(), std::make_pair(true, std::int64_t{i}));
  }
}

TEST(Ledger, SaysThatARowWillNeverBeThere) {
  DecisionIdSource ids(1);
  bool told = true;
  LedgerOptions off;
  open(off)->append(answered(ids), 0, [&](bool there) { told = there; });
  EXPECT_FALSE(told);
  LedgerOptions full;
  full.path = ":memory:";
  full.max_waiting_bytes = 10;
  told = true;
  open(full)->append(answered(ids), 0, [&](bool there) { told = there; });
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace rung::state
