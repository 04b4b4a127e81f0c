#include "state/spend.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "state/ledger.h"
#include "state/schema.h"
#include "state/sqlite.h"
#include "state/testing.h"

namespace rung::state {
namespace {

using testing::answered;
using testing::Folder;
using testing::kNoon;

constexpr std::int64_t kDay = 86'400'000'000;

std::unique_ptr<Ledger> open(const std::string& path) {
  LedgerOptions options;
  options.path = path;
  auto ledger = Ledger::open(options);
  EXPECT_TRUE(ledger) << (ledger ? "" : ledger.error().message);
  return *std::move(ledger);
}

RequestRecord by(DecisionIdSource& ids, const std::string& key, std::int64_t time_us,
                 std::optional<NanoUsd> cost, std::optional<NanoUsd> charged = {}) {
  RequestRecord record = answered(ids, time_us);
  record.key_name = key;
  record.calls[0].cost = cost;
  record.charged = charged;
  return record;
}

TEST(Spend, IsKeptByKeyRouteAndDayInStepWithTheRequests) {
  Folder folder;
  DecisionIdSource ids(1);
  auto ledger = open(folder.file());
  for (int i = 0; i < 3; ++i) ledger->append(by(ids, "alice", kNoon, NanoUsd{100}));
  EXPECT_TRUE(ledger->flush());
  ledger->append(by(ids, "alice", kNoon, NanoUsd{100}));  // a second batch adds to the first
  ledger->append(by(ids, "alice", kNoon + kDay, NanoUsd{7}));
  ledger->append(by(ids, "bob", kNoon, std::nullopt, NanoUsd{5000}));
  ledger->append(by(ids, "", kNoon, NanoUsd{1}));
  EXPECT_TRUE(ledger->flush());
  const auto rows = read_spend(folder.file(), 0, 1'000'000);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 5u);
  const SpendRow& alice = (*rows)[0];
  EXPECT_EQ(alice.name, "alice");
  EXPECT_EQ(alice.requests, 4);
  EXPECT_EQ(alice.prompt_tokens, 400);
  EXPECT_EQ(alice.spent, NanoUsd{400});
  EXPECT_EQ((*rows)[1].day, day_of(kNoon) + 1);
  EXPECT_EQ((*rows)[2].charged, NanoUsd{5000}) << "an unknown cost is charged as reserved";
  EXPECT_EQ((*rows)[2].spent, NanoUsd{0});
  EXPECT_EQ((*rows)[2].cost_unknown, 1);
  EXPECT_EQ((*rows)[3].scope, "route");
  EXPECT_EQ((*rows)[3].requests, 6) << "with a key and without";
  EXPECT_EQ(read_spend(folder.file(), day_of(kNoon) + 1, day_of(kNoon) + 2)->size(), 2u);
}

TEST(Spend, OfBeforeIsSummedByDayMonthAndInAll) {
  Folder folder;
  DecisionIdSource ids(1);
  {
    auto ledger = open(folder.file());
    ledger->append(by(ids, "alice", kNoon - 20 * kDay, NanoUsd{1000}));  // in September
    ledger->append(by(ids, "alice", kNoon - kDay, NanoUsd{200}));
    ledger->append(by(ids, "alice", kNoon, NanoUsd{30}));
  }
  const auto before = spent_before(folder.file(), kNoon + 3600);
  ASSERT_TRUE(before) << before.error().message;
  const Spent& alice = before->at({"key", "alice"});
  EXPECT_EQ(alice.total, NanoUsd{1230});
  EXPECT_EQ(alice.month, NanoUsd{230});
  EXPECT_EQ(alice.day, NanoUsd{30});
  EXPECT_EQ(before->at({"route", "auto"}).total, NanoUsd{1230});
}

TEST(Spend, ALedgerOfTheFirstVersionComesAlongWithItsSums) {
  Folder folder;
  {
    auto db = Database::open(folder.file(), Database::Mode::kWrite, 1000);
    ASSERT_TRUE(db);
    ASSERT_TRUE(prepare_schema(*db, folder.file(), schema_steps().first(1)));
    for (const char* key : {"'alice'", "'alice'", "NULL"}) {
      static int n = 0;
      ASSERT_TRUE(db->run(fmt::format("INSERT INTO requests(id,time_us,key_name,route,seed,"
                                      "prompt_hash,outcome,http_status,streaming,gateway_us,"
                                      "total_us,call_count,prompt_tokens,tokens_unknown,"
                                      "tokens_estimated,spent_nano,cost_unknown) VALUES("
                                      "'01ARZ3NDEKTSV4RRFFQ69G5FA{}',{},{},'auto',0,0,'ok',200,0,0,"
                                      "0,1,10,0,0,77,0)",
                                      ++n, kNoon, key)
                              .c_str()));
      ASSERT_TRUE(db->run(fmt::format("INSERT INTO calls VALUES({},1,'local','m',NULL,1,'ok',200,"
                                      "NULL,0,1,2,10,NULL,5,NULL,'provider','{{}}',77)",
                                      n)
                              .c_str()));
    }
  }
  DecisionIdSource ids(1);
  auto ledger = open(folder.file());
  ledger->append(by(ids, "alice", kNoon, NanoUsd{3}));
  ASSERT_TRUE(ledger->flush());
  const auto before = spent_before(folder.file(), kNoon);
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_EQ(before->at({"key", "alice"}).total, NanoUsd{2 * 77 + 3});
  EXPECT_EQ(before->at({"route", "auto"}).total, NanoUsd{3 * 77 + 3});
  const auto rows = read_spend(folder.file(), 0, 1'000'000);
  EXPECT_EQ((*rows)[0].prompt_tokens, 2 * 10 + 100);
}

TEST(Spend, WithoutALedgerThereIsNoneAndWithoutTheFileItIsUnknown) {
  EXPECT_TRUE(read_spend("", 0, 10)->empty());
  EXPECT_TRUE(spent_before("", kNoon)->empty());
  EXPECT_EQ(spent_before("/nowhere/ledger.db", kNoon).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace rung::state
