#include "gateway/live_shares.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"

namespace rung::gateway {
namespace {

Route route(double threshold = 0.5, std::optional<double> share = 0.3, std::string name = "auto") {
  Route r;
  r.name = std::move(name);
  r.policy_spec.kind = decide::PolicyKind::kThreshold;
  r.policy_spec.parameter = threshold;
  r.policy_spec.strong = "large";
  r.policy_spec.weak = "small";
  r.policy_spec.share = share;
  r.policy_spec.share_window = 1000;
  return r;
}

template <class... Routes>
std::shared_ptr<const Snapshot> serving(Routes... routes) {
  auto snapshot = std::make_shared<Snapshot>();
  (snapshot->routes.push_back(std::make_unique<Route>(std::move(routes))), ...);
  return snapshot;
}

/// `n` scores, a `share` of which lies at or above the threshold of a half.
void feed(LiveShareCell& cell, double share, int n, Rng& rng) {
  for (int i = 0; i < n; ++i) {
    const double score = rng.uniform() + share - 0.5;
    cell.add({score >= 0.5, score});
  }
}

double value_of(const LiveShares& shares, const std::string& name) {
  for (const auto& family : shares.Collect())
    if (family.name == name && !family.metric.empty()) return family.metric[0].gauge.value;
  return -1;
}

TEST(LiveShares, AddsTheWorkersUpAndTellsTheBeginningAndTheEndOfADriftOnce) {
  LiveShares shares(2);
  const Route watched = route();
  shares.serve(*serving(route()));
  LiveShareCell &first = *shares.cell(0, watched), &second = *shares.cell(1, watched);
  Rng rng(3);
  feed(first, 0.3, 400, rng);
  feed(second, 0.3, 400, rng);
  EXPECT_TRUE(shares.watch().empty());
  EXPECT_FALSE(shares.status()[0].last) << "no window is full";
  EXPECT_EQ(value_of(shares, "rung_strong_share"), -1);
  feed(second, 0.3, 400, rng);
  EXPECT_TRUE(shares.watch().empty());
  EXPECT_NEAR(value_of(shares, "rung_strong_share"), 0.3, 0.05);
  EXPECT_EQ(value_of(shares, "rung_strong_share_drifted"), 0);

  feed(first, 0.5, 2000, rng);
  feed(second, 0.5, 2000, rng);
  const auto began = shares.watch();
  ASSERT_EQ(began.size(), 1u);
  EXPECT_TRUE(began[0].last->drifted);
  EXPECT_EQ(began[0].last->requests, 4000u);
  EXPECT_NE(began[0].sentence.find("of the last 4000 requests went to large, 30.0 % were expected"),
            std::string::npos)
      << began[0].sentence;
  EXPECT_NEAR(*began[0].wanted, 0.7, 0.03) << "30 % of the scores from 0 to 1 are above";
  EXPECT_EQ(value_of(shares, "rung_strong_share_drifted"), 1);
  EXPECT_NEAR(value_of(shares, "rung_threshold_wanted"), 0.7, 0.03);
  EXPECT_TRUE(shares.watch().empty()) << "told once";

  feed(first, 0.3, 1000, rng);
  const auto ended = shares.watch();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_FALSE(ended[0].last->drifted);
}

TEST(LiveShares, WatchesOnlyRoutesWhoseShareIsKnown) {
  LiveShares shares(1);
  shares.serve(*serving(route(0.5, std::nullopt)));
  EXPECT_EQ(shares.cell(0, route(0.5, std::nullopt)), nullptr);
  EXPECT_TRUE(shares.status().empty());
  EXPECT_TRUE(shares.Collect().empty());
}

TEST(LiveShares, AReloadGoesOnCountingUnlessTheThresholdOrTheShareIsAnother) {
  LiveShares shares(1);
  shares.serve(*serving(route(0.5, 0.3)));
  LiveShareCell* before = shares.cell(0, route());
  shares.serve(*serving(route(0.5, 0.3), route(0.5, 0.3, "other")));
  EXPECT_EQ(shares.cell(0, route()), before);
  EXPECT_NE(shares.cell(0, route(0.5, 0.3, "other")), before);
  EXPECT_EQ(shares.status().size(), 2u);
  shares.serve(*serving(route(0.6, 0.3)));
  EXPECT_NE(shares.cell(0, route(0.6)), before);
  EXPECT_EQ(shares.status().size(), 1u);
  before->add({true, 0.9});  // a request that began before the reload still has its cell
  EXPECT_TRUE(shares.watch().empty());
}

TEST(LiveShares, ACallWithoutAScoreCountsForTheShareAndNotForTheThreshold) {
  LiveShares shares(1);
  shares.serve(*serving(route()));
  LiveShareCell& cell = *shares.cell(0, route());
  for (int i = 0; i < 1000; ++i) cell.add({true, std::nullopt});
  EXPECT_EQ(shares.watch().size(), 1u);
  EXPECT_EQ(value_of(shares, "rung_strong_share"), 1);
  EXPECT_EQ(value_of(shares, "rung_threshold_wanted"), -1);
}

TEST(LiveShares, OfAllOrNothingHasAShareAndNoQuantile) {
  LiveShares shares(1);
  shares.serve(*serving(route(0.5, 1.0)));
  LiveShareCell& cell = *shares.cell(0, route(0.5, 1.0));
  for (int i = 0; i < 1000; ++i) cell.add({true, 0.9});
  EXPECT_TRUE(shares.watch().empty());
  EXPECT_FALSE(shares.status()[0].wanted);
}

TEST(LiveShares, LosesNothingWhileWorkersCount) {
  LiveShares shares(2);
  shares.serve(*serving(route(0.5, 0.5)));
  std::vector<std::jthread> threads;
  for (std::size_t worker = 0; worker < 2; ++worker)
    threads.emplace_back([&, worker] {
      LiveShareCell& cell = *shares.cell(worker, route(0.5, 0.5));
      for (int i = 0; i < 20'000; ++i) cell.add({i % 2 == 0, 0.1});
    });
  for (int i = 0; i < 1000; ++i) shares.watch();
  threads.clear();
  // Whatever was judged in between: what is left fills no window, and then one more does.
  shares.watch();
  LiveShareCell& cell = *shares.cell(0, route(0.5, 0.5));
  for (int i = 0; i < 1000; ++i) cell.add({i % 2 == 0, 0.1});
  shares.watch();
  EXPECT_NEAR(value_of(shares, "rung_strong_share"), 0.5, 0.01);
}

}  // namespace
}  // namespace rung::gateway
