#include "predict/recalibrated.h"

#include <gtest/gtest.h>

#include "predict/artefact.h"
#include "predict/published.h"
#include "predict/published_artefact.h"
#include "predict/testing.h"
#include "predict/train.h"

namespace rung::predict {
namespace {

/// Everything becomes `value`.
outcomes::ScoreMap flat(double value) {
  const std::string text = "[[0," + std::to_string(value) + "]]";
  return *outcomes::ScoreMap::parse(*json::parse(text));
}

std::string trained() {
  const auto model = train(testing::two_kinds(true), {.method = "linear", .folds = 0, .seed = 1});
  EXPECT_TRUE(model) << model.error().message;
  return write_artefact(*model, {});
}

std::vector<Estimate> ask(const Router& router, std::string_view prompt = "Compute abc def") {
  Scratch scratch;
  std::vector<Estimate> estimates(router.arms().size());
  router.estimate(prompt, estimates, scratch);
  return estimates;
}

TEST(Recalibrated, MapsTheArmsThatHaveAMapAndNothingElse) {
  const std::string bytes = trained();
  const auto plain = Router::from_bytes(bytes);
  auto changed =
      with_metadata(bytes, kRecalibrationKey,
                    recalibration_json(outcomes::ScoreMapKind::kIsotonic, {{"words", flat(0.25)}}));
  ASSERT_TRUE(plain && changed);
  const auto router = Router::from_bytes(*changed);
  ASSERT_TRUE(router) << router.error().message;
  const auto before = ask(**plain), after = ask(**router);
  EXPECT_EQ(after[0].quality, 0.25f);
  EXPECT_EQ(after[1].quality, before[1].quality);
  EXPECT_EQ(after[0].cost_usd, before[0].cost_usd);
  EXPECT_EQ((*router)->arms()[0].mean_quality, 0.25f);
  EXPECT_EQ((*router)->metadata("method"), (*plain)->metadata("method"));
}

TEST(Recalibrated, APairHasOneMapAndItsWeakArmTheRest) {
  PublishedOptions how;
  how.method = "hybrid-prob";
  const auto model = train_published(testing::two_kinds(true), how);
  ASSERT_TRUE(model) << model.error().message;
  const std::string strong = model->arms[0].name;
  auto changed =
      with_metadata(write_published(*model, {}), kRecalibrationKey,
                    recalibration_json(outcomes::ScoreMapKind::kIsotonic, {{strong, flat(0.7)}}));
  ASSERT_TRUE(changed);
  const auto router = Router::from_bytes(*changed);
  ASSERT_TRUE(router) << router.error().message;
  const auto after = ask(**router);
  EXPECT_FLOAT_EQ(after[0].quality, 0.7f);
  EXPECT_FLOAT_EQ(after[1].quality, 0.3f);
}

TEST(Recalibrated, MetadataIsSetReplacedAndTakenOutWithoutTouchingTensors) {
  const std::string bytes = trained();
  const auto once = with_metadata(bytes, "a", "1"), twice = with_metadata(*once, "a", "2");
  ASSERT_TRUE(once && twice);
  EXPECT_EQ(Router::from_bytes(*twice).value()->metadata("a"), "2");
  EXPECT_EQ(*with_metadata(*twice, "a", ""), bytes) << "and everything is as it was";
  EXPECT_FALSE(with_metadata("short", "a", "1"));
  EXPECT_FALSE(with_metadata(std::string(100, 'x'), "a", "1"));
}

TEST(Recalibrated, MapsThatAreNoneAreRefused) {
  const std::string bytes = trained();
  for (const char* text : {"7", "{}", R"({"maps":7})", R"({"maps":{"nobody":[[0,0.5]]}})",
                           R"({"maps":{"words":[]}})"}) {
    const auto router = Router::from_bytes(*with_metadata(bytes, kRecalibrationKey, text));
    ASSERT_FALSE(router) << text;
    EXPECT_EQ(router.error().code, ErrorCode::kCorruptFile) << text;
  }
}

}  // namespace
}  // namespace rung::predict
