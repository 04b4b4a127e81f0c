#include "state/ledger_reader.h"

#include <gtest/gtest.h>

#include "state/ledger.h"
#include "state/testing.h"

namespace rung::state {
namespace {

using testing::answered;
using testing::kNoon;

constexpr std::int64_t kSecond = 1'000'000;

/// A ledger in memory with its reader.
struct World {
  World() {
    LedgerOptions options;
    options.path = ":memory:";
    options.keep_prompts = true;
    ledger = std::move(*Ledger::open(options));
    reader = LedgerReader::open(ledger->reader_path());
  }
  DecisionId add(RequestRecord record) {
    const DecisionId id = record.id;
    ledger->append(std::move(record));
    EXPECT_TRUE(ledger->flush());
    return id;
  }
  DecisionIdSource ids{1};
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<LedgerReader> reader;
};

TEST(LedgerReader, GivesADecisionBackWhole) {
  World world;
  RequestRecord record = answered(world.ids);
  record.prompt = "why is the sky blue";
  record.calls[0].usage = "{\"prompt_tokens\":100}";
  record.calls[0].cached_tokens = 0;
  const DecisionId id = world.add(record);
  ASSERT_TRUE(world.ledger->feedback({id, 0.75, "user", "good", kNoon + 5}));
  ASSERT_TRUE(world.ledger->flush());
  const auto found = world.reader->decision(id);
  ASSERT_TRUE(found) << found.error().message;
  const RequestRecord& r = found->record;
  EXPECT_EQ(r.id, id);
  EXPECT_EQ(r.seed, record.seed);
  EXPECT_EQ(r.prompt_hash, record.prompt_hash);
  EXPECT_EQ(r.prompt, record.prompt);
  EXPECT_EQ(r.policy_parameter, 0.0005);
  EXPECT_EQ(r.reference_cost, NanoUsd{9000});
  ASSERT_EQ(r.arms.size(), 3u);
  EXPECT_EQ(r.arms[0].quality, 0.71f);
  EXPECT_EQ(r.arms[1].cost, NanoUsd{9500});
  EXPECT_FALSE(r.arms[2].quality) << "an ineligible arm was not scored: unknown, not 0";
  EXPECT_EQ(r.arms[2].why_not, record.arms[2].why_not);
  ASSERT_EQ(r.calls.size(), 1u);
  EXPECT_EQ(r.calls[0].cached_tokens, 0) << "a measured 0 stays a 0";
  EXPECT_FALSE(r.calls[0].reasoning_tokens);
  EXPECT_EQ(r.calls[0].usage_source, UsageSource::kProvider);
  EXPECT_EQ(r.calls[0].usage, record.calls[0].usage);
  ASSERT_EQ(found->feedback.size(), 1u);
  EXPECT_EQ(found->feedback[0].score, 0.75);
  EXPECT_EQ(found->feedback[0].comment, "good");
  EXPECT_TRUE(found->cost_known());
}

TEST(LedgerReader, SaysThatAnUnknownDecisionIsNotFound) {
  World world;
  const auto found = world.reader->decision(world.ids.next(kNoon));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
}

TEST(LedgerReader, PagesBackInTimeWithoutGapsOrRepeats) {
  World world;
  std::vector<DecisionId> made;
  for (int i = 0; i < 25; ++i) made.push_back(world.add(answered(world.ids, kNoon + i * 10)));
  DecisionFilter filter;
  filter.limit = 10;
  std::vector<DecisionId> seen;
  while (true) {
    const auto page = world.reader->recent(filter);
    ASSERT_TRUE(page) << page.error().message;
    if (page->empty()) break;
    for (const auto& stored : *page) seen.push_back(stored.record.id);
    filter.before = seen.back();
  }
  std::reverse(seen.begin(), seen.end());
  EXPECT_EQ(seen, made);
}

TEST(LedgerReader, FiltersByRouteModelOutcomeAndTime) {
  World world;
  RequestRecord other = answered(world.ids, kNoon);
  other.route = "cheap";
  other.served_model = "tiny";
  other.arm = "large";
  other.key_name = "ci";
  other.outcome = Outcome::kTimeout;
  world.add(other);
  world.add(answered(world.ids, kNoon + kSecond));
  const auto count = [&](const DecisionFilter& filter) {
    return world.reader->recent(filter)->size();
  };
  EXPECT_EQ(count({}), 2u);
  EXPECT_EQ(count({.route = "cheap"}), 1u);
  EXPECT_EQ(count({.route = "cheap' OR '1'='1"}), 0u);
  EXPECT_EQ(count({.model = "small"}), 1u);
  EXPECT_EQ(count({.outcome = Outcome::kTimeout}), 1u);
  EXPECT_EQ(count({.arm = "large"}), 1u);
  EXPECT_EQ(count({.key_name = "ci"}), 1u);
  EXPECT_EQ(count({.window = {kNoon, kNoon + kSecond}}), 1u) << "the end is not part of the window";
  EXPECT_EQ(count({.window = {kNoon + 1, kNoon + kSecond + 1}}), 1u)
      << "exact within a millisecond";
}

TEST(LedgerReader, ComparesOnlyWhereBothCostsAreKnown) {
  World world;
  world.add(answered(world.ids));
  RequestRecord unpriced = answered(world.ids);
  unpriced.calls[0].cost.reset();
  world.add(unpriced);
  RequestRecord alone = answered(world.ids);
  alone.reference_cost.reset();
  world.add(alone);
  RequestRecord refused = answered(world.ids);
  refused.calls.clear();
  refused.outcome = Outcome::kRefused;
  world.add(refused);
  const auto totals = world.reader->totals({}, GroupBy::kRoute);
  ASSERT_TRUE(totals);
  ASSERT_EQ(totals->size(), 1u);
  const Totals& t = totals->front();
  EXPECT_EQ(t.requests, 4u);
  EXPECT_EQ(t.spent, NanoUsd{2000});
  EXPECT_EQ(t.cost_unknown, 1u);
  EXPECT_EQ(t.compared, 1u);
  EXPECT_EQ(t.compared_spent, NanoUsd{1000});
  EXPECT_EQ(t.compared_reference, NanoUsd{9000});
  EXPECT_EQ(t.failed(), 0u) << "a refusal is not a failure of ours";
  EXPECT_EQ(t.prompt_tokens, 300);
  EXPECT_FALSE(t.cached_tokens) << "nobody reported cached tokens: unknown";
}

TEST(LedgerReader, CountsADecisionOnceHoweverOftenItWasScored) {
  World world;
  const DecisionId one = world.add(answered(world.ids));
  const DecisionId two = world.add(answered(world.ids));
  for (const double score : {1.0, 0.0})
    ASSERT_TRUE(world.ledger->feedback({one, score, "", "", kNoon}));
  ASSERT_TRUE(world.ledger->feedback({two, 1.0, "", "", kNoon}));
  ASSERT_TRUE(world.ledger->flush());
  const auto totals = world.reader->totals({}, GroupBy::kArm);
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->front().requests, 2u);
  EXPECT_EQ(totals->front().scored, 2u);
  EXPECT_DOUBLE_EQ(totals->front().score, 0.75);
  EXPECT_LT(totals->front().score_low, 0.75);
  EXPECT_GT(totals->front().score_high, 0.75);
}

TEST(LedgerReader, GroupsByTheKeyOfTheClient) {
  World world;
  RequestRecord keyed = answered(world.ids);
  keyed.key_name = "ci";
  world.add(keyed);
  world.add(keyed = answered(world.ids));
  const auto totals = world.reader->totals({}, GroupBy::kKey);
  ASSERT_TRUE(totals);
  ASSERT_EQ(totals->size(), 2u);
  EXPECT_EQ((*totals)[0].name, "") << "no key is a group of its own";
  EXPECT_EQ((*totals)[1].name, "ci");
}

TEST(LedgerReader, GroupsByDayInUtc) {
  World world;
  constexpr std::int64_t kMidnight = 1'760'054'400'000'000;  // 2025-10-10 00:00 UTC
  world.add(answered(world.ids, kMidnight - 1));
  world.add(answered(world.ids, kMidnight));
  const auto days = world.reader->totals({}, GroupBy::kDay);
  ASSERT_EQ(days->size(), 2u);
  EXPECT_EQ((*days)[0].name, "2025-10-09");
  EXPECT_EQ((*days)[1].name, "2025-10-10");
}

TEST(LedgerReader, SummaryPutsEachRequestIntoItsBucket) {
  World world;
  world.add(answered(world.ids, kNoon));
  RequestRecord large = answered(world.ids, kNoon + 9 * kSecond);
  large.arm = "large";
  world.add(large);
  world.add(answered(world.ids, kNoon + 10 * kSecond));  // outside
  const auto summary = world.reader->summary({kNoon, kNoon + 10 * kSecond}, 10);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->all.requests, 2u);
  EXPECT_EQ(summary->all.total.p50, 301'000);
  ASSERT_EQ(summary->buckets.size(), 10u);
  ASSERT_EQ(summary->buckets[0].arms.size(), 1u);
  EXPECT_EQ(summary->buckets[0].arms[0].arm, "small");
  EXPECT_TRUE(summary->buckets[5].arms.empty());
  EXPECT_EQ(summary->buckets[9].arms[0].arm, "large");
  EXPECT_EQ(summary->by_arm.size(), 2u);
  EXPECT_EQ(summary->oldest_us, kNoon);
}

TEST(LedgerReader, AnEmptyLedgerHasNoOldestRequestAndNoScore) {
  World world;
  ASSERT_TRUE(world.ledger->flush());
  const auto summary = world.reader->summary({kNoon, kNoon + kSecond}, 4);
  ASSERT_TRUE(summary);
  EXPECT_FALSE(summary->oldest_us);
  EXPECT_EQ(summary->all.scored, 0u);
  EXPECT_FALSE(summary->all.prompt_tokens);
}

TEST(LedgerReader, ScanGoesForwardAndStopsAtTheCallersError) {
  World world;
  const DecisionId first = world.add(answered(world.ids));
  world.add(answered(world.ids));
  std::vector<DecisionId> seen;
  const auto stopped = world.reader->scan({}, [&](const StoredDecision& stored) -> Result<void> {
    seen.push_back(stored.record.id);
    EXPECT_EQ(stored.record.calls.size(), 1u);
    return Error{ErrorCode::kCancelled, "enough"};
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "enough");
  EXPECT_EQ(seen, std::vector{first});
}

TEST(LedgerReader, AMissingFileIsUnavailableUntilItIsThere) {
  testing::Folder folder;
  const auto reader = LedgerReader::open(folder.file());
  const auto before = reader->recent({});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kUnavailable);
  LedgerOptions options;
  options.path = folder.file();
  const auto ledger = Ledger::open(options);
  ASSERT_TRUE(reader->recent({})) << "opened anew at the next question";
}

TEST(WilsonInterval, MatchesThePublishedValueAndNarrowsWithTheCount) {
  const Interval interval = wilson_interval(0.5, 10);  // 0.2366 to 0.7634
  EXPECT_NEAR(interval.low, 0.2366, 1e-4);
  EXPECT_NEAR(interval.high, 0.7634, 1e-4);
  EXPECT_GT(wilson_interval(1.0, 1).high - wilson_interval(1.0, 1).low, 0.7)
      << "one score says little";
  EXPECT_LT(wilson_interval(0.5, 1000).high, 0.54);
}

}  // namespace
}  // namespace rung::state
