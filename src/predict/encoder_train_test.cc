// A router that was trained with an encoder, from training to a decision.

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>

#include "base/file.h"
#include "predict/artefact.h"
#include "predict/encoder_testing.h"
#include "predict/router.h"
#include "predict/train.h"

namespace rung::predict {
namespace {

/// What decides which of two arms is good at a prompt, if it is planted: on which side of the mean
/// of many prompts the encoder's vector lies.
bool second_is_good(const Encoder& encoder, const std::string& prompt) {
  EncoderScratch scratch;
  std::vector<float> vector(encoder.dims());
  const auto value = [&](const std::string& text) {
    encoder.encode(text, kEncoderTokens, scratch, vector);
    return vector[0] + vector[1] - vector[2];
  };
  static const float mean = [&] {
    float sum = 0;
    for (std::size_t i = 0; i < 200; ++i) sum += value(tiny::text_of(4, i)) / 200;
    return sum;
  }();
  return value(prompt) > mean;
}

/// 500 prompts of the tiny model's words; scores are planted, or say nothing of the prompt.
outcomes::Table table_of(const Encoder& encoder, bool planted) {
  outcomes::Table table;
  table.arms = {"cheap", "dear"};
  Rng rng(4);
  for (std::size_t i = 0; i < 500; ++i) {
    const std::string prompt = tiny::text_of(4, i);
    const bool second = planted ? second_is_good(encoder, prompt) : rng.below(2) == 1;
    table.ids.push("q" + std::to_string(i));
    table.prompts.push(prompt);
    table.category.push_back(outcomes::kNoCategory);
    for (std::size_t j = 0; j < 2; ++j) {
      // Where nothing is planted the dear arm is never better: there is nothing to route.
      const double good = planted ? ((j == 1) == second ? 0.95 : 0.1) : j == 0 ? 0.9 : 0.2;
      table.score.push_back(rng.uniform() < good ? 1.0f : 0.0f);
      table.cost.push_back(j == 0 ? 0.0001f : 0.001f);
      table.prompt_tokens.push_back(outcomes::kNoTokens);
      table.completion_tokens.push_back(outcomes::kNoTokens);
    }
  }
  return table;
}

class TrainWithEncoder : public testing::Test {
 protected:
  void SetUp() override {
    const char* saved = std::getenv("RUNG_ENCODER");
    if (saved != nullptr) saved_ = saved;
    // Both names hold the process: tests of one binary may run side by side.
    const std::string stem =
        testing::TempDir() + "encoder_train_test_" + std::to_string(::getpid());
    encoder_file_ = stem + ".encoder";
    router_file_ = stem + ".router";
    ::setenv("RUNG_ENCODER", encoder_file_.c_str(), 1);
  }
  void TearDown() override {
    std::filesystem::remove(encoder_file_);
    std::filesystem::remove(router_file_);
    saved_.empty() ? ::unsetenv("RUNG_ENCODER") : ::setenv("RUNG_ENCODER", saved_.c_str(), 1);
  }
  std::string saved_;
  std::filesystem::path encoder_file_, router_file_;
};

TEST_F(TrainWithEncoder, FindsWhatTheVectorsTellAndServesItWithTheSameEncoderAlone) {
  const tiny::Tiny model;
  const auto encoder = model.encoder();
  const auto table = table_of(*encoder, true);
  const auto without = train(table);
  TrainOptions options;
  options.encoder = encoder.get();
  options.encoder_tokens = 12;
  const auto with = train(table, options);
  ASSERT_TRUE(with && without);
  EXPECT_GT(with->hull_gain, without->hull_gain + 2);
  ASSERT_EQ(with->encoder_linear.size(), tiny::kDims * 2);
  ASSERT_TRUE(write_file(router_file_, write_artefact(*with, {})));

  const auto refused = [&](std::string_view words) {
    const auto router = Router::load(router_file_);
    ASSERT_FALSE(router);
    EXPECT_NE(router.error().message.find(words), std::string::npos) << router.error().message;
  };
  refused("rung encoder fetch");
  ASSERT_TRUE(write_file(encoder_file_, tiny::Tiny(99).packed()));
  refused("sha256");
  ASSERT_TRUE(write_file(encoder_file_, model.packed()));
  const auto router = Router::load(router_file_);
  ASSERT_TRUE(router) << router.error().message;
  Scratch scratch;
  int right = 0;
  for (std::size_t i = 1000; i < 1100; ++i) {
    const std::string prompt = tiny::text_of(4, i);
    std::vector<Estimate> estimates(2);
    (*router)->estimate(prompt, estimates, scratch);
    right += (estimates[1].quality > estimates[0].quality) == second_is_good(*encoder, prompt);
  }
  EXPECT_GT(right, 80);
}

TEST_F(TrainWithEncoder, TellsTasksByTheVectorsAndServesThem) {
  const tiny::Tiny model;
  const auto encoder = model.encoder();
  auto table = table_of(*encoder, true);
  table.categories = {"first", "second"};
  for (std::size_t i = 0; i < table.rows(); ++i)
    table.category[i] = second_is_good(*encoder, std::string(table.prompts[i])) ? 1 : 0;
  TrainOptions options;
  options.encoder = encoder.get();
  const auto trained = train(table, options);
  ASSERT_TRUE(trained) << trained.error().message;
  ASSERT_EQ(trained->encoder_task_weights.size(), tiny::kDims * 2);
  ASSERT_TRUE(write_file(router_file_, write_artefact(*trained, {})));
  ASSERT_TRUE(write_file(encoder_file_, model.packed()));
  const auto router = Router::load(router_file_);
  ASSERT_TRUE(router) << router.error().message;
  // What is served is what was trained.
  const std::string prompt = tiny::text_of(4, 2000);
  EncoderScratch own;
  std::vector<float> vector(tiny::kDims);
  encoder->encode(prompt, kEncoderTokens, own, vector);
  const Matrix x = embed_all(trained->view().embedding, 1,
                             [&](std::size_t) -> std::string_view { return prompt; });
  std::vector<Estimate> expected(2), got(2);
  EstimateScratch estimate;
  estimate_arms(trained->view(), {x.data(), kDesignDims}, {}, expected, estimate, vector);
  Scratch scratch;
  (*router)->estimate(prompt, got, scratch);
  for (std::size_t j = 0; j < 2; ++j) EXPECT_NEAR(got[j].quality, expected[j].quality, 0.01) << j;
  EXPECT_EQ(got[1].quality > got[0].quality, second_is_good(*encoder, prompt));
}

TEST_F(TrainWithEncoder, GivesTheSameModelOnAnyNumberOfThreads) {
  const auto encoder = tiny::Tiny().encoder();
  TrainOptions options;
  options.encoder = encoder.get();
  const auto table = table_of(*encoder, true);
  const auto many = train(table, options);
  ::setenv("RUNG_THREADS", "1", 1);
  const auto one = train(table, options);
  ::unsetenv("RUNG_THREADS");
  ASSERT_TRUE(many && one);
  EXPECT_EQ(many->encoder_linear, one->encoder_linear);
  EXPECT_EQ(many->linear, one->linear);
}

TEST_F(TrainWithEncoder, NeedsNoEncoderWhereItEarnedNoWeight) {
  const auto encoder = tiny::Tiny().encoder();
  TrainOptions options;
  options.encoder = encoder.get();
  const auto model = train(table_of(*encoder, false), options);
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->encoder_linear.empty());
  ASSERT_TRUE(write_file(router_file_, write_artefact(*model, {})));
  EXPECT_TRUE(Router::load(router_file_));
}

TEST_F(TrainWithEncoder, IsAMatterOfTheEnsemble) {
  const auto encoder = tiny::Tiny().encoder();
  TrainOptions options;
  options.encoder = encoder.get();
  options.method = "tasks";
  EXPECT_EQ(train(table_of(*encoder, true), options).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rung::predict
