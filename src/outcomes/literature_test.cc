#include "outcomes/literature.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "outcomes/report.h"
#include "outcomes/report_html.h"

namespace rung::outcomes {
namespace {

// A weak arm that fails on hard queries and a strong one that never does; the router sees which is
// which.
struct World {
  Table table;
  std::vector<float> score, cost, quality, price;
  Estimated data() const { return {table.rows(), table.arm_count(), score, cost, quality, price}; }
};

World world(std::size_t rows, std::vector<std::string> arms = {"weak", "strong"}) {
  World w;
  w.table.arms = std::move(arms);
  for (std::size_t row = 0; row < rows; ++row) {
    w.table.ids.push(std::to_string(row));
    w.table.prompts.push("p");
    w.table.category.push_back(kNoCategory);
    const bool hard = row % 4 == 0;
    for (std::size_t arm = 0; arm < w.table.arm_count(); ++arm) {
      w.score.push_back(arm == 0 && hard ? 0.0f : 1.0f);
      w.quality.push_back(arm == 0 && hard ? 0.25f : 0.75f + 0.05f * static_cast<float>(arm));
      w.cost.push_back(arm == 0 ? 0.001f : 0.01f * static_cast<float>(arm));
      w.price.push_back(w.cost.back());
    }
  }
  return w;
}

TEST(Literature, OfARouterThatSeesEverythingIsPerfect) {
  const World w = world(400);
  auto c = compare(w.table, w.data(), {.bootstrap = 10});
  ASSERT_TRUE(c) << c.error().message;
  const Literature& l = c->literature;
  ASSERT_TRUE(l.pair);
  EXPECT_EQ(l.pair->weak, 0u);
  EXPECT_EQ(l.pair->strong, 1u);
  EXPECT_EQ(l.pair->rows, 400u);
  EXPECT_NEAR(*l.pair->pgr, 1, 1e-6);
  // A quarter of strong calls recovers everything: a line up to there, then flat.
  EXPECT_NEAR(*l.pair->apgr, 1 - 0.125, 1e-6);
  EXPECT_NEAR(*l.pair->cpt50, 0.125, 1e-6);
  EXPECT_NEAR(*l.arena.means.accuracy, 1, 1e-6);
  EXPECT_NEAR(*l.arena.means.usd_per_1000, 0.25 * 10 + 0.75 * 1, 1e-4);
  EXPECT_NEAR(*l.arena.optimal.selection, 1, 1e-9);
  EXPECT_NEAR(*l.arena.optimal.cost, 1, 1e-6);
  EXPECT_EQ(l.arena.optimal.queries, 400u);
  EXPECT_NEAR(*l.llmrouterbench.gap_oracle, 0, 1e-6);
  EXPECT_NEAR(*l.llmrouterbench.gain_random, 1 / 0.875 - 1, 1e-6);
  EXPECT_NEAR(*l.llmrouterbench.cost_save, 1 - 0.325, 1e-5);
  EXPECT_NEAR(*l.llmrouterbench.perf_gain, 0, 1e-6);
  EXPECT_GT(*l.aiq.router, *l.aiq.static_hull);
  EXPECT_NEAR(l.aiq.x_max, 0.01, 1e-6);
}

TEST(Literature, OfOneArmHasNoPairAndNothingUndefinedIsANumber) {
  const World w = world(40, {"only"});
  auto c = compare(w.table, w.data(), {.bootstrap = 10});
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_FALSE(c->literature.pair);
  EXPECT_FALSE(c->literature.aiq.router_over_range) << "all points cost the same";
  EXPECT_FALSE(c->literature.llmrouterbench.pareto_dist);
  const std::string text = report_json(*c, {});
  EXPECT_NE(text.find("\"literature\":{\"pair\":null"), std::string::npos);
  EXPECT_NE(text.find("\"router_over_range\":null"), std::string::npos);
  EXPECT_EQ(report_text(*c, {}).find("RouteLLM"), std::string::npos);
}

TEST(Literature, CountsOnlyRowsThatBothArmsOfThePairHave) {
  World w = world(400);
  for (std::size_t row = 0; row < 100; ++row) w.score[row * 2 + 1] = kMissing;
  auto c = compare(w.table, w.data(), {.bootstrap = 10});
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->literature.pair->rows, 300u);
  EXPECT_EQ(c->literature.arena.means.entries, 400u);
}

TEST(Literature, AppearsInEveryFormOfTheReport) {
  const World w = world(400, {"we<ak", "strong"});
  auto c = compare(w.table, w.data(), {.bootstrap = 10});
  ASSERT_TRUE(c);
  const std::string text = report_text(*c, {}), page = report_html(*c, {}),
                    data = report_json(*c, {});
  for (const std::string word : {"RouteLLM", "RouterBench", "RouterArena", "LLMRouterBench"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word;
    EXPECT_NE(page.find(word), std::string::npos) << word;
  }
  EXPECT_NE(page.find("we&lt;ak to strong"), std::string::npos);
  EXPECT_EQ(page.find("we<ak"), std::string::npos);
  for (const std::string key : {"\"apgr\":", "\"cpt80\":", "\"aiq\":", "\"routerarena\":",
                                "\"llmrouterbench\":", "\"brier\":", "\"log_loss\":"})
    EXPECT_NE(data.find(key), std::string::npos) << key;
}

}  // namespace
}  // namespace rung::outcomes
