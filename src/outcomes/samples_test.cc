#include "outcomes/samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

namespace rung::outcomes {
namespace {

std::string file_of(const std::string& text) {
  const std::string path =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl";
  std::ofstream(path) << text;
  return path;
}

TEST(Samples, AreReadWithWhatIsUnknownKeptUnknown) {
  const std::vector<std::string> files{file_of(
      R"({"id":"a","prompt":"hey","models":{"m":[{"answer":"4","correct":true,"completion_tokens":7},{"answer":null,"correct":null}]}})"
      "\n"
      R"({"id":"b","models":{"n":[{"answer":5,"correct":false}]}})"
      "\n")};
  const auto samples = read_samples(files);
  ASSERT_TRUE(samples) << samples.error().message;
  EXPECT_EQ(samples->models, (std::vector<std::string>{"m", "n"}));
  ASSERT_EQ(samples->items.size(), 2u);
  const auto& first = samples->items[0];
  EXPECT_EQ(first.prompt_bytes, 3u);
  ASSERT_EQ(first.of_model.size(), 2u);
  EXPECT_EQ(first.of_model[0][0].correct, Correct::kRight);
  EXPECT_EQ(first.of_model[0][0].completion_tokens, 7);
  EXPECT_EQ(first.of_model[0][1].correct, Correct::kUnknown);
  EXPECT_FALSE(first.of_model[0][1].has_answer);
  EXPECT_TRUE(first.of_model[1].empty());
  EXPECT_EQ(samples->items[1].of_model[1][0].answer, "5");
}

TEST(Samples, AnOutcomesFileIsRefusedWithItsPlace) {
  const std::vector<std::string> files{file_of(R"({"id":"a","models":{"m":{"score":1}}})")};
  const auto samples = read_samples(files);
  ASSERT_FALSE(samples);
  EXPECT_NE(samples.error().message.find(":1"), std::string::npos) << samples.error().message;
  EXPECT_NE(samples.error().message.find("models.m"), std::string::npos);
}

TEST(Samples, TheModelOfAnArmIsItsNameWithoutEffortOrStrategy) {
  EXPECT_EQ(model_of("gpt-4:cot"), "gpt-4");
  EXPECT_EQ(model_of("large@high"), "large");
  EXPECT_EQ(model_of("llama3:8b"), "llama3:8b");
  EXPECT_EQ(model_of("llama3:latest"), "llama3:latest");
  EXPECT_EQ(model_of("plain"), "plain");
  EXPECT_EQ(model_of("odd:"), "odd:");
}

TEST(Samples, NoneRightIsOneMinusPassAtK) {  // golden numbers: pass@k of (n, c, k)
  EXPECT_NEAR(1 - none_right(10, 3, 4), 0.833333333, 1e-9);
  EXPECT_NEAR(1 - none_right(16, 1, 8), 0.5, 1e-12);
  EXPECT_NEAR(1 - none_right(5, 4, 2), 1, 1e-12);
  EXPECT_NEAR(none_right(5, 0, 5), 1, 1e-12);
}

}  // namespace
}  // namespace rung::outcomes
