#include "gateway/metrics.h"

#include <gtest/gtest.h>

#include <thread>

#include "state/testing.h"

namespace rung::gateway {
namespace {

using state::testing::answered;

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

struct World {
  explicit World(std::size_t workers = 1) : metrics(workers, *ledger, "1.2.3") {
    metrics.serve(MetricLabels{{{"auto", {"small", "large"}}}, {"small", "large"}});
  }
  std::unique_ptr<state::Ledger> ledger = std::move(*state::Ledger::open({}));
  state::DecisionIdSource ids{1};
  Metrics metrics;
};

TEST(Metrics, CountsARequestItsPickItsTokensAndItsCost) {
  World world;
  world.metrics.record(0, answered(world.ids), 30);
  const std::string text = world.metrics.text();
  EXPECT_TRUE(has(text, "rung_requests_total{route=\"auto\",model=\"small\",status=\"ok\"} 1"))
      << text;
  EXPECT_TRUE(has(text, "rung_picks_total{route=\"auto\",arm=\"small\"} 1")) << text;
  EXPECT_TRUE(has(text, "rung_tokens_total{model=\"small\",kind=\"prompt\"} 100")) << text;
  EXPECT_NE(text.find("rung_cost_usd_total{model=\"small\"} 1"), std::string::npos) << text;
  EXPECT_TRUE(has(text, "rung_cost_unknown_total{model=\"small\"} 0")) << text;
  EXPECT_TRUE(has(text, "rung_build_info{version=\"1.2.3\"} 1")) << text;
  EXPECT_EQ(text.find("kind=\"cached\""), std::string::npos) << "not reported is not 0";
}

TEST(Metrics, PutsTimesIntoCumulativeBuckets) {
  World world;
  world.metrics.record(0, answered(world.ids), 20);  // bounds are part of their bucket
  world.metrics.record(0, answered(world.ids), 30);
  world.metrics.record(0, answered(world.ids), -1);  // no decision was made
  const std::string text = world.metrics.text();
  EXPECT_NE(text.find("rung_decision_seconds_count 2"), std::string::npos) << text;
  EXPECT_NE(text.find("rung_decision_seconds_bucket{le=\"+Inf\"} 2"), std::string::npos) << text;
  for (const auto& family : world.metrics.Collect()) {
    if (family.name != "rung_decision_seconds") continue;
    const auto& buckets = family.metric[0].histogram.bucket;
    EXPECT_EQ(buckets[0].cumulative_count, 0u);
    EXPECT_EQ(buckets[1].cumulative_count, 1u);
    EXPECT_EQ(buckets[2].cumulative_count, 2u);
    EXPECT_NEAR(family.metric[0].histogram.sample_sum, 50e-6, 1e-12);
  }
}

TEST(Metrics, NeverMakesALabelOfAClientsWords) {
  World world;
  for (int i = 0; i < 100; ++i) {
    auto record = answered(world.ids);
    record.route = "evil-" + std::to_string(i);
    record.served_model = "evil\"" + std::to_string(i);
    record.arm = "evil-" + std::to_string(i);
    world.metrics.record(0, record, 1);
  }
  const std::string text = world.metrics.text();
  EXPECT_EQ(text.find("evil"), std::string::npos);
  EXPECT_TRUE(has(text, "rung_requests_total{route=\"other\",model=\"other\",status=\"ok\"} 100"))
      << text;
}

TEST(Metrics, AnUnknownCostIsCountedAndNotAddedAsZero) {
  World world;
  auto record = answered(world.ids);
  record.calls[0].cost.reset();
  world.metrics.record(0, record, 1);
  EXPECT_TRUE(has(world.metrics.text(), "rung_cost_unknown_total{model=\"small\"} 1"));
}

TEST(Metrics, KeepsItsCountsOverAReload) {
  World world;
  world.metrics.record(0, answered(world.ids), 1);
  world.metrics.serve(MetricLabels{{{"auto", {"small"}}, {"new", {"small"}}}, {"small"}});
  world.metrics.record(0, answered(world.ids), 1);
  EXPECT_TRUE(has(world.metrics.text(),
                  "rung_requests_total{route=\"auto\",model=\"small\",status=\"ok\"} 2"));
}

TEST(Metrics, AddsUpWorkersThatCountAtTheSameTime) {
  World world(4);
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, worker] {
      state::DecisionIdSource ids(worker);
      const auto record = answered(ids);
      for (int i = 0; i < 5000; ++i) world.metrics.record(worker, record, 5);
      world.metrics.connection_opened(worker);
    });
  }
  for (int i = 0; i < 20; ++i) (void)world.metrics.text();
  for (auto& thread : threads) thread.join();
  world.metrics.connection_closed(0);
  const std::string text = world.metrics.text();
  EXPECT_TRUE(has(text, "rung_requests_total{route=\"auto\",model=\"small\",status=\"ok\"} 20000"))
      << text;
  EXPECT_TRUE(has(text, "rung_open_connections 3")) << text;
}

}  // namespace
}  // namespace rung::gateway
