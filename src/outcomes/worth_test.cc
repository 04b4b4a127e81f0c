#include "outcomes/worth.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "json/value.h"
#include "json/write.h"
#include "outcomes/report_worth.h"

namespace rung::outcomes {
namespace {

// A table in which one thing is planted, and a router that knows exactly that.
struct Planted {
  Table table;
  std::vector<float> quality, cost;
  Estimated data() const {
    return {table.rows(), table.arm_count(), table.score, table.cost, quality, cost};
  }
  Result<Worth> judge(const Samples* samples = nullptr) const {
    const HullGainOptions how{.bootstrap = 100};
    auto gain = hull_gain(data(), how);
    if (!gain) return gain.error();
    return worth(table, data(), *gain, gain->sweep[gain->sweep.size() / 2], samples, how);
  }
};

enum class Plant { kNothing, kPrice, kDifficulty, kTask };

Planted planted(Plant what, std::vector<std::string> arms = {"small", "large"}) {
  Planted p;
  p.table.arms = std::move(arms);
  p.table.categories = {"a", "b"};
  Rng rng(7);
  for (std::size_t row = 0; row < 1500; ++row) {
    p.table.ids.push("q" + std::to_string(row));
    p.table.prompts.push("p");
    const bool b = rng.below(5) < 3;
    p.table.category.push_back(b ? 1 : 0);
    const double u = rng.uniform();
    for (std::size_t arm = 0; arm < 2; ++arm) {
      double quality = arm == 0 ? 0.5 : 0.7, cost = arm == 0 ? 0.001 : 0.01;
      if (what == Plant::kPrice && arm == 1) cost *= u < 0.5 ? 0.2 : 1.8;
      // Of easy queries both arms know the answer: only on the others the large one is better.
      if (what == Plant::kDifficulty) quality = u < 0.5 ? 0.95 : (arm == 0 ? 0.2 : 0.8);
      if (what == Plant::kTask) quality = (arm == 1) == b ? 0.9 : 0.4;
      p.table.score.push_back(rng.uniform() < quality ? 1.0f : 0.0f);
      p.table.cost.push_back(static_cast<float>(cost));
      if (what != Plant::kNothing) quality += 0.01 * rng.normal();  // the estimate is not exact
      p.quality.push_back(static_cast<float>(quality));
      p.cost.push_back(static_cast<float>(cost));
    }
  }
  return p;
}

const GainSource& source(const Worth& w, std::string_view name) {
  return *std::find_if(w.sources.begin(), w.sources.end(),
                       [&](const GainSource& s) { return s.name == name; });
}

TEST(Worth, TheSourcesSumToTheHullGain) {
  for (const Plant what : {Plant::kNothing, Plant::kPrice, Plant::kDifficulty, Plant::kTask}) {
    const auto w = planted(what).judge();
    ASSERT_TRUE(w) << w.error().message;
    double sum = 0;
    for (const GainSource& s : w->sources) sum += s.added.value;
    EXPECT_NEAR(sum, w->hull_gain.value, 1e-9);
  }
}

TEST(Worth, WhatWasPlantedIsWhereTheGainComesFrom) {
  for (const auto& [what, name] : {std::pair{Plant::kPrice, "price"},
                                   {Plant::kDifficulty, "difficulty"},
                                   {Plant::kTask, "task"}}) {
    const auto w = planted(what).judge();
    ASSERT_TRUE(w) << w.error().message;
    EXPECT_TRUE(w->worth_it) << name;
    EXPECT_GT(w->hull_gain.value, 0.02) << name;
    EXPECT_GT(source(*w, name).added.low, 0) << name;
    for (const GainSource& s : w->sources) {
      if (s.name == name) continue;
      EXPECT_LT(s.added.value, 0.5 * source(*w, name).added.value) << name << " and " << s.name;
    }
  }
}

TEST(Worth, WithoutASignalItSaysOffAndNamesWhatToUseInstead) {
  const auto w = planted(Plant::kNothing).judge();
  ASSERT_TRUE(w) << w.error().message;
  EXPECT_FALSE(w->worth_it);
  EXPECT_TRUE(w->verdict.starts_with("Switch the router off")) << w->verdict;
  EXPECT_NE(w->verdict.find("Use large alone"), std::string::npos) << w->verdict;
  double weight = 0;
  for (const WeightedArm& arm : w->mixture) weight += arm.weight;
  EXPECT_NEAR(weight, 1, 1e-12);
}

TEST(Worth, WithASignalItSaysOnAndHowMuchItSaves) {
  const auto w = planted(Plant::kTask).judge();
  ASSERT_TRUE(w) << w.error().message;
  EXPECT_TRUE(w->verdict.starts_with("Keep the router on")) << w->verdict;
  // Two fifths of the queries go to the small arm, which is a tenth as dear and better there.
  EXPECT_GT(w->saving.low, 0.3);
  EXPECT_LE(w->saving.low, w->saving.value);
  EXPECT_LE(w->saving.value, w->saving.high);
  EXPECT_GT(w->lift.low, 0);
}

TEST(Worth, ArmsOfOneModelAreEffort) {
  const auto one = planted(Plant::kTask, {"m:direct", "m:cot"}).judge();
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(one->effort);
  EXPECT_NEAR(one->effort->value, one->hull_gain.value, 1e-12);
  const auto two = planted(Plant::kTask, {"m:direct", "n:cot"}).judge();
  ASSERT_TRUE(two);
  EXPECT_FALSE(two->effort);
}

TEST(Worth, OneAnswerBoundsWhatIsOutOfReach) {
  Planted p = planted(Plant::kNothing);
  double hits = 0;
  for (std::size_t row = 0; row < p.table.rows(); ++row)
    hits += p.table.score[2 * row] == 0 && p.table.score[2 * row + 1] > 0 ? 1 : 0;
  const auto w = p.judge();
  ASSERT_TRUE(w && w->one_answer);
  EXPECT_EQ(w->one_answer->arm, "small");
  EXPECT_NEAR(w->one_answer->share.value, hits / static_cast<double>(p.table.rows()), 1e-12);
}

Samples sampled(std::vector<std::string> models, std::vector<std::vector<std::string>> items) {
  Samples out;
  out.models = std::move(models);
  for (const auto& item : items) {  // "RW?" for each model: right, wrong, unknown
    SampledItem made;
    for (const std::string& model : item) {
      std::vector<Sample> all;
      for (const char c : model) {
        Sample s;
        s.correct = c == 'R' ? Correct::kRight : c == 'W' ? Correct::kWrong : Correct::kUnknown;
        all.push_back(s);
      }
      made.of_model.push_back(all);
    }
    out.items.push_back(made);
  }
  return out;
}

TEST(Worth, SamplesSayExactlyWhatSamplingNeverReaches) {
  // Of four questions: never right while large is; once right in four; both wrong; unknown.
  const auto s =
      sampled({"small:a", "small:b", "large"},
              {{"WW", "WW", "R"}, {"WW", "WR", "R"}, {"WW", "WW", "W"}, {"??", "", "R"}});
  const auto w = planted(Plant::kNothing).judge(&s);
  ASSERT_TRUE(w && w->sampled);
  EXPECT_EQ(w->sampled->model, "small");
  EXPECT_TRUE(w->sampled->is_cheapest_arm);
  EXPECT_EQ(w->sampled->items, 3u);
  EXPECT_NEAR(w->sampled->samples, 4, 1e-12);
  EXPECT_NEAR(w->sampled->share.value, 1.0 / 3, 1e-12);
  EXPECT_NEAR(w->sampled->with_one, (1 + 0.75) / 3, 1e-12);
  EXPECT_NEAR(w->sampled->with_five, 1.0 / 3, 1e-12);
}

TEST(Worth, SamplesWithoutTheCheapestArmFallBackToTheWeakest) {
  const auto s = sampled({"x", "y"}, {{"RR", "WR"}, {"RR", "WW"}});
  const auto out = out_of_reach(s, "small");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->model, "y");
  EXPECT_FALSE(out->is_cheapest_arm);
  EXPECT_NEAR(out->share.value, 0.5, 1e-12);
  EXPECT_FALSE(out_of_reach(sampled({"x"}, {{"R"}}), "x"));
}

TEST(Worth, StrategiesAreComparedWhereThereIsButOneModel) {
  const auto s = sampled({"m:io", "m:tree"}, {{"WW", "R"}, {"RW", "R"}});
  const auto out = out_of_reach(s, "other");
  ASSERT_TRUE(out);
  EXPECT_EQ(out->model, "m:io");
}

TEST(Worth, WilsonsIntervalIsTheTextbooks) {  // Newcombe 1998, table I: 81 of 263
  const Interval i = wilson(81, 263);
  EXPECT_NEAR(i.low, 0.2553, 5e-5);
  EXPECT_NEAR(i.high, 0.3662, 5e-5);
  EXPECT_EQ(wilson(0, 10).low, 0);
}

TEST(Worth, TheReportsSayTheVerdict) {
  const auto w = planted(Plant::kNothing).judge();
  ASSERT_TRUE(w);
  EXPECT_TRUE(worth_text(*w).ends_with(w->verdict + "\n"));
  EXPECT_NE(worth_html(*w).find("Switch the router off"), std::string::npos);
  json::Writer writer;
  writer.begin_object();
  worth_json(*w, writer);
  writer.end_object();
  const std::string made = writer.take();
  const auto root = json::parse(made);
  ASSERT_TRUE(root) << made;
  const auto object = json::find(*root, "worth");
  ASSERT_TRUE(object);
  EXPECT_TRUE(json::find(*object, "router")->equals("off"));
  EXPECT_TRUE(json::find(*object, "effort")->is_null());
}

}  // namespace
}  // namespace rung::outcomes
