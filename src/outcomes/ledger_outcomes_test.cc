#include "outcomes/ledger_outcomes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "outcomes/reader.h"
#include "state/ledger.h"
#include "state/testing.h"

namespace rung::outcomes {
namespace {

using state::testing::answered;
using state::testing::kNoon;

struct World {
  World() {
    state::LedgerOptions options;
    options.path = ":memory:";
    options.keep_prompts = true;
    ledger = std::move(*state::Ledger::open(options));
    reader = state::LedgerReader::open(ledger->reader_path());
  }
  void add(state::RequestRecord record, std::optional<double> score,
           const std::string& source = "user") {
    const state::DecisionId id = record.id;
    ledger->append(std::move(record));
    if (score) {
      EXPECT_TRUE(ledger->feedback({id, *score, source, "", kNoon}));
    }
  }
  state::RequestRecord asked(const std::string& prompt, const std::string& arm = "small") {
    state::RequestRecord record = answered(ids);
    record.prompt = prompt;
    record.arm = arm;
    return record;
  }
  LedgerOutcomesReport write(const LedgerOutcomesOptions& options = {}) {
    EXPECT_TRUE(ledger->flush());
    auto report = write_ledger_outcomes(*reader, options, folder.file("o.jsonl"));
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
  Outcomes read() {
    const std::string file = folder.file("o.jsonl");
    auto table = read_outcomes(std::span(&file, 1));
    EXPECT_TRUE(table) << table.error().message;
    return *std::move(table);
  }
  state::testing::Folder folder;
  state::DecisionIdSource ids{1};
  std::unique_ptr<state::Ledger> ledger;
  std::unique_ptr<state::LedgerReader> reader;
};

TEST(LedgerOutcomes, AnArmsScoreCostAndTokensBecomeARowThatTrainingReads) {
  World world;
  world.add(world.asked("why is the sky blue"), 0.75);
  EXPECT_EQ(world.write().rows, 1u);
  const Outcomes made = world.read();
  ASSERT_EQ(made.table.rows(), 1u);
  EXPECT_EQ(made.table.prompts[0], "why is the sky blue");
  EXPECT_EQ(made.table.arms, std::vector<std::string>{"small"});
  EXPECT_EQ(made.table.score[0], 0.75f);
  EXPECT_EQ(made.table.cost[0], 1e-6f) << "1,000 billionths of a dollar";
  EXPECT_EQ(made.table.prompt_tokens[0], 100);
  EXPECT_EQ(made.table.completion_tokens[0], 50);
}

TEST(LedgerOutcomes, ThePromptThatTwoArmsAnsweredIsOneRowWithBoth) {
  World world;
  world.add(world.asked("same"), 0.0);
  world.add(world.asked("same", "large"), 1.0);
  world.add(world.asked("same"), 1.0);
  const LedgerOutcomesReport report = world.write();
  EXPECT_EQ(report.used, 3u);
  EXPECT_EQ(report.rows, 1u);
  const Outcomes made = world.read();
  ASSERT_EQ(made.table.arm_count(), 2u);
  EXPECT_EQ(made.table.score[0], 0.5f) << "the mean of the two scores of small";
  EXPECT_EQ(made.table.score[1], 1.0f);
}

TEST(LedgerOutcomes, WhatIsLeftOutIsCountedByItsReason) {
  World world;
  world.add(world.asked("used"), 1.0);
  world.add(world.asked("nobody said how good it was"), std::nullopt);
  world.add(world.asked(""), 1.0);
  state::RequestRecord cut = world.asked("cut");
  cut.outcome = state::Outcome::kUpstreamError;
  world.add(std::move(cut), 0.0);
  state::RequestRecord refused = world.asked("refused", "");
  refused.outcome = state::Outcome::kRefused;
  world.add(std::move(refused), 0.0);
  const LedgerOutcomesReport report = world.write();
  EXPECT_EQ(report.used, 1u);
  EXPECT_EQ(report.unscored, 1u);
  EXPECT_EQ(report.no_prompt, 1u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.no_arm, 1u);
  EXPECT_EQ(report.decisions(), 5u);
}

TEST(LedgerOutcomes, OnlyTheAskedSourceCounts) {
  World world;
  world.add(world.asked("a"), 1.0, "judge");
  world.add(world.asked("b"), 0.0, "user");
  LedgerOutcomesOptions options;
  options.source = "judge";
  const LedgerOutcomesReport report = world.write(options);
  EXPECT_EQ(report.rows, 1u);
  EXPECT_EQ(report.unscored, 1u);
}

TEST(LedgerOutcomes, AnUnknownCostStaysMissingAndAFailedTryIsNotTheArmsPrice) {
  World world;
  state::RequestRecord unpriced = world.asked("unpriced");
  unpriced.calls[0].cost.reset();
  world.add(std::move(unpriced), 1.0);
  state::RequestRecord retried = world.asked("retried");
  state::CallRecord broken = retried.calls[0];
  broken.outcome = state::Outcome::kUpstreamError;
  broken.cost = state::NanoUsd{70'000};
  retried.calls.insert(retried.calls.begin(), broken);
  world.add(std::move(retried), 1.0);
  EXPECT_EQ(world.write().cost_unknown, 1u);
  const Outcomes made = world.read();
  EXPECT_TRUE(std::isnan(made.table.cost[0]));
  EXPECT_EQ(made.table.cost[1], 1e-6f);
}

TEST(LedgerOutcomes, WithoutAScoreNoFileIsLeft) {
  World world;
  world.add(world.asked("x"), std::nullopt);
  EXPECT_EQ(world.write().rows, 0u);
  EXPECT_FALSE(std::filesystem::exists(world.folder.file("o.jsonl")));
}

}  // namespace
}  // namespace rung::outcomes
