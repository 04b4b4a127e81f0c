#include "predict/published.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

#include "predict/methods/matrix_factorisation.h"
#include "predict/methods/soft_logistic.h"
#include "predict/published_artefact.h"
#include "predict/testing.h"

namespace rung::predict {
namespace {

using testing::two_kinds;

const std::string kWords = "Describe nop qrs tuv xyz nrs ptu vwx yzn oqs";
const std::string kNumbers = "Compute abc def ghi jkl mab cde fgh ijk lma";

/// The first `rows` of them.
outcomes::Table first(const outcomes::Table& table, std::size_t rows) {
  std::vector<std::size_t> which(rows);
  for (std::size_t i = 0; i < rows; ++i) which[i] = i;
  return outcomes::select_rows(table, which);
}

/// The second arm is better on numbers, the first on words, and costs a tenth.
PublishedModel trained(const std::string& method, const outcomes::Table& table) {
  auto model = train_published(table, {.method = method, .strong = {}, .weak = {}, .seed = 1});
  EXPECT_TRUE(model) << model.error().message;
  return *std::move(model);
}

/// On two_kinds(true), once for all tests of this process.
PublishedModel trained(const std::string& method) {
  static std::map<std::string, PublishedModel> models;
  const auto [at, added] = models.try_emplace(method);
  if (added) at->second = trained(method, two_kinds(true));
  return at->second;
}

Error refusal(const std::string& method, const outcomes::Table& table,
              const std::string& strong = {}, const std::string& weak = {}) {
  auto model =
      train_published(table, {.method = method, .strong = strong, .weak = weak, .seed = 1});
  EXPECT_FALSE(model) << method;
  return model ? Error{} : model.error();
}

std::shared_ptr<const Router> loaded(const PublishedModel& model) {
  auto router = Router::from_bytes(write_published(model, {}));
  EXPECT_TRUE(router) << router.error().message;
  return *router;
}

std::vector<Estimate> estimates(const Router& router, std::string_view prompt) {
  std::vector<Estimate> out(router.arms().size());
  Scratch scratch;
  router.estimate(prompt, out, scratch);
  for (const Estimate& e : out) {
    EXPECT_TRUE(std::isfinite(e.quality) && e.quality >= 0 && e.quality <= 1) << e.quality;
    EXPECT_TRUE(std::isfinite(e.cost_usd) && e.cost_usd >= 0);
  }
  return out;
}

Matrix design(const PublishedModel& model, std::string_view prompt) {
  return embed_all(model.embedding.view(), 1, [&](std::size_t) { return prompt; });
}

TEST(Published, EveryMethodFindsAPlantedSplitOfTasks) {
  for (const PublishedMethod& method : published_methods()) {
    const auto router = loaded(trained(std::string(method.name)));
    EXPECT_EQ(router->metadata("method"), method.name);
    EXPECT_EQ(router->metadata("knob"), method.knob);
    const auto words = estimates(*router, kWords), numbers = estimates(*router, kNumbers);
    const auto arm = [&](std::string_view name) {
      std::size_t i = 0;
      while (router->arms()[i].name != name) ++i;
      return i;
    };
    const std::size_t cheap = arm("words"), dear = arm("numbers");
    const auto lead = [&](const std::vector<Estimate>& e) {
      return e[dear].quality - e[cheap].quality;
    };
    EXPECT_GT(lead(numbers), lead(words) + 0.1f) << method.name;
  }
}

TEST(Published, AnArtefactGivesTheNumbersThatWereTrained) {
  for (const std::string& prompt : {kWords, kNumbers, std::string()}) {
    const PublishedModel mf = trained("routellm-mf");
    Matrix x = design(mf, prompt);
    double s = pair_probability(mf.direction, {x.data(), kEmbeddingDims});
    auto e = estimates(*loaded(mf), prompt);
    EXPECT_FLOAT_EQ(e[0].quality, static_cast<float>(s));
    EXPECT_FLOAT_EQ(e[1].quality, 1 - e[0].quality);
    // What the threshold policy makes of them is s again.
    EXPECT_NEAR((1 + e[0].quality - e[1].quality) / 2, s, 1e-6);

    const PublishedModel sw = trained("routellm-sw");
    s = *sw.ranking.strong_probability({x.data(), kEmbeddingDims}, 0, 1);
    EXPECT_FLOAT_EQ(estimates(*loaded(sw), prompt)[0].quality, static_cast<float>(s));

    const PublishedModel hybrid = trained("hybrid-prob");
    x = design(hybrid, prompt);
    const LogisticHead head{
        Eigen::Map<const Vector>(hybrid.heads.data(), static_cast<Index>(hybrid.heads.size()))
            .cast<double>()};
    const double match = head.probability({x.data(), kDesignDims});
    EXPECT_FLOAT_EQ(estimates(*loaded(hybrid), prompt)[0].quality, static_cast<float>(1 - match));
    e = estimates(*loaded(trained("best-route")), prompt);
    EXPECT_NEAR(e[0].quality, match, 1e-6);  // one cheap option with n = 1 is Hybrid-LLM
    EXPECT_EQ(e[1].quality, 1);

    for (const char* name : {"avengers-pro", "avengers-pro-rank", "avengers"}) {
      const PublishedModel avengers = trained(name);
      const auto router = loaded(avengers);
      std::vector<double> quality(2), score(2);
      x = design(avengers, prompt);
      avengers.clusters.expected_quality({x.data(), kEmbeddingDims}, quality);
      e = estimates(*router, prompt);
      for (std::size_t j = 0; j < 2; ++j)
        EXPECT_FLOAT_EQ(e[j].quality, static_cast<float>(quality[j])) << name;
      std::vector<float> utility(2);
      Scratch scratch;
      ASSERT_TRUE(router->utilities(prompt, 0.25f, {}, utility, scratch));
      const bool alone = std::string_view(name) == "avengers";
      avengers.clusters.scores({x.data(), kEmbeddingDims}, {},
                               ScoreWeights::alpha(alone ? 1 : 0.25), score);
      for (std::size_t j = 0; j < 2; ++j)
        EXPECT_FLOAT_EQ(utility[j], static_cast<float>(score[j])) << name;
    }
  }
}

TEST(Published, AlphaGoesFromTheCheapestToTheBestAndLeavesOutWhoCannotAnswer) {
  const auto router = loaded(trained("avengers-pro"));
  std::vector<float> utility(2);
  Scratch scratch;
  ASSERT_TRUE(router->utilities(kNumbers, 0, {}, utility, scratch));
  EXPECT_GT(utility[0], utility[1]);
  ASSERT_TRUE(router->utilities(kNumbers, 1, {}, utility, scratch));
  EXPECT_GT(utility[1], utility[0]);
  const std::uint8_t capable[] = {1, 0};
  ASSERT_TRUE(router->utilities(kNumbers, 1, capable, utility, scratch));
  EXPECT_TRUE(std::isfinite(utility[0]));
  EXPECT_EQ(utility[1], -std::numeric_limits<float>::infinity());
  EXPECT_FALSE(loaded(trained("routellm-mf"))->utilities(kNumbers, 1, {}, utility, scratch));
}

TEST(Published, CostsAndTokensAreMeans) {
  outcomes::Table table = two_kinds(true);
  for (std::int32_t& t : table.completion_tokens) t = 40;
  const auto e = estimates(*loaded(trained("hybrid-det", table)), kWords);
  EXPECT_NEAR(e[0].cost_usd, 0.001f, 1e-8f);
  EXPECT_NEAR(e[1].cost_usd, 0.0001f, 1e-8f);
  EXPECT_TRUE(e[0].has_cost && e[0].has_tokens);
  EXPECT_EQ(e[0].completion_tokens, 40);
}

TEST(Published, AFileThatIsCutOrChangedIsRefusedWithASentence) {
  for (const char* name : {"routellm-mf", "routellm-sw", "best-route", "avengers-pro"}) {
    const std::string bytes = write_published(trained(name), {});
    for (std::size_t part = 0; part < 8; ++part) {
      const auto cut = Router::from_bytes(bytes.substr(0, bytes.size() * part / 8));
      ASSERT_FALSE(cut) << name;
      EXPECT_EQ(cut.error().code, ErrorCode::kCorruptFile);
      EXPECT_FALSE(cut.error().message.empty());
    }
  }
}

TEST(Published, NumbersThatTheMethodsCouldNotBearAreRefused) {
  const auto refused = [](const PublishedModel& model) {
    const auto router = Router::from_bytes(write_published(model, {}));
    return router ? std::string() : router.error().message;
  };
  PublishedModel model = trained("avengers-pro");
  model.clusters.near = 0;
  EXPECT_EQ(refused(model), "0 near clusters; expected at least 1");
  model = trained("avengers-pro");
  model.clusters.beta = -1;
  EXPECT_NE(refused(model).find("cluster.beta"), std::string::npos);
  model = trained("avengers-pro");
  model.clusters.quality(0, 0) = 3;
  EXPECT_NE(refused(model).find("cluster.quality"), std::string::npos);
  model = trained("routellm-sw");
  model.ranking.battles[5].tier_b = 7;
  EXPECT_NE(refused(model).find("battle 5"), std::string::npos);
  model.ranking.battles[5] = {1u << 30, 0, 1, Winner::kA};
  EXPECT_NE(refused(model).find("battle 5"), std::string::npos);
  model = trained("routellm-sw");
  model.ranking.prompts(0, 0) = 1e30f;
  EXPECT_NE(refused(model).find("unit length"), std::string::npos);
  model = trained("routellm-sw");
  model.ranking.tiers = 0;
  EXPECT_NE(refused(model).find("ranking.tiers"), std::string::npos);
  model = trained("routellm-mf");
  model.direction[3] = 1e20f;
  EXPECT_NE(refused(model).find("direction"), std::string::npos);
  model.direction.resize(kEmbeddingDims);
  model.direction[3] = 0;
  model.arms.push_back(model.arms[0]);
  model.arms[2].name = "third";
  model.mean_tokens.push_back(0);
  model.quality_se.push_back(0);
  EXPECT_NE(refused(model).find("two, strong and weak"), std::string::npos);
  model = trained("best-route");
  model.has_head.assign(1, 0);
  EXPECT_NE(refused(model).find("has_head"), std::string::npos);
  model = trained("best-route");
  model.quality_se[0] = -1;
  EXPECT_NE(refused(model).find("quality_se"), std::string::npos);
}

TEST(Published, NothingButTiesTeachesFactorsNothingAndLeavesRankingsAtOneHalf) {
  outcomes::Table table = two_kinds(true);
  for (float& score : table.score) score = 0.5f;
  EXPECT_NE(refusal("routellm-mf", table, "numbers", "words").message.find("has a winner"),
            std::string::npos);
  // Constant scores: the cheapest arm is the best as well, so the pair must be named.
  EXPECT_NE(refusal("routellm-sw", table).message.find("name --strong and --weak"),
            std::string::npos);
  const auto sw = train_published(
      table, {.method = "routellm-sw", .strong = "numbers", .weak = "words", .seed = 1});
  ASSERT_TRUE(sw) << sw.error().message;
  EXPECT_FLOAT_EQ(estimates(*loaded(*sw), kWords)[0].quality, 0.5f);
  // Equal scores match: one class only, a constant near certainty.
  for (const char* name : {"hybrid-det", "hybrid-prob", "hybrid-trans"}) {
    const auto hybrid =
        train_published(table, {.method = name, .strong = "numbers", .weak = "words", .seed = 1});
    ASSERT_TRUE(hybrid) << hybrid.error().message;
    const float words = estimates(*loaded(*hybrid), kWords)[0].quality;
    EXPECT_LT(words, 0.01f) << name;
    EXPECT_NEAR(estimates(*loaded(*hybrid), kNumbers)[0].quality, words, 0.01f);
  }
  // Quality decides nothing; what is left is cost, and at alpha 1 all are equal.
  const auto router = loaded(trained("avengers-pro", table));
  std::vector<float> utility(2);
  Scratch scratch;
  ASSERT_TRUE(router->utilities(kWords, 0.5f, {}, utility, scratch));
  EXPECT_GT(utility[0], utility[1]);
  ASSERT_TRUE(router->utilities(kWords, 1, {}, utility, scratch));
  EXPECT_EQ(utility[0], utility[1]);
}

TEST(Published, OneArmOrNoneIsRefused) {
  outcomes::Table one = two_kinds(true);
  for (std::size_t i = 0; i < one.rows(); ++i) one.score[one.cell(i, 1)] = outcomes::kMissing;
  for (const PublishedMethod& method : published_methods()) {
    const Error error = refusal(std::string(method.name), one);
    EXPECT_EQ(error.code, ErrorCode::kInvalidData) << method.name;
    EXPECT_NE(error.message.find("nothing to choose"), std::string::npos) << error.message;
    EXPECT_EQ(refusal(std::string(method.name), {}).code, ErrorCode::kInvalidData);
  }
}

TEST(Published, OneRowIsEnoughWhereItSaysSomething) {
  outcomes::Table row = first(two_kinds(true), 1);
  row.score = {0, 1};
  for (const PublishedMethod& method : published_methods()) {
    const auto e = estimates(*loaded(trained(std::string(method.name), row)), row.prompts[0]);
    EXPECT_EQ(e.size(), 2u) << method.name;
  }
}

TEST(Published, WithoutCostsAPairMustBeNamedAndAlphaHasNothingToWeigh) {
  outcomes::Table table = two_kinds(true);
  for (float& cost : table.cost) cost = outcomes::kMissing;
  for (const char* name : {"routellm-mf", "routellm-sw", "hybrid-prob"}) {
    EXPECT_NE(refusal(name, table).message.find("name --strong and --weak"), std::string::npos);
    const auto model =
        train_published(table, {.method = name, .strong = "numbers", .weak = "words", .seed = 1});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_FALSE(estimates(*loaded(*model), kWords)[0].has_cost);
  }
  for (const char* name : {"best-route", "avengers-pro", "avengers-pro-rank"})
    EXPECT_NE(refusal(name, table).message.find("score and a cost"), std::string::npos) << name;
  EXPECT_EQ(loaded(trained("avengers", table))->arms().size(), 2u);
}

TEST(Published, ArmsThatAreNotThereAreRefusedByName) {
  const outcomes::Table table = two_kinds(true);
  for (const auto& [strong, weak] : {std::pair{"nobody", "words"}, {"numbers", "nobody"}}) {
    const Error error = refusal("routellm-mf", table, strong, weak);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_NE(error.message.find("nobody"), std::string::npos);
    EXPECT_NE(error.message.find("words, numbers"), std::string::npos);
  }
  EXPECT_NE(refusal("hybrid-det", table, "words", "words").message.find("two different"),
            std::string::npos);
  EXPECT_NE(refusal("avengers", table, "words").message.find("takes no --weak"), std::string::npos);
  EXPECT_EQ(refusal("magic", table).code, ErrorCode::kInvalidArgument);
}

TEST(Published, RowsOfOnePromptAreSamplesOfOneQuery) {
  // Half of the small model's samples match: a soft label of 0.5, where the first sample says 1.
  outcomes::Table table;
  table.arms = {"words", "numbers"};
  for (std::size_t i = 0; i < 40; ++i) {
    table.ids.push("q" + std::to_string(i));
    table.prompts.push("What is " + std::to_string(i / 2) + " plus one");
    table.category.push_back(outcomes::kNoCategory);
    for (const float score : {i % 2 == 0 ? 1.0f : 0.0f, 1.0f}) table.score.push_back(score);
    for (const float cost : {0.0001f, 0.001f}) table.cost.push_back(cost);
    for (int j = 0; j < 2; ++j) {
      table.prompt_tokens.push_back(outcomes::kNoTokens);
      table.completion_tokens.push_back(outcomes::kNoTokens);
    }
  }
  EXPECT_NEAR(estimates(*loaded(trained("hybrid-prob", table)), "What is 3 plus one")[0].quality,
              0.5f, 0.02f);
  EXPECT_LT(estimates(*loaded(trained("hybrid-det", table)), "What is 3 plus one")[0].quality,
            0.05f);
}

TEST(Published, TheSameModelOnAnyNumberOfThreads) {
  const outcomes::Table table = two_kinds(true);
  const std::string many = write_published(trained("routellm-mf", table), {});
  ::setenv("RUNG_THREADS", "1", 1);
  const std::string one = write_published(trained("routellm-mf", table), {});
  ::unsetenv("RUNG_THREADS");
  EXPECT_TRUE(many == one);
}

}  // namespace
}  // namespace rung::predict
